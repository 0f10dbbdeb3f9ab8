/* The processors together: how they are started, how one asks another for something, how a panic stops them.
 */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include <stdbool.h>

#include "kernel/guests.h"
#include "kernel/multiboot.h"
#include "kernel/request.h"
#include "vmm/backend.h"
#include "vmm/config.h"

/* Starts the machine's other processors, up to processors= together; each switches the backend on, makes its
 * trace rings, its scheduler and its coordinator, and waits for processors_go(). One that does not answer,
 * cannot run guests as the boot processor can, or whose TSC disagrees is named on the console and left out.
 * After the boot processor's own processor_init(). */
void processors_start(const struct boot_info *boot, const struct global_config *global,
                      const struct hv_ops *backend);

/* How many run VMs (1 before processors_start(), which alone changes it); their numbers are 0 .. n-1. */
extern unsigned int processors_in_use;

/* At the end: a line for each that could run VMs, what it has done. */
void processors_report(void);

/* All others begin their rounds. */
void processors_go(void);

/* That processor's round comes soon: out of a guest, or of HLT. From any processor. */
void processor_kick(unsigned int id);

/* That processor leaves the guest that it is in, and looks at what has come for it. From any processor. */
void processor_interrupt(unsigned int id);

/* Puts a request into its inbox, and kicks it. */
void processor_send(unsigned int id, struct request *r);

/* Calls fn(g, arg) on the processor where the VM is at home, between two of its runs and with the VM's lock,
 * and waits until that is done. Of a VM of several vCPUs others may be in the guest meanwhile; `alone` takes
 * them all out before (kernel/gather.h). On the boot processor, between two runs; nobody waits for the boot
 * processor, so this comes to an end. What others want of the boot processor is carried out meanwhile. */
void processor_call(struct guest *g, void (*fn)(struct guest *g, void *arg), void *arg);
void processor_call_alone(struct guest *g, void (*fn)(struct guest *g, void *arg), void *arg);

/* Calls fn(arg) on each processor, between two of its runs, one after the other, and waits for each. As
 * processor_call(). */
void processors_each(void (*fn)(void *arg), void *arg);

/* A panic's: all others stop where they are, by NMI. The first processor that calls it is the one that goes
 * on, however often; for any other it does not return. */
void processors_stop(void);
/* The NMI's: does not return when another processor wants this one to stop. The one that goes on gets NMIs,
 * too: the watchdog's. */
void processors_stop_here(void);

#endif
