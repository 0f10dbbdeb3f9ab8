/* A processor's LAPIC timer as the alarm of its coordinator (timers/coordinator.h). */
#ifndef KERNEL_ALARM_H
#define KERNEL_ALARM_H

#include <stdint.h>

struct processor;

/* The calling processor's: its coordinator, and the timer, disarmed. The boot processor first. `poll` in RT
 * ticks as coordinator_poll() has it. */
void alarm_init(struct processor *p, uint64_t poll);

#endif
