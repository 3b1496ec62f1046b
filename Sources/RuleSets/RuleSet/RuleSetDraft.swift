/// A rule set whose fields are read one by one, before they are held against each other. Each part keeps its place in
/// the document, so that what is found wrong later can be named.
struct RuleSetDraft {
  let book: ComplaintBook
  var hubs: [Item<Hub>] = []
  var profiles: [Item<IPsecProfile>] = []
  var tunnels: [Item<Tunnel>] = []
  var paths: [Item<Path>] = []
  var probes: [Item<Probe>] = []
  var egresses: [Item<DraftEgress>] = []
  var rules: [Item<DraftRule>] = []
  var directDestinations: [Item<IPv4Prefix>] = []
  /// Every name that the document gives, of broken parts too: a reference to one of those is not dangling.
  var names: [Part: [Name: Int]] = [:]

  /// Parts of which an item has no name that could be read: what seems to dangle may be meant for it.
  var incomplete: Set<Part> = []

  /// A list of the document whose items have names.
  enum Part: String, CaseIterable {
    case hubs
    case profiles = "ipsec_profiles"
    case tunnels, paths, probes, egresses
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
      case .rules: "backhaul rule"
      }
    }
  }

  init(_ book: ComplaintBook) { self.book = book }

  /// The item's own name, noted so that it can be referred to; nil, with a complaint, where it is none or is taken.
  mutating func readName(_ part: Part, index: Int, _ fields: FieldReader) -> Name? {
    guard let name = fields.required("name", .name) else { return nil }
    if let first = names[part]?[name] {
      fields.complain("name", "\(quoted(name.text)) is already the name of \(part.rawValue)[\(first)]")
      return nil
    }
    names[part, default: [:]][name] = index
    return name
  }

  /// To be called when every part has been read.
  mutating func noteIncompleteParts(_ top: FieldReader) {
    for part in Part.allCases {
      switch top[part.rawValue] {
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

/// An egress, its lists with the places of their items.
struct DraftEgress {
  var egress: Egress
  var paths: [DraftPath]
}

/// A path that an egress names, and where: `paths[1]`, `paths[2].balance[0].path`.
struct DraftPath {
  var place: String
  var name: Name
}

/// A backhaul rule, its lists with the places of their items.
struct DraftRule {
  var rule: BackhaulRule
  var sources: DraftSources
  /// Where the rule has an egress of its own; nil where it names one.
  var own: DraftEgress?
}

struct DraftSources {
  var interfaces: [Item<InterfaceName>]
  var prefixes: [Item<IPv4Prefix>]
  /// False where a list was given and nothing of it could be read: then it is not known what the rule takes.
  var isKnown: Bool
}
