internal import Core
internal import Netlink

/// What the kernel calls a set. While a large one is filled, another of the same meaning may be in use: so there are two
/// names for each, and the rules ask one of them. Core knows the first alone.
struct SetNames: Equatable, Sendable {
  /// Of those that go by their second name.
  private var second: Set<String> = []

  init() {}

  /// No set of Core's has a dot in its name.
  private static let suffix = ".2"

  static func both(_ name: String) -> [String] { [name, name + suffix] }

  /// Core's name of a set that goes by its second one in the kernel; nil if this is no such name.
  private static func first(_ name: String) -> String? {
    name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : nil
  }

  /// - Parameter asked: the sets that rules ask, by the kernel's names.
  init(asked: Set<String>) {
    second = Set(asked.compactMap(Self.first).filter { !asked.contains($0) })
  }

  mutating func use(_ kernelName: String) {
    if let name = Self.first(kernelName) { second.insert(name) }
  }

  /// Switches to the set's other kernel name and returns it.
  mutating func turn(_ name: String) -> String {
    if second.remove(name) == nil { second.insert(name) }
    return self[name]
  }

  /// There is no such set any more.
  mutating func drop(_ name: String) { second.remove(name) }

  /// The kernel's name of one of Core's.
  subscript(name: String) -> String { second.contains(name) ? name + Self.suffix : name }

  /// Core's name of a set that the kernel calls so; where another stands in its place, none of Core's.
  func core(_ kernelName: String) -> String {
    if second.contains(kernelName) { return "\(kernelName) (not in use)" }
    return Self.first(kernelName).flatMap { second.contains($0) ? $0 : nil } ?? kernelName
  }
}

/// Where the sets of a table that is too large for one transaction go. Pure: what is there, and what is wanted.
struct SetPlacement {
  struct Fill {
    /// By the kernel's name.
    var wanted: NftSet
    /// What a set of this name holds already, that no rule asks: of a life before, which was killed. Nil: there is none.
    var present: [ClosedRange<UInt32>]?
  }

  private(set) var names = SetNames()
  /// To be filled before the table changes.
  private(set) var fills: [Fill] = []
  /// Sets of another kind or with other elements that have the name of one to be filled, and that no rule asks.
  private(set) var inTheWay: [String] = []
  /// In the transaction that changes the table: small changes of sets that stay, sets that are made, and sets and maps
  /// that go before those are.
  private(set) var changes: [SetChange] = []
  private(set) var made: [NftSet] = []
  private(set) var dropped: [String] = []

  /// - Parameter room: ranges that the last transaction may add and remove.
  init(_ sets: [NftSet], in present: RawTable?, room: Int = SetSweep.rangesPerTransaction) {
    var room = room
    let there = Set((present?.sets ?? []).map(\.name))
    let asked = present?.asked ?? []
    var kept: Set<String> = []
    for set in sets {
      if set.isFed {
        // What others have put into it stays.
        let isThere = present?.sets.contains { $0.name == set.name && $0.kind == .expiringAddresses } ?? false
        if isThere { kept.insert(set.name) } else { made.append(set) }
        continue
      }
      let both = SetNames.both(set.name)
      if let (used, ranges) = both.lazy.compactMap({ Self.plain($0, in: present) }).first(where: {
        asked.contains($0.name)
      }) {
        let change = SetChange(from: ranges, to: NftSet(name: used, ranges: set.ranges))
        if change.count <= room {
          room -= change.count
          names.use(used)
          kept.insert(used)
          if !change.isEmpty { changes.append(change) }
          continue
        }
      }
      let free = both.filter { !asked.contains($0) }
      guard set.ranges.count > room, let name = free.first(where: { Self.plain($0, in: present) != nil }) ?? free.first
      else {
        // Small; or another program has made rules that use both.
        room -= set.ranges.count
        made.append(set)
        continue
      }
      names.use(name)
      kept.insert(name)
      let before = Self.plain(name, in: present)?.ranges
      if before == nil && there.contains(name) { inTheWay.append(name) }
      fills.append(Fill(wanted: NftSet(name: name, ranges: set.ranges), present: before))
    }
    dropped = (present?.sets ?? []).map(\.name).filter { !kept.contains($0) }
  }

  /// Nil if there is no such set, or one with other elements than ours have.
  private static func plain(
    _ name: String, in present: RawTable?
  ) -> (name: String, ranges: [ClosedRange<UInt32>])? {
    guard let present, let set = present.sets.first(where: { $0.name == name }), set.kind == .addressRanges else {
      return nil
    }
    return present.ranges[name].map { (name, $0) }
  }
}

/// Which sets a change of the table fills before, and by which names; and what is left for its transaction.
struct EditPlacement {
  private(set) var names: SetNames
  /// By the kernel's names; no rule asks them by then.
  private(set) var fills: [NftSet] = []
  /// Sets of a life before that have such a name, and that no rule asks.
  private(set) var inTheWay: [String] = []
  private(set) var edits: [NftEdit] = []

  init(_ change: NftChange, _ names: SetNames) {
    self.names = names
    let dropped = Set(change.edits.compactMap { if case .deleteSet(let name) = $0 { name } else { nil } })
    for edit in change.edits {
      switch edit {
      case .fillSet(let set, let isThere):
        let name = isThere ? self.names.turn(set.name) : set.name
        fills.append(NftSet(name: name, ranges: set.ranges))
        if dropped.contains(name) { inTheWay.append(name) }
      case .deleteSet(let name): self.names.drop(name)
      default: break
      }
    }
    let gone = Set(inTheWay)
    edits = change.edits.filter { if case .deleteSet(let name) = $0 { !gone.contains(name) } else { true } }
  }
}
