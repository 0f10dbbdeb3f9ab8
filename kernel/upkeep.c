/* What a VM that sleeps may cost; see upkeep.h. */
#include "kernel/upkeep.h"

rt_t upkeep_next(struct upkeep *u, rt_t began, rt_t ended, uint64_t credit, rt_t next)
{
    uint64_t paid = (ended - u->since) / UPKEEP_SHARE;
    rt_t soonest = ended;

    u->owed = (u->owed > paid ? u->owed - paid : 0) + (ended - began);
    u->since = ended;
    if (u->owed > credit)
        soonest += (u->owed - credit) * UPKEEP_SHARE;
    return next > soonest ? next : soonest;
}
