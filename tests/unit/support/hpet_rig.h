/* An HPET with wires that count: what its tests stand on. Header only. */
#ifndef TESTS_UNIT_SUPPORT_HPET_RIG_H
#define TESTS_UNIT_SUPPORT_HPET_RIG_H

#include <string.h>

#include "tests/unit/support/timer_rig.h"
#include "timers/hpet.h"

#define HPET_RIG_WIRES 64u

/* Register offsets (2.3.3). */
#define H_ID         0x000u
#define H_CONF       0x010u
#define H_STS        0x020u
#define H_COUNT      0x0F0u
#define H_TN_CONF(n) (0x100u + 0x20u * (n))
#define H_TN_CMP(n)  (0x108u + 0x20u * (n))

#define ROUTE(gsi) ((gsi) << HPET_TN_ROUTE_SHIFT)

#define H_TICK 10u /* AT in a count at 1 GHz */

struct hpet_wire {
    bool level;
    bool masked;
    bool waiting; /* a request that the guest has not taken */
    unsigned int raises;
};

struct hpet_rig {
    struct rig rig;
    struct hpet h;
    bool keeps; /* the guest takes no request */
    struct hpet_wire wire[HPET_RIG_WIRES];
};

static inline bool hpet_rig_raise(void *ctx, unsigned int wire)
{
    struct hpet_rig *b = ctx;
    struct hpet_wire *w = &b->wire[wire];
    bool fresh = !w->waiting && !w->masked;

    assert_in_range(wire, 0, HPET_RIG_WIRES - 1);
    w->level = true;
    w->raises++;
    w->waiting = b->keeps;
    return fresh;
}

static inline void hpet_rig_lower(void *ctx, unsigned int wire)
{
    struct hpet_rig *b = ctx;

    assert_in_range(wire, 0, HPET_RIG_WIRES - 1);
    b->wire[wire].level = false;
}

static inline bool hpet_rig_waiting(void *ctx, unsigned int wire)
{
    const struct hpet_rig *b = ctx;

    return b->wire[wire].waiting && !b->wire[wire].masked;
}

static inline bool hpet_rig_masked(void *ctx, unsigned int wire)
{
    const struct hpet_rig *b = ctx;

    return b->wire[wire].masked;
}

static inline void hpet_rig_init(struct hpet_rig *b, uint64_t hz)
{
    static const struct vt_line_ops ops = {hpet_rig_raise, hpet_rig_lower, hpet_rig_waiting, hpet_rig_masked};

    memset(b, 0, sizeof(*b));
    rig_init(&b->rig, hz);
    hpet_init(&b->h, &b->rig.time, &ops, b);
}

static inline uint64_t hget(struct hpet_rig *b, uint64_t reg)
{
    return hpet_read(&b->h, reg, 8);
}

/* A write, and what is due at once with it. */
static inline void hput(struct hpet_rig *b, uint64_t reg, uint64_t value)
{
    hpet_write(&b->h, reg, 8, value);
    rig_to(&b->rig, vtime_peek(&b->rig.time));
}

static inline void hput32(struct hpet_rig *b, uint64_t reg, uint32_t value)
{
    hpet_write(&b->h, reg, 4, value);
    rig_to(&b->rig, vtime_peek(&b->rig.time));
}

/* For a clock of 1 GHz. */
static inline void hpet_to(struct hpet_rig *b, uint64_t tick)
{
    rig_to(&b->rig, tick * H_TICK);
}

#endif
