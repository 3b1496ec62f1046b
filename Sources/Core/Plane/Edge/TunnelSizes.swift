/// How large a packet fits through a stack of encapsulations. Layers add up, so that a nested stack (GRE in IPsec, say)
/// is one more element and not another formula.
package struct TunnelSizes: Equatable, Sendable {
  /// One encapsulation of the stack.
  package enum Layer: Equatable, Sendable {
    /// An outer IPv4 header without options (RFC 2003 section 3.1).
    case ipip
    /// An outer IPv4 header and the 4-byte GRE header (RFC 2784 section 2.1); the key is 4 more (RFC 2890 section 2).
    case gre(hasKey: Bool)
    /// ESP in tunnel mode (RFC 4303 section 3.1.2): what is inside is a whole IPv4 packet.
    case espTunnel(ESPEncapsulation)
    /// ESP in transport mode: behind the header of the packet that the layer above has made.
    case espTransport(ESPEncapsulation)

    /// Bytes of the largest packet that this layer takes, where `outer` bytes fit below it.
    package func largestInner(in outer: Int) -> Int {
      switch self {
      case .ipip: outer - 20
      case .gre(hasKey: false): outer - 24
      case .gre(hasKey: true): outer - 28
      case .espTunnel(let esp): esp.largestInner(.tunnel, in: outer)
      case .espTransport(let esp): esp.largestInner(.transport, in: outer)
      }
    }
  }

  /// Bytes of the largest inner packet.
  package let mtu: Int

  /// Every IPv4 host takes a datagram of 576 bytes whole (RFC 791 section 3.1, RFC 1122 section 3.3.3), and many senders
  /// use that size without asking. A smaller MTU would have to fragment what nobody expects to be fragmented, so below
  /// it the outer packet is the one that is cut.
  package static let minimumMTU = 576
  /// The total length of an IPv4 packet has 16 bits (RFC 791 section 3.1).
  package static let maximumMTU = 65_535
  /// Ethernet's MTU, for an underlay whose own is not known.
  package static let assumedUnderlayMTU = 1500
  /// IPv4 and TCP headers without options, which a maximum segment size does not count (RFC 6691 section 2).
  package static let segmentOverhead = 40

  /// - Parameters:
  ///   - layers: from the underlay inwards.
  ///   - operatorMTU: what the operator insists on; nil: the underlay's, less every layer's overhead.
  package init(underlayMTU: Int, layers: [Layer], operatorMTU: Int? = nil) {
    let computed = layers.reduce(underlayMTU) { $1.largestInner(in: $0) }
    mtu = min(max(operatorMTU ?? computed, Self.minimumMTU), Self.maximumMTU)
  }

  /// The largest TCP segment: what SYN packets are clamped to. Never below 536, since `mtu` is never below 576.
  package var mss: UInt16 { UInt16(clamping: mtu - Self.segmentOverhead) }
}
