internal import Agent
internal import Core
internal import Glibc
internal import RuleSets
internal import Synchronization

/// What foreign interfaces' sysctls were before we changed them: in memory, and in a file, so that a later run can put
/// them back. The file is a help: where it cannot be read or written, the sysctls are changed all the same, and that is
/// told.
final class SettingMemory: Sendable {
  let path: String
  /// Only the agent changes the file of its own accord; a command that only looks leaves even a damaged one alone.
  private let mends: Bool
  private let kept = Mutex(Kept())

  private struct Kept {
    var values: [InterfaceSetting: Int]?
    /// The file does not say what `values` says.
    var isUnsaved = false
    /// The file that is there cannot be used, and is not set aside yet.
    var damage: String?
    var told = RememberedSettings()
  }

  /// Enough for a few hundred interfaces with four settings each; a larger file is not ours.
  private static let maximumBytes = 1 << 20

  init(stateDirectory: String, mends: Bool) {
    path = "\(stateDirectory)/sysctls.json"
    self.mends = mends
  }

  /// What is remembered, and what is wrong with the file. What could not be written before is tried again.
  func load() -> RememberedSettings {
    kept.withLock { kept in
      read(&kept)
      if mends {
        setAside(&kept)
        if kept.isUnsaved { save(&kept) }
      }
      return kept.told
    }
  }

  /// Remembers what these settings were; of one that is remembered already the first value counts. On disk for good when
  /// this returns, where the disk takes it.
  func remember(_ before: [InterfaceSetting: Int]) {
    guard !before.isEmpty else { return }
    kept.withLock { kept in
      read(&kept)
      let known = kept.values ?? [:]
      let all = known.merging(before) { first, _ in first }
      guard all.count > known.count else { return }
      kept.values = all
      save(&kept)
    }
  }

  /// These are back as they were, or gone.
  func forget(_ settings: some Sequence<InterfaceSetting>) {
    kept.withLock { kept in
      read(&kept)
      let known = kept.values ?? [:]
      let forgotten = Set(settings)
      let left = known.filter { !forgotten.contains($0.key) }
      guard left.count < known.count else { return }
      kept.values = left
      save(&kept)
    }
  }

  // MARK: - The file

  private struct File: Codable {
    var schema: Int
    var settings: [Entry]
    /// Files of before it was written have none.
    var checksum: String?

    var computedChecksum: String {
      var sum = Checksum()
      for entry in settings { sum.add(part: "\(entry.interface) \(entry.key) \(entry.value)".utf8) }
      return sum.text
    }
  }

  private struct Entry: Codable {
    var interface: String
    var key: String
    var value: Int
  }

  private func read(_ kept: inout Kept) {
    guard kept.values == nil else { return }
    do throws(SystemCallFailure) {
      kept.values = try contents()
    } catch {
      kept.values = [:]
      kept.damage = "\(error)"
      kept.told.damage = "the sysctls' earlier values cannot be read, and will not be put back: \(error)"
    }
    kept.told.values = kept.values ?? [:]
  }

  private func contents() throws(SystemCallFailure) -> [InterfaceSetting: Int] {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      guard error.errno == ENOENT else { throw error }
      return [:]
    }
    let file: File
    do { file = try JSONCoding().decode(File.self, from: bytes) } catch {
      throw SystemCallFailure("read \(path)", cause: "not the file that we wrote")
    }
    guard file.schema == 1 else { throw SystemCallFailure("read \(path)", cause: "schema \(file.schema), not 1") }
    guard file.checksum ?? file.computedChecksum == file.computedChecksum else {
      throw SystemCallFailure("read \(path)", cause: "its checksum is wrong")
    }
    var remembered: [InterfaceSetting: Int] = [:]
    for entry in file.settings {
      guard let interface = InterfaceName(entry.interface), let key = InterfaceSetting.Key(rawValue: entry.key) else {
        throw SystemCallFailure("read \(path)", cause: "unknown setting \(entry.key) of \(entry.interface)")
      }
      remembered[InterfaceSetting(interface, key)] = entry.value
    }
    return remembered
  }

  private func setAside(_ kept: inout Kept) {
    guard let damage = kept.damage else { return }
    kept.damage = nil
    kept.told.damage =
      "the sysctls' earlier values cannot be read, and will not be put back: \(damage); \(SetAside.move(path))"
  }

  private func save(_ kept: inout Kept) {
    kept.told.values = kept.values ?? [:]
    setAside(&kept)
    do throws(SystemCallFailure) {
      try write(kept.told.values)
      kept.isUnsaved = false
      kept.told.trouble = nil
    } catch {
      kept.isUnsaved = true
      kept.told.trouble = "\(error)"
    }
  }

  private func write(_ remembered: [InterfaceSetting: Int]) throws(SystemCallFailure) {
    let entries = remembered.map { Entry(interface: $0.interface.text, key: $0.key.rawValue, value: $1) }
      .sorted { ($0.interface, $0.key) < ($1.interface, $1.key) }
    var file = File(schema: 1, settings: entries)
    file.checksum = file.computedChecksum
    let text: [UInt8]
    do { text = try JSONCoding(isIndented: true).encode(file) } catch {
      throw SystemCallFailure("write \(path)", cause: "\(error)")
    }
    try Directory.make(Directory.holding(path), mode: 0o700)
    try AtomicFile.write(text, to: path)
  }
}
