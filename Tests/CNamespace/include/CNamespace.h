#pragma once
/* unshare(2) and setns(2) need _GNU_SOURCE, which `import Glibc` is built without. Both act on the calling thread. */

/* Puts the calling thread into a new network namespace with loopback up; returns a descriptor of the one before, or -1. */
int namespace_enter_new(void);
/* Goes back to it and closes the descriptor; the namespace made before ends with its last socket and process. */
int namespace_return(int before);
/* Runs a shell command in the calling thread's namespace; its exit status, or -1. */
int namespace_run(const char *command);
