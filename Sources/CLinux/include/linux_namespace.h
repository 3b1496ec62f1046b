#pragma once
/* unshare needs _GNU_SOURCE. */

/* Gives the calling thread a network namespace of its own, for as long as it lives. 0, or -1 and errno (EPERM without
   CAP_SYS_ADMIN). */
int linux_network_namespace_new(void);
