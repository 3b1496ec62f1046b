internal import RuleSets

/// The steps for tunnel devices: what they are, their settings and their addresses.
struct DevicePlan {
  private(set) var creating: [Step] = []
  /// What lets packets out by a device that is new, or to a far end that is: once nftables holds them to what they must
  /// be. A tunnel in an SA would send bare what it sends before.
  private(set) var opening: [Step] = []
  private(set) var deleting: [Step] = []
  /// Devices whose routes are gone once `creating` is done: the kernel drops them with a device, and with its last
  /// address (fib_inetaddr_event, net/ipv4/fib_frontend.c).
  private(set) var routesLost: Set<InterfaceName> = []
  /// Devices that `creating` takes away for good, held ones among them: no route by them can be put.
  private(set) var taken: Set<InterfaceName> = []

  /// Devices that are down until `opening` sets them up.
  private(set) var opened: Set<InterfaceName> = []

  private let actual: ActualState
  /// Devices that `creating` makes, anew or for the first time: nothing of what `actual` says of them holds.
  private var made: Set<InterfaceName> = []

  init(_ desired: DesiredState, _ actual: ActualState) {
    self.actual = actual
    // A foreign device keeps its name, whatever we wanted it for.
    let wanted = desired.tunnels.filter { actual.links[$0.name]?.isOurs ?? true }
    let doomed = deleteInTheWay(wanted)
    taken = doomed.subtracting(wanted.map(\.name))
    for device in wanted { shape(device, isGone: doomed.contains(device.name)) }
    changeSettings(desired.settings)
    for device in wanted { address(device) }
    for device in wanted where made.contains(device.name) || actual.links[device.name]?.isUp != true {
      opening.append(.setUp(device.name))
      opened.insert(device.name)
    }
    let kept = Set(wanted.map(\.name)).union(desired.held).union(doomed)
    deleting = actual.links.filter { $0.value.isOurs && !kept.contains($0.key) }.keys.sorted()
      .map { .deleteDevice($0) }
  }

  /// The kernel has room for one device in each place. Where another of ours stands where a device must get, that other
  /// one goes first, add before delete or not.
  private mutating func deleteInTheWay(_ wanted: [TunnelDevice]) -> Set<InterfaceName> {
    var doomed: Set<InterfaceName> = []
    for device in wanted {
      let parameters = device.parameters
      if actual.links[device.name]?.tunnel?.takesThePlace(of: parameters) == true { continue }
      for (name, link) in actual.links where name != device.name && link.isOurs {
        if link.tunnel?.takesThePlace(of: parameters) == true { doomed.insert(name) }
      }
    }
    for name in doomed.sorted() {
      creating.append(.deleteDevice(name))
      routesLost.insert(name)
    }
    return doomed
  }

  private mutating func shape(_ device: TunnelDevice, isGone: Bool) {
    guard let link = actual.links[device.name], !isGone else {
      make(device)
      return
    }
    let parameters = device.parameters
    // Out of a VRF's table it comes only with its routes gone as well.
    guard let present = link.tunnel, present.canBecome(parameters), !link.isEnslaved else {
      creating.append(.deleteDevice(device.name))
      make(device)
      return
    }
    var steps: [Step] = []
    if present != parameters || link.alias != device.alias { steps.append(.changeTunnel(device)) }
    // A new underlay or mark makes the kernel work out an MTU of its own (ip_tunnel_update).
    let recomputed = present.underlay != parameters.underlay || present.lookupMark != parameters.lookupMark
    if link.mtu != device.mtu || recomputed { steps.append(.setMTU(device.name, device.mtu)) }
    if present.remote == parameters.remote { creating += steps } else { opening += steps }
  }

  private mutating func make(_ device: TunnelDevice) {
    creating.append(.createTunnel(device))
    made.insert(device.name)
    routesLost.insert(device.name)
  }

  private mutating func changeSettings(_ desired: [InterfaceSetting: Int]) {
    let changes = desired.filter { setting, value in
      if made.contains(setting.interface) { return true }
      guard setting.interface == InterfaceSetting.all || actual.links[setting.interface] != nil else { return false }
      return actual.settings[setting] != value
    }
    if !changes.isEmpty { creating.append(.changeSettings(changes)) }
  }

  private mutating func address(_ device: TunnelDevice) {
    let present = made.contains(device.name) ? [] : actual.addresses[device.name] ?? []
    let extra = present.filter { $0 != device.address }
    // With an address of the same subnet before it a new one is its secondary, and goes when that one goes: there the
    // old one goes first.
    let first = extra.filter { $0.length == device.address?.length && $0.subnet == device.address?.subnet }
    creating += first.map { .removeAddress(device.name, $0) }
    if let address = device.address, !present.contains(address) {
      creating.append(.addAddress(device.name, address, peer: device.peer))
    }
    creating += extra.filter { !first.contains($0) }.map { .removeAddress(device.name, $0) }
    let wasEmptied = !present.isEmpty && (first.count == present.count || device.address == nil)
    if wasEmptied { routesLost.insert(device.name) }
  }
}

extension TunnelParameters {
  /// Whether one of both keeps the other from being made: EEXIST.
  fileprivate func takesThePlace(of other: TunnelParameters) -> Bool {
    switch (encapsulation, other.encapsulation) {
    // By kind, key, ends and underlay (ip_tunnel_find, net/ipv4/ip_tunnel.c).
    case (.gre, .gre), (.ipip, .ipip):
      encapsulation == other.encapsulation && local == other.local && remote == other.remote
        && underlay == other.underlay
    // By number alone, whatever the underlay (xfrmi_locate, net/xfrm/xfrm_interface_core.c).
    case (.xfrm(let number), .xfrm(let taken)): number == taken
    case (.gre, _), (.ipip, _), (.xfrm, _): false
    }
  }

  /// Whether the kernel makes the other of it in place. An XFRM interface never gets another underlay (xfrmi_change:
  /// EINVAL), and another number corrupts it in kernels that lack e9e7e85d75f3.
  fileprivate func canBecome(_ other: TunnelParameters) -> Bool {
    switch (encapsulation, other.encapsulation) {
    case (.gre, .gre), (.ipip, .ipip): true
    case (.xfrm, .xfrm): self == other
    case (.gre, _), (.ipip, _), (.xfrm, _): false
    }
  }
}
