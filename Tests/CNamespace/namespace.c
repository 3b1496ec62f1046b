#define _GNU_SOURCE
#include "CNamespace.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

int namespace_run(const char *command) {
  char *arguments[] = {"sh", "-ec", (char *)command, NULL};
  pid_t child;
  int status;
  if (posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) != 0) return -1;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

int namespace_enter_new(void) {
  int before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (before < 0) return -1;
  if (unshare(CLONE_NEWNET) != 0) {
    close(before);
    return -1;
  }
  namespace_run("ip link set lo up");
  return before;
}

int namespace_return(int before) {
  int result = setns(before, CLONE_NEWNET);
  close(before);
  return result;
}
