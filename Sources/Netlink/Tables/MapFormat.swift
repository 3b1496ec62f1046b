internal import CMnl
internal import CNftnl

/// How the elements of a map of verdicts lie in messages: a key and a verdict each.
enum MapFormat {
  /// A page is one nested attribute, whose length is a UInt16. An element takes 48 bytes besides its key and its
  /// chain's name, which has at most 255 (NFT_NAME_MAXLEN).
  static let elementsPerPage = 200

  /// What nft(8) remembers of a set for itself, one TLV of it: NFTNL_UDATA_SET_KEYBYTEORDER (0) with BYTEORDER_HOST_ENDIAN
  /// (1). Without it nft would take names and marks for numbers in network order when it lists them.
  static let keyOrder: [UInt8] = [0, 4] + withUnsafeBytes(of: UInt32(1)) { Array($0) }

  static func write(_ elements: ArraySlice<NFTMapElement>, into message: UnsafeMutablePointer<nlmsghdr>) {
    nest(message, NFTA_SET_ELEM_LIST_ELEMENTS.rawValue) {
      for element in elements {
        nest(message, NFTA_LIST_ELEM.rawValue) {
          nest(message, NFTA_SET_ELEM_KEY.rawValue) {
            element.key.withUnsafeBytes {
              mnl_attr_put(message, UInt16(NFTA_DATA_VALUE.rawValue), $0.count, $0.baseAddress)
            }
          }
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

  private static func nest(_ message: UnsafeMutablePointer<nlmsghdr>, _ type: UInt32, _ body: () -> Void) {
    guard let start = mnl_attr_nest_start(message, UInt16(type)) else { return }
    body()
    mnl_attr_nest_end(message, start)
  }

  /// Calls `body` for each element of a NEWSETELEM message. False if it is malformed. Elements that are not ours have
  /// no verdict here: one for all other keys (`*`), one with a timeout, one that counts.
  static func read(_ message: Message, _ body: (_ key: [UInt8], NFTExpression.Verdict?) -> Void) -> Bool {
    guard let attributes = message.payload.dropping(MemoryLayout<nfgenmsg>.size) else { return false }
    var isGood = true
    let isWhole = attributes.forEachAttribute { type, list in
      guard UInt32(type) == NFTA_SET_ELEM_LIST_ELEMENTS.rawValue else { return }
      let listIsWhole = list.forEachAttribute { _, element in
        var key: [UInt8] = []
        var verdict: NFTExpression.Verdict?
        var isPlain = true
        let elementIsWhole = element.forEachAttribute { type, value in
          switch UInt32(type) {
          case NFTA_SET_ELEM_KEY.rawValue:
            value.forEachAttribute { type, data in
              if UInt32(type) == NFTA_DATA_VALUE.rawValue { key = data.array }
            }
          case NFTA_SET_ELEM_DATA.rawValue: verdict = NFTExpression.verdict(value)
          // What nft remembers for itself.
          case NFTA_SET_ELEM_USERDATA.rawValue, NFTA_SET_ELEM_PAD.rawValue: break
          default: isPlain = false
          }
        }
        isGood = isGood && elementIsWhole
        body(key, isPlain ? verdict : nil)
      }
      isGood = isGood && listIsWhole
    }
    return isGood && isWhole
  }
}

extension NFTSet.Key {
  /// TYPE_IFNAME and TYPE_MARK of nft(8), as `SetFormat.addressType`.
  var type: UInt32 {
    switch self {
    case .device: 41
    case .mark: 19
    }
  }

  var length: UInt32 {
    switch self {
    case .device: 16
    case .mark: 4
    }
  }
}

extension NFTSet.Kind {
  /// NFT_DATA_VERDICT, a macro that does not import.
  static let verdictType: UInt32 = 0xffff_ff00

  init(flags: UInt32, keyType: UInt32, keyLength: UInt32, dataType: UInt32?) {
    func has(_ type: UInt32, _ length: UInt32) -> Bool { keyType == type && keyLength == length }
    switch (flags, dataType) {
    case (UInt32(NFT_SET_INTERVAL.rawValue), nil) where has(SetFormat.addressType, 4): self = .addressRanges
    case (UInt32(NFT_SET_MAP.rawValue), Self.verdictType):
      let key = [NFTSet.Key.device, .mark].first { has($0.type, $0.length) }
      self = key.map { .verdicts($0) } ?? .other
    default: self = .other
    }
  }
}
