/* Turns, where an emulator runs one processor at a time.
 *
 * QEMU's TCG does where it counts instructions. It goes on to the next processor when one halts or pauses or
 * arms an earlier timer, begins with the first one again whenever a timer is due, and else gives the others
 * nothing for up to 100 ms. Guests of several vCPUs see one another stand still then, with their locks held,
 * and a processor whose guest sets its timer often gets nothing beside one that is busy. So those that have
 * something to run take turns there, and who has not the turn pauses. A turn costs 1,500 instructions. Who
 * sleeps lets others have it, and has the rest when it wakes up; who spins loses it. */
#ifndef KERNEL_TURNS_H
#define KERNEL_TURNS_H

#include "timers/vtime.h"

struct processor;

/* How many processors are in use is known, and none of them runs a VM yet. Boot processor. */
void turns_start(void);

/* RT for which the calling processor's timer is to be armed, if `deadline` is the first that it has to meet:
 * that, or before it the end of its turn, or who idles may want the turn then. */
rt_t turns_deadline(const struct processor *p, rt_t deadline);

/* The calling processor ought to wait before it goes on: another one has the turn, or wants it and has some
 * left. */
bool turns_over(const struct processor *p);

/* In the timer's interrupt, which leaves it disarmed: waits for the calling processor's turn, if it has
 * something to run. */
void turns_fired(const struct processor *p);

/* Before the first run after it was idle: takes its turn up again at once, if it has some left, or waits. */
void turns_wake(const struct processor *p);

#endif
