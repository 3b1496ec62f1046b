#define _GNU_SOURCE
#include "CLinux.h"
#include <malloc.h>
#include <pthread.h>

void linux_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

void linux_give_memory_back(void) { malloc_trim(0); }
