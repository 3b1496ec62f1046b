internal import CLinux

/// What was freed and is still the process's.
package enum FreedMemory {
  /// Of a thousand paths' rule set some 15 MB, once it is read, compared and put into the kernel. Takes a millisecond or two.
  package static func giveBack() { linux_give_memory_back() }
}
