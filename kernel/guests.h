/* All VMs of this machine: made from the boot modules, run to their ends, reported. */
#ifndef KERNEL_GUESTS_H
#define KERNEL_GUESTS_H

#include <stdbool.h>

#include "kernel/lines.h"
#include "kernel/request.h"
#include "kernel/sched.h"
#include "vmm/config.h"
#include "vmm/vm.h"

#define GUESTS_MAX LINES_VMS /* each has a share of the console */

/* What becomes of the time that passes while a VM is paused. */
enum pause_meaning {
    PAUSE_FREEZE,  /* it has not passed for the VM: neither AT nor lag */
    PAUSE_CATCHUP, /* it is lag, and AT catches it up; past leap= AT leaps, as ever */
    PAUSE_LEAP,    /* AT jumps over it */
};

struct guest {
    struct vm vm;
    unsigned int
        home; /* the processor that it belongs to; HOME_NONE on its way to another (kernel/spread.h) */
    struct request move;
    bool paused; /* by the operator: no processor, no deadline */
    enum pause_meaning meaning;
    struct sched_entity entities[VM_MAX_VCPUS]; /* one for each vCPU */
};

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
