/* Which vCPU has its seat on which processor (kernel/gather.h). At the start each goes where the fewest are;
 * pin= says where instead. Those of a VM of several stay there, and run side by side. A VM of one vCPU
 * belongs to one processor at a time, and nobody else touches it: a processor that has nothing to run gets
 * one from a processor where several want to. The giver hands it over by a request (kernel/request.h);
 * nothing here is locked. */
#ifndef KERNEL_SPREAD_H
#define KERNEL_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/guests.h"

struct processor;

/* Bit n: processor n halts for want of work, and no VM is on its way to it. Only spread.c changes it. */
extern uint64_t spread_idle;

/* Once, before the processors run: a seat for each vCPU of the VMs that run; together: all of a VM's on one
 * processor. Boot processor. */
void spread_start(unsigned int processors, bool together);

/* pin= names processors that are not there: the phrase that refuses the VM into `why`; true then. */
bool spread_refuses(const struct vm_config *config, char *why, size_t size);

/* The processor has nothing to run: asks the busiest one for something. And it is no longer so. */
void spread_idles(struct processor *p);
void spread_wakes(struct processor *p);

/* Some processor is idle (spread_idle is not 0): gives it one of p's VMs if p has more than it can run now.
 * On p, between two runs. */
void spread_share(struct processor *p);

#endif
