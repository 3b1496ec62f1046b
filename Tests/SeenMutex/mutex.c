/* Swift's Mutex, as ThreadSanitizer can see it. Where nobody holds one, it is taken by an atomic operation in the caller's
   own code, which is instrumented; where somebody does, by the kernel (FUTEX_LOCK_PI) in libswiftSynchronization, which is
   not, and what the holders before have written looks like a race. This takes that function's place in the test program and
   waits with atomic operations. The kernel then never knows of a waiter, so that unlocking needs none of it either.

   Swift 6.3, stdlib/public/Synchronization/Mutex/LinuxImpl.swift: the handle is one word, 0 or the holder's thread. */
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define HANDLE __attribute__((swift_context)) _Atomic(uint32_t) *handle

__attribute__((swiftcall)) void seen_mutex_lock(uint32_t me, HANDLE)
  __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");

__attribute__((swiftcall)) void seen_mutex_lock(uint32_t me, HANDLE) {
  uint32_t nobody;
  do {
    sched_yield();
    nobody = 0;
  } while (!atomic_compare_exchange_weak_explicit(handle, &nobody, me, memory_order_acquire, memory_order_relaxed));
}
