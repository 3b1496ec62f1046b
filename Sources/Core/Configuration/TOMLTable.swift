internal import RuleSets

/// A value as it stands in TOML text.
enum TOMLItem {
  case value(DocumentValue)
  case dateOrTime
  case list([TOMLItem])
  case table(TOMLTable)
  /// What `[[name]]` made; the last is the one that is open.
  case tables(TOMLTableList)
}

/// Shared, so that one more costs the same however many there are.
final class TOMLTableList {
  var tables: [TOMLTable]
  init(_ first: TOMLTable) { tables = [first] }
}

/// A table while the text is being read. It knows how it came about, for that decides whether it may be opened again.
final class TOMLTable {
  enum Origin {
    /// `[name]`, or one of `[[name]]`: it is opened once.
    case header
    /// The `a` of `[a.b]`: it may still be opened, once.
    case implied
    /// The `a` of `a.b = 1`: more such keys may follow.
    case dotted
    /// Between braces: it is as it is.
    case inline
  }

  /// A table or key that is there already, in words.
  struct Conflict: Error {
    var text: String
  }

  private var origin: Origin
  private var keys: [String] = []
  private var items: [String: TOMLItem] = [:]

  init(_ origin: Origin) { self.origin = origin }

  private func put(_ key: String, _ item: TOMLItem) {
    if items.updateValue(item, forKey: key) == nil { keys.append(key) }
  }

  /// `[a.b.c]`
  func open(_ path: [String]) throws(Conflict) -> TOMLTable {
    let (holder, key) = try holder(of: path)
    switch holder.items[key] {
    case nil:
      let table = TOMLTable(.header)
      holder.put(key, .table(table))
      return table
    case .table(let table) where table.origin == .implied:
      table.origin = .header
      return table
    case .table: throw Conflict(text: "the table \(Self.name(path)) is there twice")
    default: throw Conflict(text: "\(Self.name(path)) is there already, and is no table")
    }
  }

  /// `[[a.b.c]]`
  func appendItem(_ path: [String]) throws(Conflict) -> TOMLTable {
    let (holder, key) = try holder(of: path)
    let table = TOMLTable(.header)
    switch holder.items[key] {
    case nil: holder.put(key, .tables(TOMLTableList(table)))
    case .tables(let list): list.tables.append(table)
    default: throw Conflict(text: "\(Self.name(path)) is there already, and is no list of tables")
    }
    return table
  }

  /// Where the last name of a header belongs: tables on the way there are made as needed.
  private func holder(of path: [String]) throws(Conflict) -> (TOMLTable, String) {
    var table = self
    for (index, key) in path.dropLast().enumerated() {
      switch table.items[key] {
      case nil:
        let inner = TOMLTable(.implied)
        table.put(key, .table(inner))
        table = inner
      case .table(let inner) where inner.origin != .inline: table = inner
      case .tables(let list): table = list.tables.last ?? table
      default: throw Conflict(text: "\(Self.name(path[...index])) is there already, and cannot be added to")
      }
    }
    return (table, path.last ?? "")
  }

  /// `a.b.c = …`
  func set(_ path: [String], _ item: TOMLItem) throws(Conflict) {
    var table = self
    for (index, key) in path.dropLast().enumerated() {
      switch table.items[key] {
      case nil:
        let inner = TOMLTable(.dotted)
        table.put(key, .table(inner))
        table = inner
      case .table(let inner) where inner.origin == .dotted: table = inner
      default: throw Conflict(text: "\(Self.name(path[...index])) is there already, and cannot be added to")
      }
    }
    let key = path.last ?? ""
    guard table.items[key] == nil else { throw Conflict(text: "the key \(Self.name(path)) is there twice") }
    table.put(key, item)
  }

  private static func name(_ path: some Sequence<String>) -> String {
    quoted(path.map(pathStep).joined(separator: "."))
  }

  /// - Parameter path: of this table, for the error.
  func value(at path: String) throws(Complaint) -> DocumentValue {
    var members: [DocumentValue.Member] = []
    for key in keys {
      guard let item = items[key] else { continue }
      let step = pathStep(key)
      members.append(DocumentValue.Member(key, try Self.value(of: item, at: path.isEmpty ? step : "\(path).\(step)")))
    }
    return .object(members)
  }

  private static func value(of item: TOMLItem, at path: String) throws(Complaint) -> DocumentValue {
    switch item {
    case .value(let value): return value
    case .dateOrTime:
      throw Complaint(field: path, "expected text, a number, true or false, found a date or time")
    case .table(let table): return try table.value(at: path)
    case .tables(let list): return try value(of: .list(list.tables.map { .table($0) }), at: path)
    case .list(let items):
      var values: [DocumentValue] = []
      for (index, item) in items.enumerated() { values.append(try value(of: item, at: "\(path)[\(index)]")) }
      return .list(values)
    }
  }
}
