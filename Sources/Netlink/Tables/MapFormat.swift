internal import CMnl
internal import CNftnl

/// How the elements of a map of verdicts lie in messages: a key and a verdict each.
enum MapFormat {
  /// A page is one nested attribute, whose length is a UInt16. An element takes 40 bytes besides its keys, which are two of
  /// 64 bytes at most, and its chain's name of 255 (NFT_NAME_MAXLEN): 150 of 424 bytes are 63,600.
  static let elementsPerPage = 150

  /// What nft(8) remembers of a set for itself, one TLV of it: NFTNL_UDATA_SET_KEYBYTEORDER (0) with BYTEORDER_HOST_ENDIAN
  /// (1). Without it nft would take names and marks for numbers in network order when it lists them.
  static let keyOrder: [UInt8] = [0, 4] + withUnsafeBytes(of: UInt32(1)) { Array($0) }

  static func write(_ elements: ArraySlice<NFTMapElement>, into message: UnsafeMutablePointer<nlmsghdr>) {
    nest(message, NFTA_SET_ELEM_LIST_ELEMENTS.rawValue) {
      for element in elements {
        nest(message, NFTA_LIST_ELEM.rawValue) {
          put(message, NFTA_SET_ELEM_KEY.rawValue, element.key)
          if let last = element.last { put(message, NFTA_SET_ELEM_KEY_END.rawValue, last) }
          nest(message, NFTA_SET_ELEM_DATA.rawValue) {
            nest(message, NFTA_DATA_VERDICT.rawValue) {
              let code = UInt32(bitPattern: element.verdict.number)
              mnl_attr_put_u32(message, UInt16(NFTA_VERDICT_CODE.rawValue), code.bigEndian)
              if let chain = element.verdict.chain {
                mnl_attr_put_strz(message, UInt16(NFTA_VERDICT_CHAIN.rawValue), chain)
              }
            }
          }
        }
      }
    }
  }

  private static func put(_ message: UnsafeMutablePointer<nlmsghdr>, _ type: UInt32, _ key: [UInt8]) {
    nest(message, type) {
      key.withUnsafeBytes { mnl_attr_put(message, UInt16(NFTA_DATA_VALUE.rawValue), $0.count, $0.baseAddress) }
    }
  }

  private static func nest(_ message: UnsafeMutablePointer<nlmsghdr>, _ type: UInt32, _ body: () -> Void) {
    guard let start = mnl_attr_nest_start(message, UInt16(type)) else { return }
    body()
    mnl_attr_nest_end(message, start)
  }

  /// Calls `body` for each element of a NEWSETELEM message. False if it is malformed. Elements that are not ours have
  /// no verdict here: one for all other keys (`*`), one with a timeout, one that counts.
  static func read(_ message: Message, _ body: (NFTListedElement) -> Void) -> Bool {
    guard let attributes = message.payload.dropping(MemoryLayout<nfgenmsg>.size) else { return false }
    var isGood = true
    let isWhole = attributes.forEachAttribute { type, list in
      guard UInt32(type) == NFTA_SET_ELEM_LIST_ELEMENTS.rawValue else { return }
      let listIsWhole = list.forEachAttribute { _, element in
        var found = NFTListedElement(key: [])
        var isPlain = true
        let elementIsWhole = element.forEachAttribute { type, value in
          switch UInt32(type) {
          case NFTA_SET_ELEM_KEY.rawValue: found.key = data(value) ?? []
          case NFTA_SET_ELEM_KEY_END.rawValue: found.last = data(value) ?? []
          case NFTA_SET_ELEM_DATA.rawValue: found.verdict = NFTExpression.verdict(value)
          // What nft remembers for itself.
          case NFTA_SET_ELEM_USERDATA.rawValue, NFTA_SET_ELEM_PAD.rawValue: break
          default: isPlain = false
          }
        }
        isGood = isGood && elementIsWhole
        if !isPlain { found.verdict = nil }
        body(found)
      }
      isGood = isGood && listIsWhole
    }
    return isGood && isWhole
  }

  private static func data(_ value: Bytes) -> [UInt8]? {
    var bytes: [UInt8]?
    value.forEachAttribute { type, data in
      if UInt32(type) == NFTA_DATA_VALUE.rawValue { bytes = data.array }
    }
    return bytes
  }
}

extension NFTSet.Key {
  /// TYPE_IFNAME and TYPE_MARK of nft(8), as `SetFormat.addressType`.
  var type: UInt32 {
    switch self {
    case .device: 41
    case .mark, .fewMarks: 19
    case .concatenation(let fields): NFTConcatenation(fields).keyType
    }
  }

  var length: UInt32 {
    switch self {
    case .device: 16
    case .mark, .fewMarks: 4
    case .concatenation(let fields): NFTConcatenation(fields).keyLength
    }
  }

  /// NFT_SET_….
  var flags: UInt32 {
    switch self {
    case .device, .mark, .fewMarks: NFT_SET_MAP.rawValue
    case .concatenation: NFT_SET_MAP.rawValue | NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue
    }
  }

  /// What nft(8) is to remember.
  var userData: [UInt8] {
    switch self {
    case .device, .mark, .fewMarks: MapFormat.keyOrder
    case .concatenation(let fields): NFTConcatenation(fields).userData
    }
  }

  /// The bytes of each field, where there are several.
  var lengths: [UInt32] {
    switch self {
    case .device, .mark, .fewMarks: []
    case .concatenation(let fields): NFTConcatenation(fields).lengths
    }
  }

  /// The most elements that the table is made for; nil: it grows.
  var most: UInt32? { self == .fewMarks ? NFTSet.fewMarks : nil }
}

extension NFTSet.Kind {
  /// NFT_DATA_VERDICT, a macro that does not import.
  static let verdictType: UInt32 = 0xffff_ff00

  /// - Parameters:
  ///   - most: how many elements it is made for, if that is said.
  ///   - lengths: the bytes of each field of a concatenated key.
  ///   - concatenation: what its user data says.
  init(
    flags: UInt32, keyType: UInt32, keyLength: UInt32, dataType: UInt32?, most: UInt32? = nil, lengths: [UInt32] = [],
    concatenation: NFTConcatenation? = nil
  ) {
    if (flags, dataType) == (NFT_SET_INTERVAL.rawValue, nil) {
      self = (keyType, keyLength) == (SetFormat.addressType, 4) ? .addressRanges : .other
      return
    }
    if (flags, dataType) == (NFT_SET_TIMEOUT.rawValue, nil) {
      self = (keyType, keyLength) == (SetFormat.addressType, 4) ? .expiringAddresses : .other
      return
    }
    let keys = [NFTSet.Key.device, .mark, .fewMarks] + (concatenation.map { [.concatenation($0.fields)] } ?? [])
    let key = keys.first {
      (flags, keyType, keyLength, lengths) == ($0.flags, $0.type, $0.length, $0.lengths)
        && ($0.flags != NFT_SET_MAP.rawValue || most == $0.most)
    }
    guard dataType == Self.verdictType, let key else {
      self = .other
      return
    }
    self = .verdicts(key)
  }
}
