/* The bench guest: what the hypervisor's work costs, in ticks of the guest's TSC. Under an emulator that
 * counts instructions (QEMU -icount shift=0: one tick of the TSC is one instruction) the figures are exact.
 */
#ifndef GUESTS_BENCH_BENCH_H
#define GUESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/lib/mark.h"

#define BENCH_MAX_TRIES 2001

/* What is measured and how often. */
struct bench_run {
    const char *only;    /* a name, "" for all */
    unsigned int length; /* of that name */
    unsigned int tries;
};

bool bench_wanted(const struct bench_run *run, const char *name);

/* Prints median, least and most of `n` samples, each less `base`, and sorts them. MARK_RESULT tells the
 * counting plug-in to do the same with what it has counted between MARK_BEGIN and MARK_END. */
void bench_result(const char *name, uint64_t *samples, unsigned int n, uint64_t base);
/* The median alone. Sorts them. */
uint64_t bench_median(uint64_t *samples, unsigned int n);

/* The round trips of single instructions (trips.c). */
void bench_trips(const struct bench_run *run);
/* Timers' interrupts on their way to a handler, and EOI (delivery.c). */
void bench_delivery(const struct bench_run *run);
/* Works with a 1 kHz tick until `ticks` of them have come; `count` is the LAPIC timer's (busy.c). */
void bench_busy(uint64_t ticks, uint32_t count);
/* Marks each round of a short loop, so that the plug-in sees who had the processor (busy.c). */
void bench_spin(uint64_t rounds, bool other);

#endif
