#define _GNU_SOURCE
#include "CLinux.h"
#include <sched.h>

int linux_network_namespace_new(void) { return unshare(CLONE_NEWNET); }
