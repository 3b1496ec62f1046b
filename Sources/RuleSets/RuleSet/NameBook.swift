/// A list of the document whose items have names.
enum Part: String, CaseIterable {
  case hubs
  case profiles = "ipsec_profiles"
  case tunnels, paths, probes, egresses
  case steering = "steering_rules"
  case rules = "backhaul_rules"

  /// What one item is called.
  var noun: String {
    switch self {
    case .hubs: "hub"
    case .profiles: "IPsec profile"
    case .tunnels: "tunnel"
    case .paths: "path"
    case .probes: "probe"
    case .egresses: "egress"
    case .steering: "steering rule"
    case .rules: "backhaul rule"
    }
  }
}

/// Every name that a document gives, of broken parts too: a reference to one of those is not dangling.
final class NameBook {
  let book: ComplaintBook
  private(set) var names: [Part: [Name: Int]] = [:]
  /// Parts of which an item has no name that could be read: what seems to dangle may be meant for it.
  private(set) var incomplete: Set<Part> = []

  init(_ book: ComplaintBook) { self.book = book }

  /// The place of the item that had the name first; nil: this one, and it is noted.
  fileprivate func note(_ name: Name, of part: Part, at index: Int) -> Int? {
    if let first = names[part]?[name] { return first }
    names[part, default: [:]][name] = index
    return nil
  }

  /// To be called when every part has been read.
  func noteIncompleteParts(_ document: FieldReader) {
    for part in Part.allCases {
      switch document[part.rawValue] {
      case .list(let items) where items.count == names[part]?.count ?? 0: continue
      case nil: continue
      default: incomplete.insert(part)
      }
    }
  }

  /// Complains unless something of that kind has this name.
  func checkReference(_ name: Name, to part: Part, at field: @autoclosure () -> String) {
    guard names[part]?[name] == nil, !incomplete.contains(part) else { return }
    book.complain(field(), danglingReference(name, to: part))
  }

  private func danglingReference(_ name: Name, to part: Part) -> String {
    let text = "no \(part.noun) is named \(quoted(name.text))"
    for other in [Part.hubs, .profiles, .tunnels, .paths, .egresses] where other != part && names[other]?[name] != nil {
      return text + " (that is a \(other.noun))"
    }
    let known = (names[part] ?? [:]).keys.map(\.text).sorted()
    return text + (nearest(to: name.text, among: known).map { "; did you mean \(quoted($0))?" } ?? "")
  }
}

extension Fields {
  /// The item's own name, noted so that it can be referred to; refused where another item of the part has it.
  func name(_ name: inout Name, of part: Part) {
    required("name", .name, &name)
    guard isReading, name != .blank, let first = names.note(name, of: part, at: index) else { return }
    complain("name", "\(quoted(name.text)) is already the name of \(part.rawValue)[\(first)]")
    isWhole = false
  }
}
