/// Text from outside, fit for a log line: in double quotes, cut at 64 characters, without anything that a terminal obeys.
package func quoted(_ text: String) -> String {
  var result = "\""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == 64 {
      result += "…"
      break
    }
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    default:
      let isPlain = (0x20..<0x7f).contains(scalar.value) || (scalar.value > 0xa0 && scalar.properties.isAlphabetic)
      if isPlain { result.unicodeScalars.append(scalar) } else { result += "\\u{\(String(scalar.value, radix: 16))}" }
    }
  }
  return result + "\""
}

/// A key of a document as a step of a field's path. A key from outside is shown as it is only where it looks like a key:
/// another may hold what a terminal obeys.
package func pathStep(_ key: String) -> String {
  let isPlain = (1...40).contains(key.utf8.count) && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
  return isPlain ? key : quoted(key)
}

/// The candidate that a writer may have meant by `word`; nil where none is near.
package func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
  let wanted = plain(word)
  // Hostile input cannot make this costly: both words are short, and callers complain a bounded number of times.
  guard (1...40).contains(wanted.count) else { return nil }
  var best: (distance: Int, word: String)?
  for candidate in candidates where candidate != word {
    let other = plain(candidate)
    guard other.count <= 40 else { continue }
    // The unit forgotten or another one written: `interval`, `interval_s` for `interval_ms`.
    let isSameButUnit = withoutUnit(wanted) == withoutUnit(other)
    let distance = isSameButUnit ? 0 : editDistance(wanted, other)
    let bound = min(2, max(wanted.count, other.count) / 3)
    guard distance <= bound, distance < best?.distance ?? Int.max else { continue }
    best = (distance, candidate)
  }
  return best?.word
}

/// Lower case, words parted by `_`: `holdDownMs`, `hold-down-ms` and `hold_down_ms` are one.
private func plain(_ word: String) -> [UInt8] {
  var result: [UInt8] = []
  for byte in word.utf8.prefix(60) {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"):
      if let last = result.last, last != UInt8(ascii: "_") { result.append(UInt8(ascii: "_")) }
      result.append(byte | 0x20)
    case UInt8(ascii: "-"), UInt8(ascii: " "): result.append(UInt8(ascii: "_"))
    default: result.append(byte)
    }
  }
  return result
}

private func withoutUnit(_ word: [UInt8]) -> [UInt8] {
  for unit in ["_milliseconds", "_seconds", "_minutes", "_msec", "_secs", "_sec", "_ms", "_s", "_bytes"] {
    if word.count > unit.utf8.count && word.suffix(unit.utf8.count).elementsEqual(unit.utf8) {
      return word.dropLast(unit.utf8.count)
    }
  }
  return word
}

/// How many letters to insert, delete, replace or swap with their neighbour (Damerau's distance, strings aligned).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
  var before: [Int] = []
  var previous = Array(0...right.count)
  for row in 0..<left.count {
    var current = [row + 1]
    for column in 0..<right.count {
      let isSame = left[row] == right[column]
      var cost = min(previous[column] + (isSame ? 0 : 1), previous[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
        cost = min(cost, before[column - 1] + 1)
      }
      current.append(cost)
    }
    (before, previous) = (previous, current)
  }
  return previous[right.count]
}
