/* One physical processor's round: which vCPU runs, until when, and what wakes it. The kernel's instance of
 * the time coordinator lives here ([0113], DESIGN.md 2.9). */
#ifndef KERNEL_PROCESSOR_H
#define KERNEL_PROCESSOR_H

#include "kernel/guests.h"
#include "timers/types.h"
#include "vmm/config.h"
#include "vmm/vm.h"

/* Makes the calling processor's scheduler and coordinator; its LAPIC timer is armed by them from now on.
 * Once, before its first VM runs; on the boot
 * processor first. */
void processor_init(const struct global_config *global);

/* Gives each VM a home, and lets the other processors begin. Boot processor, once, when the VMs have been
 * made. */
void processor_start(void);

/* Runs the VMs that are at home on the calling processor: on the boot processor until the last VM of all has
 * ended, on the others for ever. Interrupts disabled; they are opened in guests and while idle. */
void processor_run(void);

/* Serves console and monitor after that, until the operator says `quit`. Interrupts disabled, as above. */
void processor_linger(void);

/* A number that changes while the calling processor gets on: its loop goes round, or NMIs take it out of a
 * guest. */
uint64_t processor_progress(void);

/* ---- the operator's wishes; of a VM that nobody else touches (processor_call_alone() of kernel/smp.h)
 * ----
 */

/* A running VM loses the processor until it is resumed; its time stands. */
void processor_pause(struct vm *vm);
/* ... and goes on, with this meaning of what has passed. */
void processor_resume(struct vm *vm, enum pause_meaning meaning);
/* It starts again from its images, or ends as refused, when its RAM has been cleared; paused it stays paused.
 */
void processor_reset(struct vm *vm);
/* It ends as killed. */
void processor_kill(struct vm *vm);

/* The deadlines of processor `id` that are not a VM's, RT_NEVER where nothing waits. Of another processor
 * they are as they were a moment ago. */
struct processor_deadlines {
    rt_t slice_end; /* of the vCPU that ran last */
    rt_t console;   /* a look at the console */
    rt_t armed;     /* what the LAPIC timer is armed for, */
    uint64_t arms;  /* and how often it has been */
};
struct processor_deadlines processor_deadlines(unsigned int id);

#endif
