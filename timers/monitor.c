#include "timers/monitor.h"

#include <stddef.h>

void monitor_each(struct coordinator *c, const struct deadline *next, struct vtime *t, rt_t rt)
{
    for (struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        timer->watch.owner = next->owner;
        coordinator_set(c, &timer->watch, rt != RT_NEVER ? vtime_deadline_of(t, timer) : RT_NEVER);
    }
}
