internal import Core

extension ArraySlice<Step> {
  /// Deletions that would take the ground from under traffic, and the others.
  func partitioned(by inUse: Set<InterfaceName>) -> (kept: [Step], clearing: [Step]) {
    let kept = filter { step in
      switch step {
      case .deleteDevice(let name), .removeAddress(let name, _): inUse.contains(name)
      case .deleteRoute(let route):
        route.way.devices.contains(where: inUse.contains)
      default: false
      }
    }
    return (kept, filter { !kept.contains($0) })
  }
}

extension Step {
  /// Of a sysctl: where it cannot be set, the rest is worth having all the same.
  var isSetting: Bool {
    switch self {
    case .changeSettings, .restoreSettings: true
    default: false
    }
  }

  var startsSteering: Bool {
    switch self {
    case .replaceSteering, .changeSets: true
    default: false
    }
  }
}
