#pragma once
/* What Glibc's module does not show to Swift (GNU-only calls, macros with casts). Each shim says why it exists. */
#include <stdint.h>
#include <stddef.h>

#include "linux_hook.h"
#include "linux_loop.h"
#include "linux_socket.h"

/* pthread_setname_np needs _GNU_SOURCE, which `import Glibc` is built without. */
void linux_thread_name(const char *name);
