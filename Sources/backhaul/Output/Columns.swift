/// Lines with aligned columns: one object a line, two blanks between columns, none at the end.
struct Columns {
  private var rows: [[String]]
  /// The widths of the first columns, so that later lines can be aligned with them.
  private let leastWidths: [Int]

  init(_ header: String...) { self.init(header) }
  init(_ header: [String], atLeast leastWidths: [Int] = []) {
    rows = [header]
    self.leastWidths = leastWidths
  }

  mutating func add(_ cells: String...) { rows.append(cells) }
  mutating func add(_ cells: [String]) { rows.append(cells) }

  var isEmpty: Bool { rows.count == 1 }

  var lines: [String] {
    var widths = leastWidths
    for row in rows {
      for (index, cell) in row.enumerated() {
        if index == widths.count { widths.append(0) }
        widths[index] = max(widths[index], cell.count)
      }
    }
    return rows.map { row in
      var line = ""
      for (index, cell) in row.enumerated() {
        line += cell
        if index < row.count - 1 { line += String(repeating: " ", count: widths[index] - cell.count + 2) }
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
