#pragma once
/* An event loop on one thread. These headers are in no module of Glibc's. */
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/* ppoll needs _GNU_SOURCE. Waits until one of the two can be read, at most so many nanoseconds; less than 0: without end. A
   descriptor less than 0 is left out. Returns 1 for the first plus 2 for the second; 0 where the time is over or a signal
   came. */
int linux_wait(int first, int second, int64_t nanoseconds);

/* strerror is not thread-safe and strerrordesc_np needs _GNU_SOURCE. Never null: an unknown number gives "unknown error". */
const char *linux_error_text(int error);

/* sched_setscheduler's SCHED_RESET_ON_FORK needs _GNU_SOURCE. SCHED_FIFO at `priority` for the calling thread alone.
   0, or -1 and errno (EPERM without CAP_SYS_NICE). */
int linux_thread_realtime(int priority);

/* setpriority takes an enum under _GNU_SOURCE and wants the thread's number, for which gettid is not visible. The nice
   value of the calling thread alone. 0, or -1 and errno. */
int linux_thread_nice(int nice);

/* Runs body(argument) on a new detached thread with this name (15 bytes are kept) and stack size. Every signal but those
   that a fault of its own raises is blocked, so that SIGTERM and friends go to the thread that expects them. In C because
   sigset_t is changed by macros and the name needs _GNU_SOURCE, and because Transfer and System both need it. 0 or an
   errno. */
int linux_thread_start(const char *name, size_t stack, void (*body)(void *), void *argument);
