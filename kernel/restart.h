/* A reset takes as long as it takes to clear the VM's RAM: tens of milliseconds. It is the VM's own work,
 * done in the slices of its vCPU 0 at home, so others have the processor as beside any busy VM. The VM's
 * vCPUs are gathered meanwhile (kernel/gather.h). */
#ifndef KERNEL_RESTART_H
#define KERNEL_RESTART_H

#include "kernel/guests.h"
#include "timers/types.h"

struct processor;
struct sched_entity;

/* The gathered VM is to start again from its images, and says who wanted it. One that is being cleared goes
 * on with that. */
void restart_begin(struct guest *g, const char *who);

/* e, vCPU 0's, has the processor from RT `now` on until p's slice_end: its VM's RAM is cleared, up to the
 * next deadline, or something else that has to be looked at. True: all of it is, and the VM is to be handed
 * on (gather_cleared()). */
bool restart_run(struct processor *p, struct sched_entity *e, rt_t now);

#endif
