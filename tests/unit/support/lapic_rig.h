/* One local APIC with a time of its own: what its tests stand on. Header only; each test program has one
 * APIC, `b.l`. */
#ifndef TESTS_UNIT_SUPPORT_LAPIC_RIG_H
#define TESTS_UNIT_SUPPORT_LAPIC_RIG_H

#include "tests/unit/support/timer_rig.h"
#include "timers/tsc.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"

#define HZ       1000000000u
#define BUS_TICK (HZ / lapic_timer_hz(HZ)) /* AT in a count of the timer, undivided */

static struct {
    struct rig rig;
    struct tsc tsc;
    struct lapic l;
} b;

static inline int setup_off(void **state)
{
    (void)state;
    rig_init(&b.rig, HZ);
    tsc_init(&b.tsc, &b.rig.time);
    lapic_init(&b.l, 0, &b.rig.time, &b.tsc, true, false);
    return 0;
}

static inline struct lapic_effect out(uint32_t reg, uint32_t value)
{
    return lapic_write(&b.l, reg, value);
}

static inline uint32_t in(uint32_t reg)
{
    return lapic_read(&b.l, reg);
}

/* Enabled by software, spurious vector FFh. */
static inline int setup(void **state)
{
    setup_off(state);
    out(LAPIC_SVR, 0x1ff);
    return 0;
}

static inline uint32_t errors(void)
{
    out(LAPIC_ESR, 0);
    return in(LAPIC_ESR);
}

static inline int take(void)
{
    int vector = lapic_pending(&b.l);
    if (vector >= 0)
        assert_int_equal(lapic_ack(&b.l), vector);
    return vector;
}

/* The vector that is broadcast, or -1. */
static inline int eoi(void)
{
    return lapic_eoi(&b.l);
}

#endif
