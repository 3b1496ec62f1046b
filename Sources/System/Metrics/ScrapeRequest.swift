/// What a scraper asks for: the head of an HTTP/1.1 request (RFC 9112), of which the first line counts. No body is read.
enum ScrapeRequest {
  /// A scraper's head has some 300 bytes.
  static let maximum = 4 << 10

  /// What `bytes`, all that came so far, amount to. The request itself is of no interest once it is known to be one.
  static func parse(_ bytes: [UInt8]) -> StreamForm.Parsed {
    guard let end = endOfHead(bytes) else {
      return bytes.count <= maximum ? .incomplete : refused("431 Request Header Fields Too Large")
    }
    let line = bytes[..<end].prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return refused("400 Bad Request") }
    guard words[0] == "GET" else { return refused("405 Method Not Allowed", "Allow: GET\r\n") }
    guard words[1] == "/metrics" || words[1].hasPrefix("/metrics?") else { return refused("404 Not Found") }
    return .complete([])
  }

  /// After the empty line; nil: it has not come yet. A lone LF ends a line too (RFC 9112 section 2.2).
  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    var isEmpty = false
    for (index, byte) in bytes.prefix(maximum).enumerated() {
      switch byte {
      case UInt8(ascii: "\n"):
        if isEmpty { return index + 1 }
        isEmpty = true
      case UInt8(ascii: "\r"): break
      default: isEmpty = false
      }
    }
    return nil
  }

  private static func refused(_ status: String, _ fields: String = "") -> StreamForm.Parsed {
    .refused(reply: response(status, "text/plain; charset=utf-8", Array((status + "\n").utf8), fields))
  }

  static func response(_ status: String, _ type: String, _ body: [UInt8], _ fields: String = "") -> [UInt8] {
    let head = """
      HTTP/1.1 \(status)\r
      Content-Type: \(type)\r
      Content-Length: \(body.count)\r
      \(fields)Connection: close\r
      \r

      """
    return Array(head.utf8) + body
  }
}
