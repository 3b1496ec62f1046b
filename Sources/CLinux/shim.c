#define _GNU_SOURCE
#include "CLinux.h"
#include <malloc.h>
#include <pthread.h>
#include <sys/random.h>

void linux_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int linux_random(void *bytes, size_t size) { return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1; }

void linux_give_memory_back(void) { malloc_trim(0); }
