/* Turns, where an emulator runs one processor at a time.
 *
 * QEMU's TCG does where it counts instructions. It goes on to the next processor when one halts or pauses or
 * arms an earlier timer, begins with the first one again whenever a timer is due, and else gives the others
 * nothing for up to 100 ms. Guests of several vCPUs see one another stand still then, with their locks held,
 * and a processor whose guest sets its timer often gets nothing beside one that is busy. So those that have
 * something to run take turns there, and who has not the turn pauses. A turn costs 1,500 instructions; who
 * sleeps or spins loses it. */
#ifndef KERNEL_TURNS_H
#define KERNEL_TURNS_H

#include "timers/vtime.h"

struct processor;

/* How many processors are in use is known, and none of them runs a VM yet. Boot processor. */
void turns_start(void);

/* RT at which the calling processor has to wait for its next turn; RT_NEVER: never, or it idles. */
rt_t turns_end(const struct processor *p);

/* Waits for the calling processor's turn, if it has something to run: in its timer's interrupt, or before the
 * first run after it was idle. */
void turns_wait(const struct processor *p);

#endif
