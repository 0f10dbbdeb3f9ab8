#include "timers/hpet.h"

/* Registers (2.3.3). */
#define REG_CAPABILITIES 0x000u
#define REG_CONFIG       0x010u
#define REG_STATUS       0x020u
#define REG_COUNTER      0x0F0u
#define REG_TIMERS       0x100u
#define TIMER_LENGTH     0x020u
#define TIMER_CONFIG     0x00u
#define TIMER_COMPARATOR 0x08u

#define CONFIG_ENABLE 1u
#define CONFIG_LEGACY 2u

#define ISA_PIT 0u
#define ISA_RTC 8u

#define NO_WIRE (-1)

static bool runs(const struct hpet *h)
{
    return (h->config & CONFIG_ENABLE) != 0;
}

bool hpet_legacy(const struct hpet *h)
{
    return (h->config & CONFIG_LEGACY) != 0 && runs(h);
}

static uint64_t count_at(const struct hpet *h, uint64_t tick)
{
    return h->base + (runs(h) ? tick : 0);
}

uint64_t hpet_count(const struct hpet *h, at_t at)
{
    return count_at(h, counter_ticks(&h->clock, at));
}

/* ---- interrupts ---- */

static bool is_level(const struct hpet_timer *t)
{
    return (t->comparator.config & HPET_TN_LEVEL) != 0;
}

static bool enabled(const struct hpet_timer *t)
{
    return runs(t->hpet) && (t->comparator.config & HPET_TN_ENABLE) != 0;
}

static bool status(const struct hpet_timer *t)
{
    return (t->hpet->status >> t->index & 1u) != 0;
}

/* Where the timer's interrupt goes (2.3.5, LEG_RT_CNF; 2.3.8, Tn_INT_ROUTE_CNF). */
static int wire_of(const struct hpet_timer *t)
{
    uint32_t route = (t->comparator.config & HPET_TN_ROUTE) >> HPET_TN_ROUTE_SHIFT;

    if (hpet_legacy(t->hpet) && t->index < 2)
        return (int)(HPET_WIRE_ISA + (t->index == 0 ? ISA_PIT : ISA_RTC));
    return (HPET_ROUTES >> route & 1u) != 0 ? (int)route : NO_WIRE;
}

int hpet_wire(const struct hpet *h, unsigned int n)
{
    return wire_of(&h->timer[n]);
}

bool hpet_drives(const struct hpet *h, unsigned int wire)
{
    for (unsigned int i = 0; i < HPET_TIMERS; i++)
        if (h->timer[i].driven == (int)wire)
            return true;
    return false;
}

/* Timers on one wire are ored. */
static void lower(struct hpet *h, int wire)
{
    if (!hpet_drives(h, (unsigned int)wire))
        h->wires->lower(h->ctx, (unsigned int)wire);
}

/* Brings the wire to what a level-triggered timer wants it to be, wherever it is routed now. True if that
 * raised it as a new request. */
static bool drive(struct hpet_timer *t)
{
    struct hpet *h = t->hpet;
    int wire = enabled(t) && is_level(t) && status(t) ? wire_of(t) : NO_WIRE;
    int old = t->driven;

    if (wire == old)
        return false;
    t->driven = wire;
    if (old != NO_WIRE)
        lower(h, old);
    return wire != NO_WIRE && h->wires->raise(h->ctx, (unsigned int)wire);
}

/* An enabled timer has matched. An edge is a pulse; a level stays until the status bit is cleared. */
static bool interrupt(struct hpet_timer *t)
{
    struct hpet *h = t->hpet;
    int wire = wire_of(t);

    if (is_level(t)) {
        h->status |= 1u << t->index;
        return drive(t);
    }
    if (wire == NO_WIRE)
        return false;

    bool fresh = h->wires->raise(h->ctx, (unsigned int)wire);

    lower(h, wire);
    return fresh;
}

/* ---- queue entries ---- */

/* An enabled timer's matches are its events' business: an instant counts when it is delivered. */
static void arm(struct hpet_timer *t, at_t now)
{
    struct hpet *h = t->hpet;
    uint64_t next = t->comparator.next, step = hpet_comparator_step(&t->comparator);
    struct vt_schedule s;

    if (!enabled(t) || next == HPET_NEVER) {
        vtime_clear(h->time, &t->timer);
        return;
    }
    s = counter_once(&h->clock, next);
    /* One that is due already is delivered off the grid, which a period would then count from. */
    t->resync = step != 0 && (!counter_every(&h->clock, next,
                                             step * counter_group(&h->clock, step, t->timer.progress), &s) ||
                              s.first < now);
    vtime_set(h->time, &t->timer, &s);
}

static enum vt_outcome hpet_event(void *self, at_t at)
{
    struct hpet_timer *t = self;

    (void)hpet_comparator_settle(&t->comparator, counter_ticks(&t->hpet->clock, at));
    if (t->resync)
        arm(t, at);
    return interrupt(t) ? VT_DELIVERED : VT_MERGED;
}

static bool hpet_outstanding(void *self)
{
    const struct hpet_timer *t = self;
    const struct hpet *h = t->hpet;
    int wire = wire_of(t);

    if (wire == NO_WIRE)
        return false;
    return (t->driven != NO_WIRE && !h->wires->masked(h->ctx, (unsigned int)wire)) ||
           h->wires->waiting(h->ctx, (unsigned int)wire);
}

static bool hpet_unheard(void *self)
{
    const struct hpet_timer *t = self;
    const struct hpet *h = t->hpet;
    int wire = wire_of(t);

    return wire == NO_WIRE || h->wires->masked(h->ctx, (unsigned int)wire);
}

static const struct vtimer_ops hpet_timer_ops = {
    .event = hpet_event, .outstanding = hpet_outstanding, .unheard = hpet_unheard};

/* ---- registers ---- */

/* 2.3.8: a disabled timer "will still operate and generate appropriate status bits". */
static void settle(struct hpet *h, uint64_t tick)
{
    for (unsigned int i = 0; i < HPET_TIMERS; i++) {
        struct hpet_timer *t = &h->timer[i];

        if (!enabled(t) && hpet_comparator_settle(&t->comparator, tick) && is_level(t))
            h->status |= 1u << i;
    }
}

static void seek(struct hpet_timer *t, uint64_t tick)
{
    t->comparator.next = HPET_NEVER;
    if (runs(t->hpet))
        hpet_comparator_seek(&t->comparator, tick, count_at(t->hpet, tick));
}

static uint64_t read_timer(const struct hpet_timer *t, unsigned int reg, uint64_t tick)
{
    if (reg == TIMER_CONFIG)
        return (uint64_t)HPET_ROUTES << 32 | HPET_TN_PERIODIC_CAP | HPET_TN_SIZE_CAP | t->comparator.config;
    if (reg == TIMER_COMPARATOR)
        return hpet_comparator_value(&t->comparator, tick);
    return 0;
}

static uint64_t read_register(const struct hpet *h, unsigned int reg, uint64_t tick)
{
    unsigned int n = (reg - REG_TIMERS) / TIMER_LENGTH;

    switch (reg) {
    case REG_CAPABILITIES:
        return (uint64_t)HPET_FS << 32 | HPET_BLOCK_ID;
    case REG_CONFIG:
        return h->config;
    case REG_STATUS:
        return h->status;
    case REG_COUNTER:
        return count_at(h, tick);
    default:
        return reg >= REG_TIMERS && n < HPET_TIMERS ? read_timer(&h->timer[n], reg % TIMER_LENGTH, tick) : 0;
    }
}

uint64_t hpet_read(struct hpet *h, uint64_t offset, unsigned int size)
{
    uint64_t tick = counter_ticks(&h->clock, vtime_now(h->time));

    (void)size; /* the bus takes what it asked for */
    settle(h, tick);
    return read_register(h, (unsigned int)offset & ~7u, tick) >> ((offset & 7) * 8);
}

/* 2.3.5. While the counter stands "no interrupts will be caused", and the status bits stay. */
static void write_config(struct hpet *h, at_t now, uint64_t tick, uint32_t value)
{
    uint64_t count = count_at(h, tick);
    bool ran = runs(h);

    h->config = value & (CONFIG_ENABLE | CONFIG_LEGACY);
    h->base = count - (runs(h) ? tick : 0);
    for (unsigned int i = 0; i < HPET_TIMERS; i++) {
        if (runs(h) != ran) {
            seek(&h->timer[i], tick);
            arm(&h->timer[i], now);
        }
        (void)drive(&h->timer[i]);
    }
}

/* 2.3.6: a one clears. */
static void write_status(struct hpet *h, uint32_t value)
{
    h->status &= ~value;
    for (unsigned int i = 0; i < HPET_TIMERS; i++)
        (void)drive(&h->timer[i]);
}

static void write_counter(struct hpet *h, at_t now, uint64_t tick, uint64_t value, uint64_t mask)
{
    uint64_t count = count_at(h, tick);

    h->base += ((count & ~mask) | (value & mask)) - count;
    for (unsigned int i = 0; i < HPET_TIMERS; i++) {
        seek(&h->timer[i], tick);
        arm(&h->timer[i], now);
    }
}

static void write_timer_config(struct hpet_timer *t, at_t now, uint64_t tick, uint32_t value)
{
    if (hpet_comparator_configure(&t->comparator, value, HPET_ROUTES))
        seek(t, tick);
    if (!is_level(t)) /* ICH9, 20.1.4: reads 0 then */
        t->hpet->status &= ~(1u << t->index);
    arm(t, now);
    (void)drive(t);
}

static void write_timer(struct hpet_timer *t, at_t now, uint64_t tick, unsigned int reg, uint64_t value,
                        uint64_t mask)
{
    if (reg == TIMER_CONFIG && (mask & 1) != 0) {
        write_timer_config(t, now, tick, (uint32_t)value);
    } else if (reg == TIMER_COMPARATOR) {
        if (hpet_comparator_write(&t->comparator, value, mask))
            seek(t, tick);
        arm(t, now);
    }
}

void hpet_write(struct hpet *h, uint64_t offset, unsigned int size, uint64_t value)
{
    at_t now = vtime_now(h->time);
    uint64_t tick = counter_ticks(&h->clock, now);
    unsigned int reg = (unsigned int)offset & ~7u, shift = (unsigned int)(offset & 7) * 8;
    unsigned int n = (reg - REG_TIMERS) / TIMER_LENGTH;
    uint64_t mask = (size == 8 ? UINT64_MAX : UINT32_MAX) << shift;

    if (size < 4)
        return;
    settle(h, tick);
    value <<= shift;
    if (reg == REG_COUNTER)
        write_counter(h, now, tick, value, mask);
    else if (reg >= REG_TIMERS && n < HPET_TIMERS)
        write_timer(&h->timer[n], now, tick, reg % TIMER_LENGTH, value, mask);
    else if (reg == REG_CONFIG && shift == 0)
        write_config(h, now, tick, (uint32_t)value);
    else if (reg == REG_STATUS && shift == 0)
        write_status(h, (uint32_t)value);
}

/* ---- life ---- */

void hpet_init(struct hpet *h, struct vtime *time, const struct vt_line_ops *wires, void *ctx)
{
    static const char *const names[HPET_TIMERS] = {"hpet0", "hpet1", "hpet2"};

    __builtin_memset(h, 0, sizeof(*h));
    h->time = time;
    h->wires = wires;
    h->ctx = ctx;
    counter_init(&h->clock, vtime_hz(time), HPET_HZ, 1);
    for (unsigned int i = 0; i < HPET_TIMERS; i++) {
        struct hpet_timer *t = &h->timer[i];

        t->hpet = h;
        t->index = i;
        t->driven = NO_WIRE;
        vtime_attach(time, &t->timer, names[i], &hpet_timer_ops, t, 0);
    }
    hpet_reset(h);
}

void hpet_reset(struct hpet *h)
{
    h->config = 0;
    h->status = 0;
    h->base = 0;
    for (unsigned int i = 0; i < HPET_TIMERS; i++) {
        struct hpet_timer *t = &h->timer[i];

        hpet_comparator_reset(&t->comparator);
        t->resync = false;
        (void)drive(t);
        vtime_clear(h->time, &t->timer);
    }
}
