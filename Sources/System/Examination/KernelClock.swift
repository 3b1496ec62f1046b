internal import CLinux
package import Core

/// Whether anything keeps the kernel's clock right.
package enum KernelClock {
  /// Asks the kernel by adjtimex(2), which takes no rights where nothing is set.
  package static func condition() throws(SystemCallFailure) -> ClockCondition {
    var isSynchronised: Int32 = 0
    var error: Int64 = 0
    guard linux_clock_condition(&isSynchronised, &error) == 0 else { throw SystemCallFailure.last("adjtimex") }
    return ClockCondition(isSynchronised: isSynchronised != 0, maximumError: .microseconds(error))
  }
}
