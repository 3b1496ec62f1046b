internal import CLinux

/// What was freed and is still the process's.
package enum FreedMemory {
  /// With a thousand paths some 15 MB once their rule set has been read and put into the kernel, and 4 MB after each
  /// look. Takes a millisecond or two.
  @Sendable package static func giveBack() { linux_give_memory_back() }
}
