/* One virtual machine. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timers/coordinator.h"
#include "timers/lag.h"
#include "timers/vtime.h"
#include "vmm/bus.h"
#include "vmm/config.h"
#include "vmm/guest_ram.h"
#include "vmm/lock.h"
#include "vmm/platform.h"
#include "vmm/pvclock.h"
#include "vmm/vcpu.h"

#define VM_MAX_VCPUS 8

enum vm_state { VM_NEW, VM_RUNNING, VM_ENDED };

enum vm_end {
    VM_END_EXIT,     /* a write to port F4h: code */
    VM_END_POWEROFF, /* ACPI S5 */
    VM_END_RESET,    /* with on-reset=end */
    VM_END_CRASH,    /* reason */
    VM_END_KILLED,   /* by the operator */
    VM_END_REFUSED,  /* did not start: reason */
};

struct vm {
    struct vm_config config;
    unsigned int index; /* in the order of the command line; also the tag of its TLB entries less one */
    enum vm_state state;
    struct guest_ram ram;
    struct vtime time;
    struct bus bus;
    struct platform platform; /* its devices */
    struct pvclock pvclock;
    struct lock lock; /* of all that follows and precedes, with more than one vCPU (vm_lock()) */
    struct vcpu *vcpus[VM_MAX_VCPUS];
    unsigned int nvcpus;
    void *arch;                /* the backend's part: nested page tables, bitmaps */
    bool started;              /* has been entered: until then its time stands still */
    struct trace_rings *trace; /* of the processor that has its time in hand: set whenever one takes it up */
    uint32_t traced_mode;      /* mode and rate of the last TRACE_DECIDE (vmm/trace.c) */
    bool reset_requested;
    bool clearing;          /* its RAM, for a reset: the caller of vm_clear() notes it here */
    uint64_t cleared;       /* bytes of RAM, for a reset that is under way */
    unsigned int restarts;  /* resets so far */
    unsigned int phys_bits; /* MAXPHYADDR, the host's: the guest's page tables are checked against it */

    enum vm_end end;
    struct lag_series lag; /* stats=lag: noted whenever it gets the processor */
    uint32_t exit_code;
    char end_reason[VM_REASON_MAX];
};

/* Takes and gives back the lock of a VM with several vCPUs; one alone needs none. vcpu_put() and vcpu_poll()
 * do it themselves; who calls other functions about the VM knows that none of its vCPUs is with
 * another processor, or takes it. */
static inline void vm_lock(struct vm *vm)
{
    if (vm->nvcpus <= 1)
        return;
    lock_take(&vm->lock);
    vm->trace = host_trace();
}

static inline void vm_unlock(struct vm *vm)
{
    if (vm->nvcpus > 1)
        lock_release(&vm->lock);
}

/* Host pointer to guest-physical [gpa, gpa + length), or NULL if not all of it is RAM. Guest input: any
 * value. */
void *vm_ram(struct vm *vm, uint64_t gpa, uint64_t length);

/* Ends a VM: it will not be entered again. The first call wins. A guest's fault ends the guest, never more.
 */
void vm_end_exit(struct vm *vm, uint32_t code);
void vm_end_poweroff(struct vm *vm);
void vm_end_reset(struct vm *vm);
void vm_end_killed(struct vm *vm);
void vm_end_crash(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vm_end_refused(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A reset by the guest (CF9h, port 92h, 64h, FADT): restarts it from its images, or ends it (on-reset=end).
 * Takes effect when the current exit has been handled. */
void vm_request_reset(struct vm *vm);

/* Builds the VM of a checked configuration: RAM, nested page tables, devices, vCPUs, images. On failure it is
 * ended as refused with a reason, and holds no memory. */
bool vm_create(struct vm *vm, const struct hv_ops *ops, const struct vm_config *config, unsigned int index);
void vm_destroy(struct vm *vm);
/* After RUN_RESET, before vm_restart(): clears at most `bytes` of RAM that has not been cleared yet. True:
 * all of it is clear. Nothing of the VM may run meanwhile. */
bool vm_clear(struct vm *vm, uint64_t bytes);
/* After RUN_RESET: RAM zeroed, as far as vm_clear() has not, devices and vCPUs in power-on state, images
 * loaded again. The VM's apparent time goes on. False: the images no longer load, and the VM has been ended.
 */
bool vm_restart(struct vm *vm);

/* How often its vCPUs have made this kind of exit. */
uint64_t vm_exits(const struct vm *vm, enum exit_kind kind);

/* Changes how its time is kept while it runs; the next decision of figure 5C uses it. A maxrate of 0 leaves
 * the present one. False, and nothing is changed: out of range. */
bool vm_set_time(struct vm *vm, const struct vtime_settings *settings);

/* The backend in use (vmm/vm.c; set by vm_create's first call). */
extern const struct hv_ops *hv;

#endif
