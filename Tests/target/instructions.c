// instructions COMMAND... — prints how many instructions the first processor has executed while COMMAND ran, whoever's they
// were: the processor's own counter, as the kernel's perf events read it. One that waits executes none.
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "instructions: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int count, char **words) {
  if (count < 2) {
    fprintf(stderr, "instructions COMMAND...\n");
    return 64;
  }
  struct perf_event_attr event = {
    .type = PERF_TYPE_HARDWARE, .size = sizeof event, .config = PERF_COUNT_HW_INSTRUCTIONS};
  int counter = (int)syscall(SYS_perf_event_open, &event, -1, 0, -1, 0);
  if (counter < 0) fail("perf_event_open");
  uint64_t before, after;
  if (read(counter, &before, sizeof before) != sizeof before) fail("read");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    execvp(words[1], words + 1);
    fail(words[1]);
  }
  int status;
  if (waitpid(child, &status, 0) < 0) fail("waitpid");
  if (read(counter, &after, sizeof after) != sizeof after) fail("read");
  if (status != 0) {
    fprintf(stderr, "instructions: %s failed\n", words[1]);
    return 1;
  }
  printf("%llu\n", (unsigned long long)(after - before));
  return 0;
}
