package import RuleSets

/// Whose a device is. An alias that looks like ours proves nothing by itself, since anyone may set one. Two things
/// cannot be accidents: a tunnel whose lookup mark consists of our bits alone (or whose XFRM number is a slot's) and
/// that also has our prefix or our alias; and one with the name that its alias says and the TTL that we set.
///
/// Others may remove any single piece of evidence: a device of ours that has lost its alias, its name or its mark is
/// still ours, and is repaired. The same holds for one from an older configuration with another prefix or other bits.
extension TunnelParameters {
  /// Whether we made the device with these parameters. `alias` is its IFLA_IFALIAS; nil if it has none.
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
