/* Which of a VM's coming events the coordinator monitors ([0084]): "only when the next virtual timer event is
 * due to occur", the preferred embodiment and what everything else here takes for granted; or "multiple
 * virtual timer events simultaneously", one for each of its timers. */
#ifndef TIMERS_MONITOR_H
#define TIMERS_MONITOR_H

#include "timers/coordinator.h"
#include "timers/vtime.h"

/* Sets a deadline for each armed timer of a VM, at its own next event; rt: the VM's next deadline as a whole,
 * RT_NEVER takes all of them out. They get the owner of `next`, the VM's own deadline, which this leaves
 * alone. Call it whenever vtime_deadline() is asked anew. */
void monitor_each(struct coordinator *c, const struct deadline *next, struct vtime *t, rt_t rt);

#endif
