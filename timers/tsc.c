#include "timers/tsc.h"

void tsc_init(struct tsc *t, struct vtime *time)
{
    t->time = time;
    tsc_reset(t, 0);
}

void tsc_reset(struct tsc *t, at_t at)
{
    t->offset = 0 - at;
    t->adjust = 0;
}

uint64_t tsc_at(const struct tsc *t, at_t at)
{
    return at + t->offset;
}

uint64_t tsc_read(struct tsc *t)
{
    return tsc_at(t, vtime_now(t->time));
}

/* SDM 18.17.3: each of the two MSRs moves with the other, by the same amount. */
void tsc_write(struct tsc *t, uint64_t value)
{
    uint64_t delta = value - tsc_read(t);

    t->offset += delta;
    t->adjust += delta;
}

uint64_t tsc_adjust(const struct tsc *t)
{
    return t->adjust;
}

void tsc_set_adjust(struct tsc *t, uint64_t value)
{
    t->offset += value - t->adjust;
    t->adjust = value;
}
