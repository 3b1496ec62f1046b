internal import Agent
internal import Core
internal import Glibc
internal import RuleSets

/// Reads, changes and puts back per-interface sysctls.
struct InterfaceSettings: Sendable {
  private let memory: SettingMemory

  init(stateDirectory: String, mends: Bool) {
    memory = SettingMemory(stateDirectory: stateDirectory, mends: mends)
  }

  /// What holds for all interfaces together; each one's own settings come with the interface. One that cannot be read (no
  /// /proc, or one that hides it) is left out: steering does not wait for it.
  func readOfAll() -> [InterfaceSetting: Int] {
    guard let all = InterfaceSetting.all else { return [:] }
    var values: [InterfaceSetting: Int] = [:]
    for key in InterfaceSetting.Key.allCases {
      let setting = InterfaceSetting(all, key)
      values[setting] = try? SettingFiles.read(setting)
    }
    return values
  }

  func remembered() -> RememberedSettings { memory.load() }

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
    // In one file that is written once: with a thousand devices each write takes as long as all the rest.
    memory.remember(before)
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

  /// Forgets what is back only when all of it is: a kill in between does it again.
  func restore(_ settings: [InterfaceSetting]) throws(KernelFailure) {
    var failure: KernelFailure?
    let known = memory.load().values
    var done: [InterfaceSetting] = []
    for setting in settings {
      guard let value = known[setting] else { continue }
      do throws(SystemCallFailure) {
        // An interface that is gone took its settings along.
        if try SettingFiles.read(setting) != nil { try SettingFiles.write(setting, value) }
        done.append(setting)
      } catch {
        failure = failure ?? Self.failure(error)
        // No value that the kernel ever gave: trying again changes nothing.
        if error.errno == EINVAL { done.append(setting) }
      }
    }
    memory.forget(done)
    if let failure { throw failure }
  }

  private func calling<R>(_ body: () throws(SystemCallFailure) -> R) throws(KernelFailure) -> R {
    do throws(SystemCallFailure) { return try body() } catch { throw Self.failure(error) }
  }

  private static func failure(_ error: SystemCallFailure) -> KernelFailure {
    KernelFailure(operation: error.operation, errno: error.errno, cause: error.cause)
  }
}
