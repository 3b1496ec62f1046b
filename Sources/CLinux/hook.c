#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int linux_process_handle(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

/* A hook writes a line somewhere or sends a message. Those that an agent starts itself share its control group: what they
   may take together must not be taken by one of them. */
static void set_limits(int counts_processes) {
  static const struct {
    int resource;
    rlim_t most;
  } limits[] = {
      {RLIMIT_CORE, 0},
      {RLIMIT_RTPRIO, 0},
      {RLIMIT_NICE, 0},
      {RLIMIT_MEMLOCK, 0},
      /* Of all of the user's processes and threads. Where each run is a unit, that has a limit of its own, and the user is
         that of the other runs too. */
      {RLIMIT_NPROC, 48},
      {RLIMIT_NOFILE, 256},
      {RLIMIT_FSIZE, 16 << 20},
      {RLIMIT_DATA, 128 << 20},
  };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    if (limits[i].resource == RLIMIT_NPROC && !counts_processes) continue;
    struct rlimit limit = {limits[i].most, limits[i].most}, now;
    if (getrlimit(limits[i].resource, &now) == 0 && now.rlim_max != RLIM_INFINITY && now.rlim_max < limit.rlim_max)
      continue;
    setrlimit(limits[i].resource, &limit);
  }
  setpriority(PRIO_PROCESS, 0, 10);
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    /* Whether it worked changes nothing of what follows. */
    if (write(score, "1000", 4) < 0) { }
    close(score);
  }
}

/* What cannot be dropped for want of a right (the bounding set) gives nothing to one who can gain no privileges. */
static int drop_capabilities(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL) return -1;
  for (unsigned long capability = 0; capability < 64; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno == EINVAL) break;
  return 0;
}

static int become(const struct linux_hook *hook) {
  if (hook->switches_user) {
    if (syscall(SYS_setgroups, 0, NULL)) return -1;
    if (syscall(SYS_setresgid, hook->group, hook->group, hook->group)) return -1;
    if (syscall(SYS_setresuid, hook->user, hook->user, hook->user)) return -1;
  }
  /* A filter of the service's may forbid it; execve then leaves a user that is not root with none, as none is ambient. */
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}};
  syscall(SYS_capset, &header, none);
  /* Becoming another user has taken it back. */
  return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static int take_output(int output) {
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) return -1;
  /* Whatever was opened without CLOEXEC, by whichever library. */
  if (syscall(SYS_close_range, 3, ~0u, 0) == 0) return 0;
  for (int fd = 3; fd < 8192; fd++) close(fd);
  return 0;
}

static void reset_signals(void) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns only where a step failed: that step. */
static int run(const struct linux_hook *hook) {
  if (setsid() < 0) return LINUX_HOOK_SESSION;
  /* Before the limits: an agent with many paths has more descriptors than a hook may. */
  if (take_output(hook->output) || chdir("/")) return LINUX_HOOK_OUTPUT;
  set_limits(hook->switches_user);
  if (drop_capabilities()) return LINUX_HOOK_PRIVILEGES;
  if (become(hook)) return LINUX_HOOK_USER;
  umask(077);
  reset_signals();
  char *const arguments[] = {(char *)hook->path, NULL};
  execve(hook->path, arguments, hook->environment);
  return LINUX_HOOK_EXECUTE;
}

pid_t linux_hook_start(const struct linux_hook *hook, int *step) {
  /* The child writes to our memory. */
  volatile int failed = LINUX_HOOK_STARTED, error = 0;
  pid_t child = vfork();
  if (child == 0) {
    failed = run(hook);
    error = errno;
    _exit(127);
  }
  *step = child < 0 ? LINUX_HOOK_FORK : failed;
  if (child < 0) return -1;
  if (failed == LINUX_HOOK_STARTED) return child;
  /* It is gone already, and nobody else waits for it. */
  syscall(SYS_wait4, child, NULL, 0, NULL);
  errno = error;
  return -1;
}
