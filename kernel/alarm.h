/* A processor's LAPIC timer as the alarm of its coordinator (timers/coordinator.h). */
#ifndef KERNEL_ALARM_H
#define KERNEL_ALARM_H

#include <stdint.h>

struct processor;

/* The calling processor's: its coordinator, and the timer, disarmed. The boot processor first. `poll` in RT
 * ticks as coordinator_poll() has it. */
void alarm_init(struct processor *p, uint64_t poll);

/* Before the calling processor runs a guest or clears memory, when all is armed: if its turn is over
 * (kernel/turns.h) its timer goes off at once, and it waits in the interrupt for the next. */
void alarm_mind_turn(const struct processor *p);

#endif
