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

  /// - Parameter isOurs: asked only of devices that have something to change.
  func change(
    to values: [InterfaceSetting: Int], isOurs: (InterfaceName) throws(KernelFailure) -> Bool
  ) throws(KernelFailure) {
    var failure: KernelFailure?
    var changes: [(setting: InterfaceSetting, value: Int)] = []
    var before: [InterfaceSetting: Int] = [:]
    for (setting, value) in values.sorted(by: { $0.key < $1.key }) {
      do throws(KernelFailure) {
        let present = try present(setting)
        if present == value { continue }
        if try !isOurs(setting.interface) { before[setting] = present }
        changes.append((setting, value))
      } catch { failure = failure ?? error }
    }
    try calling { () throws(SystemCallFailure) in try remember(before) }
    for (setting, value) in changes {
      do throws(KernelFailure) {
        try calling { () throws(SystemCallFailure) in try SettingFiles.write(setting, value) }
      } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  private func present(_ setting: InterfaceSetting) throws(KernelFailure) -> Int {
    try calling { () throws(SystemCallFailure) in
      guard let present = try SettingFiles.read(setting) else {
        throw SystemCallFailure("sysctl \(SettingFiles.path(setting))", errno: ENOENT)
      }
      return present
    }
  }

  /// In one file that is written once: with a thousand devices each write takes as long as all the rest.
  private func remember(_ before: [InterfaceSetting: Int]) throws(SystemCallFailure) {
    guard !before.isEmpty else { return }
    let known = try memory.load()
    // What it was before our first change is what counts.
    let all = known.merging(before) { first, _ in first }
    if all.count > known.count { try memory.save(all) }
  }

  /// Forgets what is back only when all of it is: a kill in between does it again.
  func restore(_ settings: [InterfaceSetting]) throws(KernelFailure) {
    var failure: KernelFailure?
    try calling { () throws(SystemCallFailure) in
      let known = try memory.load()
      var left = known
      for setting in settings {
        guard let value = known[setting] else { continue }
        do throws(SystemCallFailure) {
          // An interface that is gone took its settings along.
          if try SettingFiles.read(setting) != nil { try SettingFiles.write(setting, value) }
          left[setting] = nil
        } catch { failure = failure ?? Self.failure(error) }
      }
      if left.count < known.count { try memory.save(left) }
    }
    if let failure { throw failure }
  }

  private func calling<R>(_ body: () throws(SystemCallFailure) -> R) throws(KernelFailure) -> R {
    do throws(SystemCallFailure) { return try body() } catch { throw Self.failure(error) }
  }

  private static func failure(_ error: SystemCallFailure) -> KernelFailure {
    KernelFailure(operation: error.operation, errno: error.errno, cause: error.cause)
  }
}
