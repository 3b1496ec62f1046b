internal import CMnl
internal import CNftnl

/// How a range of IPv4 addresses lies in messages: a start element, and an end element one past it that has the flag
/// NFT_SET_ELEM_INTERVAL_END. A range up to 255.255.255.255 has no end.
enum SetFormat {
  /// TYPE_IPADDR of nft(8): what it calls the key's type when it lists the set. In no public header.
  static let addressType: UInt32 = 7

  /// A page is one nested attribute, whose length is a UInt16: 1,600 ranges of 40 bytes are 64,000.
  static let rangesPerPage = 1600

  private static let nestedFlag: UInt16 = 0x8000
  private static let keySize = 16
  private static let endSize = 24

  static func write(_ ranges: ArraySlice<ClosedRange<UInt32>>, into message: UnsafeMutablePointer<nlmsghdr>) {
    guard let list = mnl_attr_nest_start(message, UInt16(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue)) else { return }
    var place = UnsafeMutableRawPointer(message) + (Int(message.pointee.nlmsg_len) + 3) & ~3
    let start = place
    for range in ranges {
      element(at: &place, range.lowerBound, isEnd: false)
      let (end, overflow) = range.upperBound.addingReportingOverflow(1)
      if !overflow { element(at: &place, end, isEnd: true) }
    }
    message.pointee.nlmsg_len += UInt32(place - start)
    mnl_attr_nest_end(message, list)
  }

  /// Single addresses, in a set without ranges.
  static func write(_ addresses: ArraySlice<UInt32>, into message: UnsafeMutablePointer<nlmsghdr>) {
    guard let list = mnl_attr_nest_start(message, UInt16(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue)) else { return }
    var place = UnsafeMutableRawPointer(message) + (Int(message.pointee.nlmsg_len) + 3) & ~3
    let start = place
    for address in addresses { element(at: &place, address, isEnd: false) }
    message.pointee.nlmsg_len += UInt32(place - start)
    mnl_attr_nest_end(message, list)
  }

  private static func element(at place: inout UnsafeMutableRawPointer, _ key: UInt32, isEnd: Bool) {
    func attribute(_ offset: Int, _ length: Int, _ type: UInt32, nested: Bool = false) {
      let header = nlattr(nla_len: UInt16(length), nla_type: UInt16(type) | (nested ? nestedFlag : 0))
      place.storeBytes(of: header, toByteOffset: offset, as: nlattr.self)
    }
    let size = isEnd ? endSize : keySize
    attribute(0, size, NFTA_LIST_ELEM.rawValue, nested: true)
    attribute(4, 12, NFTA_SET_ELEM_KEY.rawValue, nested: true)
    attribute(8, 8, NFTA_DATA_VALUE.rawValue)
    place.storeBytes(of: key.bigEndian, toByteOffset: 12, as: UInt32.self)
    if isEnd {
      attribute(16, 8, NFTA_SET_ELEM_FLAGS.rawValue)
      place.storeBytes(of: UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue).bigEndian, toByteOffset: 20, as: UInt32.self)
    }
    place += size
  }

  /// Calls `body` with each element of a NEWSETELEM message; the key is nil if it is not one that we write. False if
  /// the message is malformed.
  static func read(_ message: Message, _ body: (_ key: UInt32?, _ isEnd: Bool) -> Void) -> Bool {
    guard let attributes = message.payload.dropping(MemoryLayout<nfgenmsg>.size) else { return false }
    var isGood = true
    let isWhole = attributes.forEachAttribute { type, list in
      guard UInt32(type) == NFTA_SET_ELEM_LIST_ELEMENTS.rawValue else { return }
      let listIsWhole = list.forEachAttribute { _, element in
        var key: UInt32?
        var flags: UInt32 = 0
        var isPlain = true
        let elementIsWhole = element.forEachAttribute { type, value in
          switch UInt32(type) {
          case NFTA_SET_ELEM_KEY.rawValue:
            value.forEachAttribute { type, data in
              if UInt32(type) == NFTA_DATA_VALUE.rawValue && data.count == 4 { key = data.bigEndian }
            }
          case NFTA_SET_ELEM_FLAGS.rawValue: flags = value.bigEndian ?? 0
          // What nft remembers for itself, and how long it lives, which only elements of sets that expire tell.
          case NFTA_SET_ELEM_USERDATA.rawValue, NFTA_SET_ELEM_PAD.rawValue, NFTA_SET_ELEM_TIMEOUT.rawValue,
            NFTA_SET_ELEM_EXPIRATION.rawValue:
            break
          default: isPlain = false
          }
        }
        isGood = isGood && elementIsWhole
        body(isPlain ? key : nil, flags & UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue) != 0)
      }
      isGood = isGood && listIsWhole
    }
    return isGood && isWhole
  }

  /// Pairs starts and ends, in whatever order the kernel told them.
  static func ranges(starts: [UInt32], ends: [UInt32]) -> [ClosedRange<UInt32>] {
    let starts = starts.sorted()
    let ends = ends.sorted()
    var ranges: [ClosedRange<UInt32>] = []
    ranges.reserveCapacity(starts.count)
    var end = 0
    for (index, start) in starts.enumerated() {
      // The same start twice is one range; also, 0 has nothing before it.
      if index + 1 < starts.count && starts[index + 1] == start { continue }
      while end < ends.count && ends[end] <= start { end += 1 }
      // A start without an end goes up to the next start, or to the last address.
      let limit = index + 1 < starts.count ? starts[index + 1] - 1 : UInt32.max
      let last = end < ends.count ? min(ends[end] - 1, limit) : limit
      if start <= last { ranges.append(start...last) }
    }
    return ranges
  }
}
