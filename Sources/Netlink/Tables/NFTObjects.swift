/// A chain of a table of family `inet`.
package struct NFTChain: Equatable, Sendable {
  /// Where a base chain is hooked in. Chains of one hook run from the lowest priority to the highest.
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
  /// Nil for a chain that is only jumped to.
  package var hook: Hook?
  /// The policy of a base chain: whether packets that no rule judged are dropped.
  package var dropsByDefault: Bool

  package init(name: String, hook: Hook? = nil, dropsByDefault: Bool = false) {
    self.name = name
    self.hook = hook
    self.dropsByDefault = dropsByDefault
  }
}

/// A named set, or a map.
package struct NFTSet: Equatable, Sendable {
  /// The contents of a set, as far as we use them.
  package enum Kind: Equatable, Sendable {
    /// Its keys are IPv4 addresses, its elements ranges of them, and nothing else is special about it.
    case addressRanges
    /// Its keys are single IPv4 addresses, which expire.
    case expiringAddresses
    /// A map from the key to a verdict, and nothing else is special about it.
    case verdicts(Key)
    /// A kind that we never write.
    case other
  }
  /// What a map of verdicts is keyed by.
  package enum Key: Equatable, Sendable {
    /// As `NFTExpression.deviceName`.
    case device
    /// As `NFTExpression.word`.
    case mark
    /// The same, in a table of one size: `fewMarks`.
    case fewMarks
    /// Ranges: from a first key to a last one, field by field.
    case concatenation([NFTField])
  }

  /// The most elements of a map by `Key.fewMarks`.
  package static let fewMarks: UInt32 = 128

  package var name: String
  package var kind: Kind

  package init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

/// One key of a map of verdicts, and its verdict.
package struct NFTMapElement: Hashable, Sendable {
  package var key: [UInt8]
  /// Where keys are ranges: the last one. Each field of both fills whole words.
  package var last: [UInt8]?
  package var verdict: NFTExpression.Verdict

  package init(key: [UInt8], to last: [UInt8]? = nil, verdict: NFTExpression.Verdict) {
    self.key = key
    self.last = last
    self.verdict = verdict
  }
}

/// One element of a map as the kernel lists it; without a verdict if it is none that we would write.
package struct NFTListedElement: Equatable, Sendable {
  package var key: [UInt8]
  package var last: [UInt8]?
  package var verdict: NFTExpression.Verdict?

  package init(key: [UInt8], last: [UInt8]? = nil, verdict: NFTExpression.Verdict? = nil) {
    self.key = key
    self.last = last
    self.verdict = verdict
  }

  /// As the kernel lists what was written so.
  package init(_ element: NFTMapElement) {
    self.init(key: element.key, last: element.last, verdict: element.verdict)
  }
}

/// A rule of a chain, with the comment that nft(8) lists behind it.
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

/// A rule in the kernel, with the handle that the kernel gave it.
package struct NFTListedRule: Equatable, Sendable {
  package var rule: NFTRule
  package var handle: UInt64
  /// What its own counters have counted, in the order of its expressions; empty where nobody asked for it.
  package var counts: [NFTCount] = []
}

/// What one counter has counted.
package struct NFTCount: Equatable, Sendable {
  package var packets: UInt64
  package var bytes: UInt64
}

/// The comment of a rule or a set, as nft(8) stores it: one TLV with the NUL counted.
enum StoredComment {
  /// The length is a byte, and counts the NUL.
  static let maximumLength = 254

  /// - Parameter type: a rule's (NFTNL_UDATA_RULE_COMMENT), unless it is said.
  static func encode(_ comment: String, type: UInt8 = 0) -> [UInt8] {
    let text = Array(comment.utf8.prefix(maximumLength))
    return text.isEmpty ? [] : [type, UInt8(text.count + 1)] + text + [0]
  }

  /// Empty if there is none.
  static func decode(_ bytes: Bytes, type wanted: UInt8 = 0) -> String {
    var rest = bytes
    while let type = rest.load(UInt8.self), let length = rest.load(UInt8.self, at: 1) {
      guard let value = rest.dropping(2), Int(length) <= value.count else { return "" }
      if type == wanted { return Bytes(UnsafeRawBufferPointer(rebasing: value.raw[..<Int(length)])).string }
      guard let next = value.dropping(Int(length)) else { return "" }
      rest = next
    }
    return ""
  }
}

extension NFTRule {
  /// The sets that the rule looks up.
  package var sets: [String] {
    expressions.compactMap { if case .lookup(let set, _) = $0 { set } else { nil } }
  }

  /// The same rule with each set that it looks up renamed by `name`.
  package func renamingSets(_ name: (String) -> String) -> NFTRule {
    var rule = self
    for (index, expression) in expressions.enumerated() {
      guard case .lookup(let set, let isInverted) = expression else { continue }
      rule.expressions[index] = .lookup(set: name(set), isInverted: isInverted)
    }
    return rule
  }
}
