internal import CMnl
internal import CNftnl

/// One field of a concatenated key. In registers and messages each takes whole words of 32 bits.
package enum NFTField: CaseIterable, Hashable, Sendable {
  /// The protocol that the link header names, in network order.
  case etherType
  /// The Ethernet source.
  case sender
  /// Of the IPv4 header.
  case source, destination, `protocol`
  /// Where TCP and UDP have it.
  case destinationPort

  /// The most that a key may fill: the words of all registers (NFT_REG32_COUNT).
  static let mostWords = 16

  /// Bytes.
  package var length: Int {
    switch self {
    case .protocol: 1
    case .etherType, .destinationPort: 2
    case .source, .destination: 4
    case .sender: 6
    }
  }

  /// Of registers, and of 32 bits each.
  package var words: Int { (length + 3) / 4 }

  /// TYPE_… of nft(8), as `SetFormat.addressType`.
  var type: UInt32 {
    switch self {
    case .etherType: 10
    case .sender: 9
    case .source, .destination: 7
    case .protocol: 12
    case .destinationPort: 13
    }
  }

  /// As nft(8) would load it.
  var name: String {
    switch self {
    case .etherType: "meta protocol"
    case .sender: "ether saddr"
    case .source: "ip saddr"
    case .destination: "ip daddr"
    case .protocol: "ip protocol"
    case .destinationPort: "th dport"
    }
  }

  /// Loads it into register 1.
  private var load: NFTExpression {
    switch self {
    case .etherType: .meta(.etherType)
    case .sender: .payload(.link, offset: 6, length: 6)
    case .source: .payload(.network, offset: 12, length: 4)
    case .destination: .payload(.network, offset: 16, length: 4)
    case .protocol: .payload(.network, offset: 9, length: 1)
    case .destinationPort: .payload(.transport, offset: 2, length: 2)
    }
  }

  /// Loads them one behind the other.
  package static func load(_ fields: [NFTField]) -> [NFTExpression] {
    var word = 0
    return fields.map { field in
      defer { word += field.words }
      return word == 0 ? field.load : .further(field.load, word: word)
    }
  }
}

/// How a concatenated key is described to the kernel and to nft(8).
struct NFTConcatenation: Equatable {
  let fields: [NFTField]

  /// The words of all fields, in bytes.
  var keyLength: UInt32 { UInt32(fields.reduce(0) { $0 + $1.words } * 4) }

  /// Each field's bytes (NFTA_SET_DESC_CONCAT).
  var lengths: [UInt32] { fields.map { UInt32($0.length) } }

  /// Six bits for each field, as nft(8) finds them (TYPE_BITS), in a number of 32.
  var keyType: UInt32 { fields.reduce(0) { $0 << 6 | $1.type } }

  /// What has room in that number.
  static let mostFields = 5

  /// What nft(8) remembers of a set for itself: here a comment which names the fields. It says to people what nft cannot, and
  /// to us which fields they are.
  var userData: [UInt8] { StoredComment.encode(comment, type: Self.commentType) }

  private var comment: String { fields.map(\.name).joined(separator: " . ") }

  /// NFTNL_UDATA_SET_COMMENT, which the library keeps to itself.
  private static let commentType: UInt8 = 7

  init(_ fields: [NFTField]) { self.fields = fields }

  /// Nil if it has no comment that we write. Where nft(8) has loaded what it had listed, it remembers more beside that.
  init?(userData: Bytes) {
    let comment = StoredComment.decode(userData, type: Self.commentType)
    let names = comment.split(separator: ".").map { $0.split(separator: " ") }
    let fields = names.compactMap { name in NFTField.allCases.first { $0.name.split(separator: " ") == name } }
    self.init(fields)
    guard (2...Self.mostFields).contains(fields.count), self.comment == comment else { return nil }
  }
}

/// What NFTA_SET_DESC says of a set or map.
struct SetDescription {
  /// The bytes of each field of a concatenated key.
  private(set) var lengths: [UInt32] = []
  /// How many elements it is made for, if that is said.
  private(set) var most: UInt32?

  init() {}

  init(_ description: Bytes) {
    description.forEachAttribute { type, value in
      switch UInt32(type) {
      case NFTA_SET_DESC_SIZE.rawValue: most = value.bigEndian
      case NFTA_SET_DESC_CONCAT.rawValue:
        value.forEachAttribute { _, field in
          field.forEachAttribute { type, value in
            if UInt32(type) == NFTA_SET_FIELD_LEN.rawValue { lengths.append(value.bigEndian ?? 0) }
          }
        }
      default: break
      }
    }
  }
}
