#pragma once
/* Nothing to call: `foundation.c` says what this is. */
