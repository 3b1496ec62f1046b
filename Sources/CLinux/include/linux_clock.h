#pragma once
/* The kernel's clock. struct timex is in no module of Glibc's. */
#include <stdint.h>

/* Whether something keeps CLOCK_REALTIME right (STA_UNSYNC is not set), and by how many microseconds it may be off at
   most. Reads only. 0, or -1 and errno. */
int linux_clock_condition(int *synchronised, int64_t *maximum_error);
