internal import Agent
internal import Core
internal import Glibc

/// Reads, changes and puts back per-interface sysctls.
struct InterfaceSettings: Sendable {
  private let memory: SettingMemory

  init(stateDirectory: String) { memory = SettingMemory(stateDirectory: stateDirectory) }

  /// What holds for all interfaces together; each one's own settings come with the interface.
  func readOfAll() throws(KernelFailure) -> [InterfaceSetting: Int] {
    guard let all = InterfaceSetting.all else { return [:] }
    var values: [InterfaceSetting: Int] = [:]
    for key in InterfaceSetting.Key.allCases {
      let setting = InterfaceSetting(all, key)
      values[setting] = try calling { () throws(SystemCallFailure) in try SettingFiles.read(setting) }
    }
    return values
  }

  func remembered() throws(KernelFailure) -> [InterfaceSetting: Int] {
    try calling { () throws(SystemCallFailure) in try memory.load() }
  }

  /// - Parameter remembering: asked only where there is something to change.
  func change(
    _ setting: InterfaceSetting, to value: Int, remembering: () throws(KernelFailure) -> Bool
  ) throws(KernelFailure) {
    let present = try calling { () throws(SystemCallFailure) in
      guard let present = try SettingFiles.read(setting) else {
        throw SystemCallFailure("sysctl \(SettingFiles.path(setting))", errno: ENOENT)
      }
      return present
    }
    if present == value { return }
    let isToRemember = try remembering()
    try calling { () throws(SystemCallFailure) in
      if isToRemember {
        var remembered = try memory.load()
        // What it was before our first change is what counts.
        if remembered[setting] == nil {
          remembered[setting] = present
          try memory.save(remembered)
        }
      }
      try SettingFiles.write(setting, value)
    }
  }

  /// Forgets it only when the old value is back: a kill in between does it again.
  func restore(_ setting: InterfaceSetting) throws(KernelFailure) {
    try calling { () throws(SystemCallFailure) in
      var remembered = try memory.load()
      guard let value = remembered.removeValue(forKey: setting) else { return }
      // An interface that is gone took its settings along.
      if try SettingFiles.read(setting) != nil { try SettingFiles.write(setting, value) }
      try memory.save(remembered)
    }
  }

  private func calling<R>(_ body: () throws(SystemCallFailure) -> R) throws(KernelFailure) -> R {
    do throws(SystemCallFailure) { return try body() } catch {
      throw KernelFailure(operation: error.operation, errno: error.errno, cause: error.cause)
    }
  }
}
