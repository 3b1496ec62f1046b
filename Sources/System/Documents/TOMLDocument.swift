internal import Core
package import RuleSets
internal import TOMLKit

/// TOML text (TOML 1.0) to a `DocumentValue`. Keys come in alphabetic order: toml++ keeps no other.
package enum TOMLDocument {
  /// The document, or what makes it no TOML, with line and column.
  package static func parse(_ text: String) throws(Complaint) -> DocumentValue {
    if let complaint = TOMLGuard.complaint(text) { throw complaint }
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      let place = error.source.begin
      throw Complaint(field: "", "line \(place.line), column \(place.column): \(error.description)")
    } catch {
      throw Complaint(field: "", "not TOML: \(error)")
    }
    return try value(of: table, at: "")
  }

  private static func value(of table: TOMLTable, at path: String) throws(Complaint) -> DocumentValue {
    var members: [DocumentValue.Member] = []
    for key in table.keys {
      guard let item = table[key] else { continue }
      members.append(DocumentValue.Member(key, try value(of: item, at: path.isEmpty ? key : "\(path).\(key)")))
    }
    return .object(members)
  }

  private static func value(of item: any TOMLValueConvertible, at path: String) throws(Complaint) -> DocumentValue {
    switch item.type {
    case .table:
      guard let table = item.table else { throw unreadable(path) }
      return try value(of: table, at: path)
    case .array:
      guard let array = item.array else { throw unreadable(path) }
      var items: [DocumentValue] = []
      for (index, item) in array.enumerated() { items.append(try value(of: item, at: "\(path)[\(index)]")) }
      return .list(items)
    case .string: return .string(item.string ?? "")
    case .int: return .integer(Int64(item.int ?? 0))
    case .double: return .decimal(item.double ?? 0)
    case .bool: return .boolean(item.bool ?? false)
    case .date, .time, .dateTime:
      throw Complaint(field: path, "expected text, a number, true or false, found a date or time")
    }
  }

  private static func unreadable(_ path: String) -> Complaint { Complaint(field: path, "this value can't be read") }
}
