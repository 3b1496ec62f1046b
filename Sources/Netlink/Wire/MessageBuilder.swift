internal import CMnl
internal import Glibc

/// Writes netlink messages, one after the other, into one datagram. Every put is checked against the room that is left;
/// what did not fit is remembered and thrown by `finish`, so that a cut-off message is never sent.
struct MessageBuilder: ~Copyable {
  private let buffer: UnsafeMutableRawBufferPointer
  private var start = 0
  private(set) var overflowed = false
  private(set) var count = 0

  /// Enough for any one message of ours that is no nftables page.
  static let ordinaryCapacity = 4096

  init(capacity: Int = ordinaryCapacity) {
    buffer = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Starts the next message.
  mutating func begin(type: Int, flags: Int32, sequence: UInt32) {
    start = size
    guard buffer.count - start >= MemoryLayout<nlmsghdr>.size, let base = buffer.baseAddress,
      let header = mnl_nlmsg_put_header(base + start)
    else {
      overflowed = true
      return
    }
    header.pointee.nlmsg_type = UInt16(type)
    header.pointee.nlmsg_flags = UInt16(flags | NLM_F_REQUEST)
    header.pointee.nlmsg_seq = sequence
    count += 1
  }

  /// Bytes written, up to where a next message starts.
  var size: Int {
    guard count > 0, let message = current else { return 0 }
    return start + (Int(message.pointee.nlmsg_len) + 3) & ~3
  }

  private var current: UnsafeMutablePointer<nlmsghdr>? {
    guard let base = buffer.baseAddress, buffer.count - start >= MemoryLayout<nlmsghdr>.size else { return nil }
    return (base + start).assumingMemoryBound(to: nlmsghdr.self)
  }

  /// The family's fixed header (rtmsg, ifinfomsg, …), by value.
  mutating func header<T: BitwiseCopyable>(_ value: T) {
    guard let message = current, !overflowed,
      Int(message.pointee.nlmsg_len) + (MemoryLayout<T>.size + 3) & ~3 <= buffer.count - start,
      let place = mnl_nlmsg_put_extra_header(message, MemoryLayout<T>.size)
    else {
      overflowed = true
      return
    }
    place.storeBytes(of: value, as: T.self)
  }

  mutating func put(_ type: Int, bytes: UnsafeRawBufferPointer) {
    // nla_len is a UInt16.
    guard let message = current, !overflowed, bytes.count <= Int(UInt16.max) - MemoryLayout<nlattr>.size,
      mnl_attr_put_check(message, buffer.count - start, UInt16(type), bytes.count, bytes.baseAddress)
    else {
      overflowed = true
      return
    }
  }

  /// An integer as it lies in memory: rtnetlink's own are in host order.
  mutating func put<T: BitwiseCopyable>(_ type: Int, _ value: T) {
    withUnsafeBytes(of: value) { put(type, bytes: $0) }
  }

  /// nfnetlink's integers are in network order.
  mutating func put(_ type: Int, bigEndian value: UInt32) { put(type, value.bigEndian) }

  /// With the NUL at its end.
  mutating func put(_ type: Int, string: String) {
    var copy = string
    copy.append("\0")
    copy.withUTF8 { put(type, bytes: UnsafeRawBufferPointer($0)) }
  }

  mutating func nested(_ type: Int, _ body: (inout MessageBuilder) -> Void) {
    guard let message = current, !overflowed,
      let nest = mnl_attr_nest_start_check(message, buffer.count - start, UInt16(type))
    else {
      overflowed = true
      return
    }
    body(&self)
    mnl_attr_nest_end(message, nest)
  }

  /// The datagram. Valid as long as the builder is.
  borrowing func finish(_ operation: @autoclosure () -> String) throws(NetlinkFailure) -> UnsafeRawBufferPointer {
    guard !overflowed else { throw NetlinkFailure(operation: operation(), errno: EMSGSIZE) }
    return UnsafeRawBufferPointer(rebasing: buffer[..<size])
  }
}
