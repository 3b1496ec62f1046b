internal import CLinux
internal import Glibc

/// An exchange with charon that failed: what was asked, of which socket, and what came back. Its text holds names and
/// charon's own words, but never a value from a request.
package struct VICIFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What came back, or why nothing did.
  package enum Cause: Equatable, Sendable {
    /// The answer has `success = no`; this is its `errmsg`, empty if there is none.
    case refused(String)
    /// charon has no such command: the plugin that brings it is not loaded, or this charon is too old.
    case unknownCommand
    case unknownEvent(String)
    /// Our own request cannot be written. Nothing was sent.
    case unencodable(VICIFault)
    case timedOut
    /// charon closed the connection.
    case closed
    case system(call: String, errno: Int32)
    /// The packet that came breaks the format at this byte.
    case malformed(VICIFault, at: Int)
    /// A packet that does not answer what was asked, by its name in the README.
    case unexpected(packet: String)
    /// The session has failed before, and a late answer would be mistaken for this request's.
    case broken
    /// The address is no Unix socket's path.
    case unusableAddress
  }

  /// `vici load-conn`
  package var operation: String
  package var socketPath: String
  package var cause: Cause

  package init(operation: String, socketPath: String, cause: Cause) {
    self.operation = operation
    self.socketPath = socketPath
    self.cause = cause
  }

  /// For code that does not know what was asked; `asked` adds it later.
  init(_ cause: Cause) { self.init(operation: "vici", socketPath: "", cause: cause) }

  /// What the C library left in `errno`; to be called right after the call that failed.
  static func last(_ call: String) -> VICIFailure { VICIFailure(.system(call: call, errno: errno)) }

  func asked(_ operation: String, of path: String) -> VICIFailure {
    VICIFailure(operation: operation, socketPath: path, cause: cause)
  }
}

extension VICIFailure {
  /// charon is not there, or has gone.
  package var isGone: Bool {
    switch cause {
    case .closed: true
    case .system(_, let errno): [ENOENT, ENOTDIR, ECONNREFUSED].contains(errno)
    case .refused, .unknownCommand, .unknownEvent, .unencodable, .timedOut, .malformed, .unexpected, .broken,
      .unusableAddress:
      false
    }
  }

  package var isTimeout: Bool { cause == .timedOut }

  /// Why charon refused, in its own words.
  package var refusal: String? { if case .refused(let text) = cause { text } else { nil } }

  /// Whether the session has become useless. A refusal is an answer, and a request that was never sent has no answer to
  /// wait for.
  package var breaksSession: Bool {
    switch cause {
    case .refused, .unknownCommand, .unknownEvent, .unencodable: false
    case .timedOut, .closed, .system, .malformed, .unexpected, .broken, .unusableAddress: true
    }
  }

  package var description: String { "\(operation)\(socketPath.isEmpty ? "" : " at \(socketPath)"): \(causeText)" }

  private var causeText: String {
    switch cause {
    case .refused(let text): text.isEmpty ? "charon refused and did not say why" : "charon refused: \(text)"
    case .unknownCommand: "charon has no such command"
    case .unknownEvent(let name): "charon has no event \(name)"
    case .unencodable(let fault): "cannot be asked: \(fault)"
    case .timedOut: "charon did not answer in time"
    case .closed: "charon closed the connection"
    case .system(let call, let errno): "\(call): \(String(cString: linux_error_text(errno))) (errno \(errno))"
    case .malformed(let fault, let offset): "charon sent a malformed packet: \(fault), at byte \(offset)"
    case .unexpected(let packet): "charon answered with \(packet)"
    case .broken: "the session has already failed"
    case .unusableAddress: "a socket's path begins with / and has 107 bytes at most"
    }
  }
}

/// What is wrong with bytes that were received, or with a message to be sent.
package enum VICIFault: Equatable, Sendable, CustomStringConvertible {
  case cutOff
  case unknownElement(UInt8)
  case sectionEndOutsideSection
  case sectionNotClosed
  case sectionInList
  case listInList
  case listNotClosed
  case listEndOutsideList
  case itemOutsideList
  case keyInList
  case duplicateName
  case badName
  case nameTooLong(Int)
  case valueTooLong(of: String, Int)
  case tooDeep
  case tooManyElements
  case unknownPacket(UInt8)
  case trailing
  case emptyPacket
  case packetTooLong(Int)

  package var description: String {
    switch self {
    case .cutOff: "it is cut off"
    case .unknownElement(let number): "an element of unknown type \(number)"
    case .sectionEndOutsideSection: "the end of a section that never began"
    case .sectionNotClosed: "a section without its end"
    case .sectionInList: "a section within a list"
    case .listInList: "a list within a list"
    case .listNotClosed: "a list without its end"
    case .listEndOutsideList: "the end of a list that never began"
    case .itemOutsideList: "an item outside of a list"
    case .keyInList: "a key within a list"
    case .duplicateName: "the same name twice in one section"
    case .badName: "a name that is not printable text"
    case .nameTooLong(let count): "a name of \(count) bytes, but the limit is \(VICIName.maximumLength)"
    case .valueTooLong(let name, let count): "a value of \(name) of \(count) bytes, but the limit is \(UInt16.max)"
    case .tooDeep: "more than \(VICIMessage.maximumDepth) nested sections"
    case .tooManyElements: "more than \(VICIMessage.maximumElements) elements"
    case .unknownPacket(let number): "a packet of unknown type \(number)"
    case .trailing: "bytes after its end"
    case .emptyPacket: "a packet of no bytes"
    case .packetTooLong(let count): "a packet of \(count) bytes, but the limit is \(VICIFrames.maximumLength)"
    }
  }
}
