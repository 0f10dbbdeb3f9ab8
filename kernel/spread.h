/* Which vCPU has its seat on which processor (kernel/gather.h). At the start each goes where the fewest are;
 * pin= says where instead. A processor that has nothing to run, or much less, gets a vCPU from one where
 * several want to. A VM of one vCPU belongs to one processor at a time, and nobody else touches it: the giver
 * hands it over by a request (kernel/request.h). The others of a VM of several run side by side with it, and
 * use its seat: for that moment the VM is gathered (kernel/gather.h). Nothing here is locked. */
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

/* The share of the VMs at home on p has changed: the default of maxrate= with it. The share of each VM grows
 * as others end, so less catching up is needed (DESIGN.md 2.8: the default is 4 times the runnable VMs of the
 * processor). On p. */
void spread_set_rates(struct processor *p);

/* The processor has nothing to run: asks the busiest one for something. And it is no longer so. */
void spread_idles(struct processor *p);
void spread_wakes(struct processor *p);

/* Some processor is idle (spread_idle is not 0): gives it one of p's vCPUs if p has more than it can run now;
 * and the one with the fewest one of them if p has had two more for some slices. On p, between two runs,
 * where there is more than one processor. */
void spread_share(struct processor *p, rt_t now);

#endif
