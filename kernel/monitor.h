/* The operator's monitor: commands typed on the console while the guests run on.
 *
 * It is open while the operator looks at it (Ctrl-A m, kernel/input.h) and works in turns: each call of
 * monitor_service() takes what has been typed and never waits. What it does to a VM happens there, between
 * two runs of the processor. Boot processor only. */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include <stdbool.h>

#include "timers/types.h"

/* At each look at the console, RT `now`. */
void monitor_service(rt_t now);

/* RT at which it wants the next call though nothing is typed (`watch`); RT_NEVER: none. */
rt_t monitor_deadline(void);

/* The operator has typed `quit`. */
bool monitor_has_quit(void);

#endif
