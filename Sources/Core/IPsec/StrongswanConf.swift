/// What strongswan.conf and the files that it includes say, as strongSwan's libraries take it (settings.c).
package struct StrongswanConf: Sendable {
  /// The value of a key. Empty is not the same as missing: it hides what the key has in the section to fall back to.
  package struct Setting: Equatable, Sendable {
    package var value: String?
    package var place: Place
  }

  /// A line of a file, counted from 1.
  package struct Place: Equatable, Sendable, CustomStringConvertible {
    package var file: String
    package var line: Int
    package var description: String { "\(file):\(line)" }
  }

  /// What a file consists of. An include stays until the caller has read the file and put its statements in its place.
  package enum Statement: Equatable, Sendable {
    case setting(String, Setting)
    case section(String, references: [String], [Statement])
    /// Includes the files that match the pattern (glob(7)). A relative pattern starts in the including file's folder.
    case include(pattern: String, Place)
  }

  struct Section: Sendable {
    var settings: [String: Setting] = [:]
    var sections: [String: Section] = [:]
    /// Sections that what this one lacks is looked for in.
    var references: [String] = []

    /// An existing section is added to, an existing setting is replaced.
    mutating func add(_ statements: [Statement]) {
      for statement in statements {
        switch statement {
        case .setting(let key, let setting): settings[key] = setting
        case .section(let name, let references, let inner):
          var section = sections.removeValue(forKey: name) ?? Section()
          section.references += references.filter { !section.references.contains($0) }
          section.add(inner)
          sections[name] = section
        case .include: break
        }
      }
    }
  }

  let top: Section

  /// - Parameter statements: of the main file, with every include resolved; one that is left counts for nothing.
  package init(_ statements: [Statement]) {
    var top = Section()
    top.add(statements)
    self.top = top
  }

  /// What a daemon reads at `key` (`plugins.vici.socket`). Charon-systemd looks into its own section first, then into
  /// charon's, then into libstrongswan's (library.c).
  package func setting(_ key: String, daemon: String) -> Setting? {
    var search = StrongswanConfSearch(top: top, daemon: daemon)
    return search.setting(Self.path(key), in: [daemon])
  }

  /// Whether a daemon has a section of that name, however empty.
  package func hasSection(_ key: String, daemon: String) -> Bool {
    var search = StrongswanConfSearch(top: top, daemon: daemon)
    return !search.sections(Self.path("\(daemon).\(key)")).isEmpty
  }

  static func path(_ key: String) -> ArraySlice<String> { key.split(separator: ".").map(String.init)[...] }
}

/// One look-up, along references and fallbacks, in the order that settings.c goes.
struct StrongswanConfSearch {
  let top: StrongswanConf.Section
  let daemon: String
  /// Bounds the lookup: references may form circles, and fans of fans. It then finds nothing, but soon; strongSwan
  /// itself follows some circles until its stack overflows.
  private var steps = 2000
  private var depth = 0
  /// Sections whose settings were looked at.
  private var seen: Set<[String]> = []

  init(top: StrongswanConf.Section, daemon: String) {
    self.top = top
    self.daemon = daemon
  }

  private func section(at path: [String]) -> StrongswanConf.Section? {
    path.reduce(top) { section, name in section?.sections[name] }
  }

  private func references(of path: [String]) -> [String] {
    let written = section(at: path)?.references ?? []
    guard path == [daemon] else { return written }
    // A daemon's own section stands there even if no file has it.
    return written + (daemon == "charon" ? [] : ["charon"]) + ["libstrongswan"]
  }

  private mutating func mayStep() -> Bool {
    steps -= 1
    return steps > 0 && depth < 20
  }

  mutating func setting(
    _ key: ArraySlice<String>, in path: [String], isReferenced: Bool = false
  ) -> StrongswanConf.Setting? {
    guard let name = key.first, mayStep() else { return nil }
    depth += 1
    defer { depth -= 1 }
    if key.count > 1 {
      if let found = setting(key.dropFirst(), in: path + [name]) { return found }
    } else {
      seen.insert(path)
      if let found = section(at: path)?.settings[name] { return found }
    }
    // What a referenced section refers to itself is in the list already.
    if isReferenced { return nil }
    for reference in references(of: path) {
      for other in sections(StrongswanConf.path(reference)) where !seen.contains(other) {
        if let found = setting(key, in: other, isReferenced: true) { return found }
      }
    }
    return nil
  }

  /// The sections that a key means: those that it names, and those that they refer to.
  mutating func sections(_ key: ArraySlice<String>) -> [[String]] {
    var found: [[String]] = []
    collect(key, in: [], into: &found)
    return found
  }

  private mutating func collect(
    _ key: ArraySlice<String>, in path: [String], isReferenced: Bool = false, into found: inout [[String]]
  ) {
    guard let name = key.first, mayStep() else { return }
    depth += 1
    defer { depth -= 1 }
    let inner = path + [name]
    if section(at: inner) != nil || inner == [daemon] {
      if key.count > 1 {
        collect(key.dropFirst(), in: inner, into: &found)
      } else if !found.contains(inner) {
        found.append(inner)
        for reference in references(of: inner) { collect(StrongswanConf.path(reference), in: [], into: &found) }
      }
    }
    if isReferenced { return }
    for reference in references(of: path) {
      for other in sections(StrongswanConf.path(reference)) {
        collect(key, in: other, isReferenced: true, into: &found)
      }
    }
  }
}
