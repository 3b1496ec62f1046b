internal import Agent
internal import Netlink

extension KernelFailure {
  /// `operation` nil: what the failure itself names, as for one rule of a transaction.
  init(_ failure: NetlinkFailure, operation: String? = nil) {
    self.init(operation: operation ?? failure.operation, errno: failure.errno, cause: failure.cause)
  }
}

/// Runs netlink calls and says, of what they throw, which operation it was.
func asking<R: ~Copyable>(
  _ operation: @autoclosure () -> String?, _ body: () throws(NetlinkFailure) -> R
) throws(KernelFailure) -> R {
  do throws(NetlinkFailure) { return try body() } catch { throw KernelFailure(error, operation: operation()) }
}

extension NetlinkFailure {
  /// A step that would touch another program's object.
  static func foreign(_ what: String) -> NetlinkFailure {
    NetlinkFailure(operation: what, errno: 0, kernelText: "\(what) is not ours: left alone")
  }
}
