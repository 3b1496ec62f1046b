package import Agent
internal import CLinux

/// An event loop that also reports when a descriptor is ready.
package protocol DescriptorWatcher: EventLoop {
  /// Calls `handler` on the loop each time the descriptor is ready, as long as it is (level-triggered), until
  /// `unwatch`. A second call replaces readiness and handler. Callable from the loop only.
  func watch(
    _ descriptor: Int32, for readiness: Readiness, _ patience: Patience,
    _ handler: @escaping @Sendable (Readiness) -> Void
  ) throws(SystemCallFailure)
  /// To be called before the descriptor is closed. One that is not watched is ignored. Callable from the loop only.
  func unwatch(_ descriptor: Int32)
}

/// How soon a ready descriptor is looked at.
package enum Patience: Sendable {
  /// At once.
  case none
  /// At once, but then not again for half a millisecond to 5 ms, depending on how many descriptors have patience, and
  /// always before any timer that is due. Where a thousand answers a second arrive on many descriptors, a wake-up for
  /// each would cost more than handling it.
  case aWhile
}

extension DescriptorWatcher {
  /// Watches without patience.
  package func watch(
    _ descriptor: Int32, for readiness: Readiness, _ handler: @escaping @Sendable (Readiness) -> Void
  ) throws(SystemCallFailure) {
    try watch(descriptor, for: readiness, .none, handler)
  }
}

/// What a descriptor is ready for.
package struct Readiness: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let readable = Readiness(rawValue: 1)
  package static let writable = Readiness(rawValue: 2)
  /// It has an error, or the other side hung up. Always reported, asked for or not.
  package static let broken = Readiness(rawValue: 4)
}

extension Readiness {
  init(bits: UInt32) {
    var value: Readiness = []
    if bits & EPOLLIN.rawValue != 0 { value.insert(.readable) }
    if bits & EPOLLOUT.rawValue != 0 { value.insert(.writable) }
    if bits & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { value.insert(.broken) }
    self = value
  }

  var bits: UInt32 {
    (contains(.readable) ? EPOLLIN.rawValue : 0) | (contains(.writable) ? EPOLLOUT.rawValue : 0)
  }
}
