/* One physical processor's round: which vCPU runs, until when, and what wakes it. The kernel's instance of
 * the time coordinator lives here ([0113], DESIGN.md 2.9). */
#ifndef KERNEL_PROCESSOR_H
#define KERNEL_PROCESSOR_H

#include "vmm/config.h"

/* Makes the calling processor's scheduler and coordinator; its LAPIC timer is armed by them from now on.
 * Once, before any VM is made. */
void processor_init(const struct global_config *global);

/* Runs all VMs on the calling processor until the last has ended. Interrupts disabled; they are opened in
 * guests and while idle. */
void processor_run(void);

#endif
