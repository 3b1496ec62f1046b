#pragma once
/* An operator's own program, started with nothing of ours but an output and an environment. */
#include <sys/types.h>

struct linux_hook {
  /* The program, and its whole environment, which ends with a null. */
  const char *path;
  char *const *environment;
  /* Its standard output and error. */
  int output;
  /* Whether it shall be another user, with that user's group and no other. */
  int switches_user;
  uid_t user;
  gid_t group;
};

/* Which step failed. */
enum {
  LINUX_HOOK_STARTED = 0,
  LINUX_HOOK_FORK = 1,
  LINUX_HOOK_SESSION = 2,
  LINUX_HOOK_PRIVILEGES = 3,
  LINUX_HOOK_USER = 4,
  LINUX_HOOK_OUTPUT = 5,
  LINUX_HOOK_EXECUTE = 6,
};

/* posix_spawn can neither drop a user nor capabilities. vfork, so that no page of ours is copied and no thread but the
   caller's waits; so what runs until execve is system calls alone: glibc's setuid would ask all our threads to follow.
   The program leads a session and a process group of its own, has no capability that it could use or get, a bounded
   number of processes, bytes and open files, is nice, is the first to go where memory is short, and ends with the thread
   that started it. Call from a thread that blocks signals. The process, or -1 with errno and *step. */
pid_t linux_hook_start(const struct linux_hook *hook, int *step);

/* pidfd_open has no wrapper in glibc 2.35 and before. Readable once the process has ended. -1 and errno. */
int linux_process_handle(pid_t process);
