/* The timer of a local APIC: one-shot, periodic and TSC-deadline modes.
 * Source: Intel SDM vol. 3, 11.5.4 and 11.5.4.1 (10.5.4 before 2023).
 *
 * The local APIC (vmm/) owns the registers' addresses and the access rules; it hands in the values written to
 * LVT timer, initial count and divide configuration, and IA32_TSC_DEADLINE, and asks for the current count.
 */
#ifndef TIMERS_LAPIC_TIMER_H
#define TIMERS_LAPIC_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include "timers/counter.h"
#include "timers/tsc.h"
#include "timers/vtime.h"

#define LAPIC_TIMER_LVT_VECTOR   0x000000FFu
#define LAPIC_TIMER_LVT_MASKED   0x00010000u
#define LAPIC_TIMER_LVT_MODE     0x00060000u
#define LAPIC_TIMER_LVT_ONESHOT  0x00000000u
#define LAPIC_TIMER_LVT_PERIODIC 0x00020000u
#define LAPIC_TIMER_LVT_DEADLINE 0x00040000u

struct lapic_timer_ops {
    /* The timer's interrupt. True if it became a new request, false if it merged with one that waits already
     * or the local APIC did not accept it. */
    bool (*fire)(void *ctx, uint8_t vector);
    /* True while a request of this vector waits in the IRR and the local APIC is enabled. */
    bool (*waiting)(void *ctx, uint8_t vector);
};

struct lapic_timer {
    struct vtime *time;
    const struct tsc *tsc;
    struct counter clock; /* the bus clock, before the divider */
    const struct lapic_timer_ops *ops;
    void *ctx;
    uint32_t lvt;
    uint32_t initial;
    uint32_t divide;   /* the register: bits 0, 1, 3 */
    bool running;      /* one-shot and periodic: a count was written (a one-shot may have expired since) */
    uint64_t start;    /* bus tick at which the count stood at `first` */
    uint32_t first;    /* counts from start to the first expiry; then `initial` each, if periodic */
    uint64_t deadline; /* IA32_TSC_DEADLINE; 0: disarmed (or over: see lapic_timer_deadline()) */
    at_t expires;      /* the AT at which the TSC reaches it */
    bool resync;       /* periodic, and the queue's schedule is not exact: arm anew at each event */
    struct vtimer timer;
};

/* Call once; attaches the queue entry (target: `vcpu`) and resets. bus_hz: the timer's input clock as
 * advertised to the guest, before the divider. tsc: the same vCPU's, for the deadline mode. */
void lapic_timer_init(struct lapic_timer *t, struct vtime *time, uint64_t bus_hz, const struct tsc *tsc,
                      const struct lapic_timer_ops *ops, void *ctx, unsigned int vcpu);

/* RESET, INIT, and the global disable in IA32_APIC_BASE: masked, stopped, divide by 2, deadline 0. */
void lapic_timer_reset(struct lapic_timer *t);

/* The LVT timer register was written (or its mask bit was set by a software disable). A masked timer still
 * counts. One-shot and periodic turn into one another without a break; a change into or out of the deadline
 * mode disarms. Where TSC-deadline is not advertised the caller clears bit 18. The reserved mode 3 is a
 * stopped timer. */
void lapic_timer_set_lvt(struct lapic_timer *t, uint32_t lvt);

/* The initial count: starts the count over; 0 stops it; ignored in deadline mode. */
void lapic_timer_set_initial(struct lapic_timer *t, uint32_t count);

/* The divide configuration: a running count goes on from where it stands, at the new rate. */
void lapic_timer_set_divide(struct lapic_timer *t, uint32_t divide);

/* The current count: 0 when stopped, expired, or in deadline mode. An incident. */
uint32_t lapic_timer_current(struct lapic_timer *t);

/* IA32_TSC_DEADLINE, a guest TSC value: 0 disarms; one that is past fires at once; ignored in the other
 * modes. Reads 0 after the interrupt. Incidents. */
uint64_t lapic_timer_deadline(struct lapic_timer *t);
void lapic_timer_set_deadline(struct lapic_timer *t, uint64_t deadline);

/* The vCPU's TSC was written: the deadline is now at another AT. */
void lapic_timer_tsc_moved(struct lapic_timer *t);

/* For read-back of the other registers. */
static inline uint32_t lapic_timer_initial(const struct lapic_timer *t)
{
    return t->initial;
}

static inline uint32_t lapic_timer_divide(const struct lapic_timer *t)
{
    return t->divide;
}

/* Pure: the current count at `at`, not before the latest write. */
uint32_t lapic_timer_count(const struct lapic_timer *t, at_t at);

#endif
