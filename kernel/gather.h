/* A VM as a whole, while its vCPUs may be on several processors. Each vCPU has a seat: the processor whose
 * scheduler it is in. The VM's home is vCPU 0's seat; there its port is served, and there alone is done what
 * needs the VM for oneself: a reset, its end, a pause, a look at registers. For that the vCPUs are gathered:
 * each leaves its seat, on its own processor and between two runs, and whoever is the last hands the VM to
 * its home. Nobody waits. Afterwards, if it goes on, the vCPUs come back to their seats. */
#ifndef KERNEL_GATHER_H
#define KERNEL_GATHER_H

#include <stdbool.h>

#include "kernel/guests.h"

struct processor;

/* What is to be done at home with a VM that nobody else touches meanwhile. */
struct wish {
    void (*fn)(struct guest *g, void *arg);
    void *arg;
    bool done; /* atomic; the wish is its owner's again */
};

/* Takes the VM's vCPUs from their processors; then, at home, an end or a reset that the guest has wanted is
 * carried out, and the wish (NULL: none). On a processor where one of its vCPUs has just run, or at home;
 * between two runs. False: they are being gathered already; those that are here have left now, and nothing
 * will become of the wish. */
bool gather(struct processor *p, struct guest *g, struct wish *wish);

/* The vCPU of this seat may have to run: on its processor; and on any other, which only sends word. With its
 * VM's lock, or alone. */
void gather_wake(struct processor *p, struct seat *seat);
void gather_call(struct seat *seat);

/* At the start: the vCPUs that have their seats on p go into its scheduler. */
void gather_start(struct processor *p, struct guest *g);

/* At home: the RAM of a VM that is to be reset has been cleared. It starts again; not yet if somebody wants
 * it for himself just then: call it at its next turn, too. */
void gather_cleared(struct processor *p, struct guest *g);

/* One vCPU of a VM of one goes to another processor, and has come there (kernel/spread.c). */
void gather_leave(struct processor *p, struct guest *g, unsigned int id);

/* VMs that have not ended. The first is told once, before the processors run. */
void gather_count(unsigned int vms);
unsigned int gather_alive(void);

#endif
