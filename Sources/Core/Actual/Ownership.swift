/// Whose a device is. An alias that begins as ours proves nothing by itself: anyone may have given it, as a name or for fun.
/// What cannot be so by accident is a tunnel whose lookup mark (or XFRM number) is made of our bits alone and that has our
/// name or our alias besides; or one that has the name that its alias says, and the TTL that we give.
///
/// Each piece of evidence may be missing, since others may change it: a device of ours that has lost its alias, its name or
/// its mark is still ours, and put right. So is one of an older configuration, with another prefix or other bits.
extension TunnelParameters {
  package func areOurs(_ name: InterfaceName, alias: String?, in ranges: KernelRanges) -> Bool {
    let number: UInt32
    let isMadeAsOurs: Bool
    switch encapsulation {
    case .gre, .ipip: (number, isMadeAsOurs) = (lookupMark.value, ttl == TunnelDevice.ttl)
    case .xfrm(let interfaceID): (number, isMadeAsOurs) = (interfaceID, interfaceID != 0)
    }
    let hasOurBits = number != 0 && number & ~ranges.markMask.bits == 0
    let hasOurPrefix = name.text.hasPrefix(ranges.interfacePrefix)
    guard let alias, alias.hasPrefix(TunnelDevice.aliasPrefix) else { return hasOurBits && hasOurPrefix }
    if hasOurBits { return true }
    return isMadeAsOurs && name.text == ranges.interfacePrefix + alias.dropFirst(TunnelDevice.aliasPrefix.count)
  }
}
