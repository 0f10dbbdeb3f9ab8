/* The two times, as every file of timers/ spells them. */
#ifndef TIMERS_TYPES_H
#define TIMERS_TYPES_H

#include <stdint.h>

typedef uint64_t at_t; /* apparent time, guest TSC ticks since the VM's start */
typedef uint64_t rt_t; /* real time, host TSC ticks */

#define AT_NEVER UINT64_MAX
#define RT_NEVER UINT64_MAX

/* Apparent times from here on are never reached: an event that would fall there is not queued. RT stays below
 * it too, so that the sum of an AT and an RT always fits 64 bits (292 years at 1 GHz for each). */
#define AT_LIMIT (UINT64_C(1) << 63)

#endif
