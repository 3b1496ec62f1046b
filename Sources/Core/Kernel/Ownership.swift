package import RuleSets

/// Whose a device is. An alias that begins as ours proves nothing by itself: anyone may have given it, as a name or for fun.
/// What cannot be so by accident is a tunnel whose lookup mark is made of our bits alone (or whose XFRM number is that of
/// a slot) and that has our prefix or our alias besides; or one that has the name that its alias says, and the TTL that we
/// give.
///
/// Each piece of evidence may be missing, since others may change it: a device of ours that has lost its alias, its name or
/// its mark is still ours, and put right. So is one of an older configuration, with another prefix or other bits.
extension TunnelParameters {
  /// Whether we made the device with these parameters. `alias` is its IFLA_IFALIAS; nil where it has none.
  package func areOurs(_ name: InterfaceName, alias: String?, in ranges: KernelRanges) -> Bool {
    let mask = ranges.markMask
    let hasOurNumber: Bool
    let isMadeAsOurs: Bool
    switch encapsulation {
    case .gre, .ipip:
      hasOurNumber = lookupMark.value != 0 && lookupMark.value & ~mask.bits == 0
      isMadeAsOurs = ttl == TunnelDevice.ttl
    case .xfrm(let interfaceID):
      hasOurNumber = Slot(interfaceID: interfaceID).map { mask.mark($0) != nil } ?? false
      isMadeAsOurs = interfaceID != 0
    }
    let hasOurPrefix = name.text.hasPrefix(ranges.interfacePrefix)
    guard let alias, alias.hasPrefix(TunnelDevice.aliasPrefix) else { return hasOurNumber && hasOurPrefix }
    if hasOurNumber { return true }
    return isMadeAsOurs && name.text == ranges.interfacePrefix + alias.dropFirst(TunnelDevice.aliasPrefix.count)
  }
}
