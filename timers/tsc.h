/* One virtual CPU's time-stamp counter: apparent time plus an offset.
 * Source: Intel SDM vol. 3, 18.17 (time-stamp counter) and 18.17.3 (IA32_TSC_ADJUST). */
#ifndef TIMERS_TSC_H
#define TIMERS_TSC_H

#include <stdint.h>
#include "timers/vtime.h"

struct tsc {
    struct vtime *time;
    uint64_t offset; /* TSC = AT + offset, modulo 2^64 */
    uint64_t adjust; /* IA32_TSC_ADJUST */
};

/* Call once. The TSC is 0 at AT 0, so the TSCs of all vCPUs agree however late each is initialised. */
void tsc_init(struct tsc *t, struct vtime *time);

/* RESET (not INIT, which leaves the TSC alone): the TSC is 0 at AT `at`, IA32_TSC_ADJUST is 0. Give all vCPUs
 * of a VM the same `at` (vtime_now() once), and they agree. */
void tsc_reset(struct tsc *t, at_t at);

/* RDTSC, RDTSCP, RDMSR of IA32_TIME_STAMP_COUNTER. An incident. */
uint64_t tsc_read(struct tsc *t);

/* WRMSR to IA32_TIME_STAMP_COUNTER: IA32_TSC_ADJUST moves by the same amount. An incident. The caller then
 * calls lapic_timer_tsc_moved() and gives the hardware the new offset. */
void tsc_write(struct tsc *t, uint64_t value);

/* IA32_TSC_ADJUST: a write moves the TSC by the difference (the same duties for the caller). No incident. */
uint64_t tsc_adjust(const struct tsc *t);
void tsc_set_adjust(struct tsc *t, uint64_t value);

/* Pure: the TSC at `at`. */
uint64_t tsc_at(const struct tsc *t, at_t at);

#endif
