#define _GNU_SOURCE
#include "CLinux.h"
#include <string.h>
#include <sys/timex.h>

int linux_clock_condition(int *synchronised, int64_t *maximum_error) {
  struct timex now;
  memset(&now, 0, sizeof now);
  int state = adjtimex(&now);
  if (state < 0) return -1;
  *synchronised = state != TIME_ERROR && !(now.status & STA_UNSYNC);
  *maximum_error = now.maxerror;
  return 0;
}
