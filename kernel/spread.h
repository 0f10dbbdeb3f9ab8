/* Which VM is at home on which processor. A VM belongs to one processor at a time: its vCPUs are in that
 * processor's scheduler, its deadline is in that processor's coordinator, and nobody else touches it. At the
 * start VMs are spread by the number of their vCPUs; later a processor that has nothing to run gets one from
 * a processor where several want to. The giver hands it over by a request (kernel/request.h); nothing here is
 * locked. pin= fixes a VM. */
#ifndef KERNEL_SPREAD_H
#define KERNEL_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/guests.h"

struct processor;

#define HOME_NONE UINT32_MAX /* on its way from one processor to another */

/* Bit n: processor n halts for want of work, and no VM is on its way to it. Only spread.c changes it. */
extern uint64_t spread_idle;

/* Once, before the processors run: a home for each VM that runs. Boot processor. */
void spread_start(unsigned int processors);

/* pin= names processors that are not there: the phrase that refuses the VM into `why`; true then. */
bool spread_refuses(const struct vm_config *config, char *why, size_t size);

/* The processor has nothing to run: asks the busiest one for something. And it is no longer so. */
void spread_idles(struct processor *p);
void spread_wakes(struct processor *p);

/* Some processor is idle (spread_idle is not 0): gives it one of p's VMs if p has more than it can run now.
 * On p, between two runs. */
void spread_share(struct processor *p);

#endif
