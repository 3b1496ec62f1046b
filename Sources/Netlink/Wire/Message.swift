internal import CMnl

/// One received message, as a view of the receive buffer. Every length in it was checked against the buffer.
struct Message {
  let type: UInt16
  let flags: UInt16
  let sequence: UInt32
  let port: UInt32
  /// What follows the netlink header.
  let payload: Bytes

  /// Calls `body` for each message of a datagram. False if a length in it is wrong; the messages before that were good.
  static func forEach<E: Error>(
    in datagram: UnsafeRawBufferPointer, _ body: (Message) throws(E) -> Void
  ) throws(E) -> Bool {
    let headerSize = MemoryLayout<nlmsghdr>.size
    var rest = datagram
    while !rest.isEmpty {
      guard rest.count >= headerSize else { return false }
      let header = rest.loadUnaligned(as: nlmsghdr.self)
      let length = Int(header.nlmsg_len)
      guard length >= headerSize, length <= rest.count else { return false }
      try body(
        Message(
          type: header.nlmsg_type, flags: header.nlmsg_flags, sequence: header.nlmsg_seq, port: header.nlmsg_pid,
          payload: Bytes(UnsafeRawBufferPointer(rebasing: rest[headerSize..<length]))))
      // The kernel may leave out the padding after the last message.
      rest = UnsafeRawBufferPointer(rebasing: rest[min((length + 3) & ~3, rest.count)...])
    }
    return true
  }

  func has(_ flag: Int32) -> Bool { flags & UInt16(truncatingIfNeeded: flag) != 0 }

  /// The errno of an NLMSG_ERROR or NLMSG_DONE: 0 is an acknowledgement. Nil if it is too short.
  var errorNumber: Int32? {
    guard let code = payload.load(Int32.self), code != .min else { return nil }
    return code < 0 ? -code : code
  }

  /// NLMSGERR_ATTR_MSG of an NLMSG_ERROR.
  var extendedText: String? {
    guard has(NLM_F_ACK_TLVS), let inner = payload.load(nlmsghdr.self, at: 4) else { return nil }
    var offset = MemoryLayout<nlmsgerr>.size
    if !has(NLM_F_CAPPED) { offset += max(0, Int(inner.nlmsg_len) - MemoryLayout<nlmsghdr>.size) }
    var text: String?
    payload.dropping((offset + 3) & ~3)?.forEachAttribute { type, value in
      if Int(type) == Int(NLMSGERR_ATTR_MSG.rawValue) { text = value.string }
    }
    return text
  }
}

/// Bytes of a message or attribute; every read is checked.
struct Bytes {
  let raw: UnsafeRawBufferPointer

  init(_ raw: UnsafeRawBufferPointer) { self.raw = raw }

  var count: Int { raw.count }

  /// Nil if the bytes end before the value does.
  func load<T: BitwiseCopyable>(_: T.Type, at offset: Int = 0) -> T? {
    guard offset >= 0, raw.count - offset >= MemoryLayout<T>.size else { return nil }
    return raw.loadUnaligned(fromByteOffset: offset, as: T.self)
  }

  /// A 32-bit number in network order, as nfnetlink writes them all.
  var bigEndian: UInt32? { load(UInt32.self).map { UInt32(bigEndian: $0) } }

  /// Up to the first NUL or the end; the kernel's NUL is not trusted.
  var string: String { String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self) }

  var array: [UInt8] { Array(raw) }

  var isZero: Bool { raw.allSatisfy { $0 == 0 } }

  func dropping(_ count: Int) -> Bytes? {
    guard count >= 0, count <= raw.count else { return nil }
    return Bytes(UnsafeRawBufferPointer(rebasing: raw[count...]))
  }

  /// Calls `body` for each attribute (type without its flag bits, payload). False if a length is wrong.
  @discardableResult
  func forEachAttribute(_ body: (UInt16, Bytes) -> Void) -> Bool {
    let headerSize = MemoryLayout<nlattr>.size
    var rest = raw
    while !rest.isEmpty {
      guard rest.count >= headerSize else { return false }
      let header = rest.loadUnaligned(as: nlattr.self)
      let length = Int(header.nla_len)
      guard length >= headerSize, length <= rest.count else { return false }
      // NLA_F_NESTED and NLA_F_NET_BYTEORDER are the two top bits (linux/netlink.h).
      body(header.nla_type & 0x3fff, Bytes(UnsafeRawBufferPointer(rebasing: rest[headerSize..<length])))
      rest = UnsafeRawBufferPointer(rebasing: rest[min((length + 3) & ~3, rest.count)...])
    }
    return true
  }
}
