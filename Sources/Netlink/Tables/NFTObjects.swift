/// A chain of a table of family `inet`.
package struct NFTChain: Equatable, Sendable {
  package struct Hook: Equatable, Sendable {
    /// `filter`, `nat` or `route`.
    package var type: String
    /// NF_INET_PRE_ROUTING (0) to NF_INET_POST_ROUTING (4).
    package var number: UInt32
    package var priority: Int32

    package init(type: String, number: UInt32, priority: Int32) {
      self.type = type
      self.number = number
      self.priority = priority
    }
  }

  package var name: String
  /// Nil: only jumped to.
  package var hook: Hook?
  /// What becomes of a packet that no rule of a base chain judged.
  package var dropsByDefault: Bool

  package init(name: String, hook: Hook? = nil, dropsByDefault: Bool = false) {
    self.name = name
    self.hook = hook
    self.dropsByDefault = dropsByDefault
  }
}

/// A named set.
package struct NFTSet: Equatable, Sendable {
  package var name: String
  /// Its keys are IPv4 addresses, its elements ranges of them, and nothing else is special about it.
  package var isAddressRanges: Bool

  package init(name: String, isAddressRanges: Bool = true) {
    self.name = name
    self.isAddressRanges = isAddressRanges
  }
}

package struct NFTRule: Hashable, Sendable {
  package var chain: String
  package var expressions: [NFTExpression]
  package var comment: String

  package init(chain: String, expressions: [NFTExpression], comment: String = "") {
    self.chain = chain
    self.expressions = expressions
    self.comment = comment
  }
}

/// The comment of a rule, as nft(8) stores it: one TLV (NFTNL_UDATA_RULE_COMMENT = 0) with the NUL counted.
enum RuleComment {
  /// The length is a byte, and counts the NUL.
  static let maximumLength = 254

  static func encode(_ comment: String) -> [UInt8] {
    let text = Array(comment.utf8.prefix(maximumLength))
    return text.isEmpty ? [] : [0, UInt8(text.count + 1)] + text + [0]
  }

  static func decode(_ bytes: Bytes) -> String {
    var rest = bytes
    while let type = rest.load(UInt8.self), let length = rest.load(UInt8.self, at: 1) {
      guard let value = rest.dropping(2), Int(length) <= value.count else { return "" }
      if type == 0 { return Bytes(UnsafeRawBufferPointer(rebasing: value.raw[..<Int(length)])).string }
      guard let next = value.dropping(Int(length)) else { return "" }
      rest = next
    }
    return ""
  }
}
