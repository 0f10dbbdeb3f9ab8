/* What the files of this guest share: calls that are taken and counted, by processor. */
#ifndef GUESTS_IPI_IPI_H
#define GUESTS_IPI_IPI_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/lib/smp.h"

#define VECTOR 0x50 /* of a call */
#define ABSENT 0x0E /* the APIC id of nobody */

extern volatile unsigned int took[SMP_MAX], nmis[SMP_MAX], starts[SMP_MAX];
extern unsigned int cpus;

/* A millisecond, with interrupts on: whatever was sent has come by then. */
void settle(void);

/* Bit n: processor n took at least one of `counts` (took or nmis) since the last call. What is wanted may
 * take a while to come, for the others may have to wait for a processor; what is not has a millisecond. */
unsigned int taken(volatile unsigned int *counts, unsigned int wanted);

/* Disorder, for `ms` milliseconds: every processor sends what it likes to whom it likes, INIT and SIPI to all
 * but the first. Afterwards all of them can be started again, and take calls and NMIs. */
void wild(uint64_t ms);
/* What a further processor does as soon as it has started; comes back when there is order. */
void wild_join(unsigned int cpu);

/* NMIs that cross: processor 1 sends one to the first, which sends one to itself. Both are taken, each time.
 */
void crossing(uint64_t rounds);
/* What processor 1 does for it, and does until it is over. */
void crossing_join(unsigned int cpu);

/* The others turn deaf: they spin with interrupts off, for ever, and answer no call. */
void deafen(void);

#endif
