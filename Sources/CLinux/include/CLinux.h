#pragma once
/* What Glibc's module does not show to Swift (GNU-only calls, macros with casts). Each shim says why it exists. */
#include <stdint.h>
#include <stddef.h>

#include "linux_clock.h"
#include "linux_hook.h"
#include "linux_loop.h"
#include "linux_namespace.h"
#include "linux_socket.h"

/* pthread_setname_np needs _GNU_SOURCE, which `import Glibc` is built without. */
void linux_thread_name(const char *name);

/* getrandom is in no module of Glibc's. Fills so many bytes, 256 at most: they come whole then, and no signal comes between.
   0, or -1 and errno. */
int linux_random(void *bytes, size_t size);

/* malloc.h is in no module of Glibc's. Gives whole pages that were freed back to the kernel: free(3) does that only at the
   end of a heap, and what a large rule set took while it was read and compared lies in the middle. */
void linux_give_memory_back(void);
