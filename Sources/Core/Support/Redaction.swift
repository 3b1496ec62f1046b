/// Removes secrets from the text of a support bundle: known ones wherever they appear, and anything that looks like
/// one.
///
/// What looks like one: the value of a key whose name says so (`token`, `psk`, `secret`, `password`, but not the name of a
/// file), what follows `Bearer` or `Basic`, user and query of a URL, and PEM private keys.
package struct Redaction: Sendable {
  package static let mark = "[redacted]"
  /// A shorter one would take half of the text with it.
  package static let leastLength = 6

  /// The longest first, so that none is cut by a part of it.
  private let secrets: [String]

  /// - Parameter secrets: contents of the files that hold secrets; each line of them is one.
  package init(secrets: [String] = []) {
    let lines = secrets.flatMap { $0.split(whereSeparator: \.isNewline) }
      .map { $0.trimmed }
      .filter { $0.count >= Self.leastLength && !$0.hasPrefix("-----") }
    self.secrets = Set(lines).sorted { ($1.count, $0) < ($0.count, $1) }
  }

  /// The text with `mark` in place of each secret and of each PEM private key as a whole.
  package func apply(_ text: String) -> String {
    var lines: [Substring] = []
    var isInKey = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.containsText("-----BEGIN") && line.containsText("PRIVATE KEY") {
        // On one line, as JSON has it, or on several.
        isInKey = !line.containsText("-----END")
        lines.append(Self.mark[...])
      } else if isInKey {
        isInKey = !line.containsText("-----END")
      } else {
        lines.append(line)
      }
    }
    var result = lines.map { Self.scrub(String($0)) }.joined(separator: "\n")
    for secret in secrets { result = result.replacing(secret, by: Self.mark) }
    return result
  }

  private static func scrub(_ line: String) -> String {
    var output = String.UnicodeScalarView()
    let scalars = Array(line.unicodeScalars)
    var index = 0
    while index < scalars.count {
      if let end = addressUser(scalars, at: index) {
        output.append(contentsOf: "://\(mark)@".unicodeScalars)
        index = end
        continue
      }
      if scalars[index] == "?", let end = query(scalars, at: index) {
        output.append(contentsOf: "?\(mark)".unicodeScalars)
        index = end
        continue
      }
      guard scalars[index].isWord, index == 0 || !scalars[index - 1].isWord else {
        output.append(scalars[index])
        index += 1
        continue
      }
      var end = index
      while end < scalars.count, scalars[end].isWord { end += 1 }
      output.append(contentsOf: scalars[index..<end])
      let word = String(String.UnicodeScalarView(scalars[index..<end])).lowercased()
      index = end
      guard let value = value(of: word, scalars, after: end), !value.isEmpty else { continue }
      output.append(contentsOf: scalars[end..<value.lowerBound])
      output.append(contentsOf: mark.unicodeScalars)
      index = value.upperBound
    }
    return String(output)
  }

  private static let names = ["secret", "password", "passwd", "passphrase", "token", "psk", "apikey", "api_key"]

  /// The range of the secret that this word announces.
  private static func value(of word: String, _ text: [Unicode.Scalar], after end: Int) -> Range<Int>? {
    if word == "bearer" || word == "basic" {
      let start = skipBlanks(text, end)
      return start > end ? start..<endOfValue(text, start) : nil
    }
    guard names.contains(where: { word.containsText($0) }), !word.hasSuffix("_file"), !word.hasSuffix("_directory")
    else {
      return nil
    }
    // JSON within JSON escapes its quotes.
    var index = skipBlanks(text, skipQuote(text, end))
    guard index < text.count, text[index] == "=" || text[index] == ":" else { return nil }
    index = skipBlanks(text, index + 1)
    let start = skipQuote(text, index)
    guard start > index else { return start..<endOfValue(text, start) }
    let isEscaped = start - index > 1
    var close = start
    while close < text.count, text[close] != text[start - 1] {
      if isEscaped && text[close] == "\\" { break }
      close += text[close] == "\\" ? 2 : 1
    }
    return start..<min(close, text.count)
  }

  /// The index after a quote, if one is there.
  private static func skipQuote(_ text: [Unicode.Scalar], _ index: Int) -> Int {
    var index = index
    while index < text.count, text[index] == "\\" { index += 1 }
    return index < text.count && (text[index] == "\"" || text[index] == "'") ? index + 1 : index
  }

  private static func skipBlanks(_ text: [Unicode.Scalar], _ index: Int) -> Int {
    var index = index
    while index < text.count, text[index] == " " || text[index] == "\t" { index += 1 }
    return index
  }

  private static func endOfValue(_ text: [Unicode.Scalar], _ index: Int) -> Int {
    var index = index
    while index < text.count, !" \t,;\"'}])".unicodeScalars.contains(text[index]) { index += 1 }
    return index
  }

  /// `://user:password@` (RFC 3986, 3.2.1): the index behind it.
  private static func addressUser(_ text: [Unicode.Scalar], at index: Int) -> Int? {
    guard index + 3 < text.count, text[index] == ":", text[index + 1] == "/", text[index + 2] == "/" else { return nil }
    var end = index + 3
    while end < text.count, !"/?# \t\"'".unicodeScalars.contains(text[end]) {
      if text[end] == "@" { return end + 1 }
      end += 1
    }
    return nil
  }

  /// A URL's query (RFC 3986, 3.4), which is known by its `=`: the index behind it.
  private static func query(_ text: [Unicode.Scalar], at index: Int) -> Int? {
    var end = index + 1
    var hasValue = false
    while end < text.count, !"# \t\"'<>,;)".unicodeScalars.contains(text[end]) {
      hasValue = hasValue || text[end] == "="
      end += 1
    }
    return hasValue ? end : nil
  }
}

extension Unicode.Scalar {
  /// A character that a key's name may have.
  fileprivate var isWord: Bool {
    switch self {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
    default: false
    }
  }
}

extension Substring {
  fileprivate var trimmed: String {
    var rest = self
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}

extension String {
  fileprivate func replacing(_ secret: String, by mark: String) -> String {
    let text = Array(utf8)
    let wanted = Array(secret.utf8)
    guard let first = wanted.first, text.count >= wanted.count else { return self }
    var result: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index] == first, index + wanted.count <= text.count,
        text[index..<(index + wanted.count)].elementsEqual(wanted)
      {
        result += Array(mark.utf8)
        index += wanted.count
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
