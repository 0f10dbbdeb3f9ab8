#include "timers/pmtimer.h"

/* How often the top bit had changed by `at`: each 2^23 or 2^31 ticks (ACPI 4.8.3.3). */
static uint64_t toggles(const struct pmtimer *p, at_t at)
{
    return counter_ticks(&p->clock, at) >> (p->bits - 1);
}

uint32_t pmtimer_count(const struct pmtimer *p, at_t at)
{
    uint64_t mask = (UINT64_C(1) << p->bits) - 1;

    return (uint32_t)(counter_ticks(&p->clock, at) & mask);
}

/* The SCI is high while TMR_STS and TMR_EN are set. */
static void update_sci(struct pmtimer *p)
{
    bool level = p->status && p->enabled;

    if (level == p->sci_level)
        return;
    p->sci_level = level;
    if (level)
        (void)p->sci.ops->raise(p->sci.ctx, p->sci.line);
    else
        p->sci.ops->lower(p->sci.ctx, p->sci.line);
}

/* While TMR_EN is clear nothing is in the queue, and TMR_STS is worked out here. While it is set, a toggle
 * counts when its event is delivered, and not before. */
static void catch_up(struct pmtimer *p, at_t at)
{
    uint64_t now = toggles(p, at);

    if (now != p->seen)
        p->status = true;
    p->seen = now;
}

static void arm(struct pmtimer *p, at_t at)
{
    uint64_t half = UINT64_C(1) << (p->bits - 1);
    struct vt_schedule s;

    p->resync = !counter_every(&p->clock, (toggles(p, at) + 1) * half, half, &s);
    vtime_set(p->time, &p->timer, &s);
}

static enum vt_outcome pmtimer_event(void *self, at_t at)
{
    struct pmtimer *p = self;
    bool merged = p->status;

    p->status = true;
    p->seen = toggles(p, at);
    if (p->resync)
        arm(p, at);
    update_sci(p);
    /* The SCI may be high already for another of its sources; the status bit is this timer's own. */
    return merged || p->sci.ops->masked(p->sci.ctx, p->sci.line) ? VT_MERGED : VT_DELIVERED;
}

static bool pmtimer_outstanding(void *self)
{
    struct pmtimer *p = self;

    return p->status && p->enabled && !p->sci.ops->masked(p->sci.ctx, p->sci.line);
}

static bool pmtimer_unheard(void *self)
{
    const struct pmtimer *p = self;

    return !p->enabled || p->sci.ops->masked(p->sci.ctx, p->sci.line);
}

static const struct vtimer_ops pmtimer_timer_ops = {
    .event = pmtimer_event, .outstanding = pmtimer_outstanding, .unheard = pmtimer_unheard};

void pmtimer_init(struct pmtimer *p, struct vtime *time, struct vt_line sci, bool wide)
{
    __builtin_memset(p, 0, sizeof(*p));
    p->time = time;
    p->sci = sci;
    p->bits = wide ? 32 : 24;
    counter_init(&p->clock, vtime_hz(time), PMTIMER_HZ_NUM, PMTIMER_HZ_DEN);
    vtime_attach(time, &p->timer, "pmtimer", &pmtimer_timer_ops, p, 0);
    pmtimer_reset(p);
}

void pmtimer_reset(struct pmtimer *p)
{
    p->enabled = false;
    p->status = false;
    p->seen = toggles(p, vtime_now(p->time));
    vtime_clear(p->time, &p->timer);
    update_sci(p);
}

uint32_t pmtimer_read(struct pmtimer *p)
{
    return pmtimer_count(p, vtime_now(p->time));
}

bool pmtimer_status(struct pmtimer *p)
{
    at_t now = vtime_now(p->time);

    if (!p->enabled)
        catch_up(p, now);
    return p->status;
}

void pmtimer_clear_status(struct pmtimer *p)
{
    (void)pmtimer_status(p);
    p->status = false;
    update_sci(p);
}

void pmtimer_set_enabled(struct pmtimer *p, bool enabled)
{
    at_t now = vtime_now(p->time);

    if (enabled == p->enabled)
        return;
    catch_up(p, now);
    p->enabled = enabled;
    if (enabled)
        arm(p, now);
    else
        vtime_clear(p->time, &p->timer);
    update_sci(p);
}
