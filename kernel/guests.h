/* All VMs of this machine: made from the boot modules, run to their ends, reported. */
#ifndef KERNEL_GUESTS_H
#define KERNEL_GUESTS_H

#include <stdbool.h>

#include "kernel/lines.h"
#include "kernel/request.h"
#include "kernel/sched.h"
#include "kernel/upkeep.h"
#include "vmm/config.h"
#include "vmm/vm.h"

#define GUESTS_MAX LINES_VMS /* each has a share of the console */

/* What becomes of the time that passes while a VM is paused. */
enum pause_meaning {
    PAUSE_FREEZE,  /* it has not passed for the VM: neither AT nor lag */
    PAUSE_CATCHUP, /* it is lag, and AT catches it up; past leap= AT leaps, as ever */
    PAUSE_LEAP,    /* AT jumps over it */
};

struct guest;
struct wish;

#define HOME_NONE UINT32_MAX /* on its way from one processor to another */

/* Where a vCPU is scheduled (kernel/gather.h). */
struct seat {
    struct guest *guest;
    unsigned int processor; /* atomic; changed while the VM is gathered (kernel/spread.c) */
    bool in;                /* it is in that processor's scheduler, which alone writes it; atomic */
    bool moved;             /* it comes there for the first time. That processor's own, as what follows: */
    struct deadline wake;   /* if the VM's vCPUs are all halted: when it is to be looked at, */
    struct upkeep upkeep;   /* and what that has cost */
    bool called, asked;     /* its request is in an inbox; atomic */
    struct request call;    /* to look whether it has to run (host_kick()) */
    struct request leave;   /* kernel/gather.c's, */
    struct request come;    /* as is this */
};

struct guest {
    struct vm vm;
    struct sched_entity entities[VM_MAX_VCPUS]; /* one for each vCPU */
    struct seat seats[VM_MAX_VCPUS];            /* also of those that are not there */
    struct request move;                        /* of the whole VM, */
    unsigned int bound_for;                     /* and where to, while it has no home */
    bool paused;                                /* by the operator: no processor, no deadline */
    enum pause_meaning meaning;

    /* kernel/gather.c's */
    bool gathering;    /* its vCPUs are to leave their seats; atomic */
    unsigned int in;   /* vCPUs that have not left; atomic */
    struct wish *wish; /* what they leave for */
    bool ended;
};

/* The processor where all is done that needs the whole VM; HOME_NONE: it is on its way to another. Any
 * processor may ask; on the home itself the answer lasts. */
static inline unsigned int guest_home(const struct guest *g)
{
    return __atomic_load_n(&g->seats[0].processor, __ATOMIC_ACQUIRE);
}

/* Is the vCPU of this seat there, and is that on `processor`? Of another processor's the answer may be old by
 * now; true lasts on the processor's own. What is there has come after the seat was given: in this order. */
static inline bool seat_is_taken(const struct seat *s)
{
    return __atomic_load_n(&s->in, __ATOMIC_ACQUIRE);
}
static inline bool seat_is_on(const struct seat *s, unsigned int processor)
{
    return __atomic_load_n(&s->processor, __ATOMIC_ACQUIRE) == processor;
}

/* Creates the VMs of the modules on a backend that is switched on (at boot, once). A VM that cannot start is
 * ended as refused, with its line on the console; the others go on. Without a backend (ops NULL) all are
 * refused for `why`. False, with a line on the console, if there is nothing to run. */
bool guests_create(const struct hv_ops *ops, const char *why, const struct boot_module *modules,
                   unsigned int nmodules, bool qemu);

unsigned int guests_count(void);
struct guest *guests_get(unsigned int index);

/* How many have not ended. */
unsigned int guests_alive(void);

/* How it ended, in DESIGN.md's words (section 4, "End"): "exit 3", "crash REASON". Returns out. */
#define GUESTS_END_WORDS (VM_REASON_MAX + 10)
const char *guests_end_words(char out[GUESTS_END_WORDS], const struct vm *vm);

/* The lines at the end (DESIGN.md section 4, "End"): one for each VM, then the verdict. True if all ended ok.
 */
bool guests_report(void);

#endif
