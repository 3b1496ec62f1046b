#pragma once
/* An event loop on one thread. These headers are in no module of Glibc's. */
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/* strerror is not thread-safe and strerrordesc_np needs _GNU_SOURCE. Never null: an unknown number gives "unknown error". */
const char *linux_error_text(int error);

/* sched_setscheduler's SCHED_RESET_ON_FORK needs _GNU_SOURCE. SCHED_FIFO at `priority` for the calling thread alone.
   0, or -1 and errno (EPERM without CAP_SYS_NICE). */
int linux_thread_realtime(int priority);

/* setpriority takes an enum under _GNU_SOURCE and wants the thread's number, for which gettid is not visible. The nice
   value of the calling thread alone. 0, or -1 and errno. */
int linux_thread_nice(int nice);

/* sigset_t is changed by macros and inline functions. Blocks every signal in the calling thread but those that a fault
   of its own raises, so that SIGTERM and friends go to the thread that expects them. */
void linux_thread_block_signals(void);
