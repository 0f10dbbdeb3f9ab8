/* The run loop: one virtual CPU on this processor until it has to stop. */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

enum run_stop {
    RUN_PREEMPTED, /* `until` has come */
    RUN_HALTED,    /* it waits for an interrupt (HLT) or for SIPI: gives the rest of its slice away */
    RUN_ENDED,     /* its VM has ended */
    RUN_RESET,     /* its VM is to be restarted from its images: the caller does it (vm_restart) */
};

/* Enters the guest again and again until one of the above. Called by the scheduler, with the VM's lock (which
 * is not held while the guest runs) and host interrupts disabled.
 * `until`: RT, the end of its slice. Another VM's deadline ends the run too (what host_deadline() answers);
 * the VM's own is served here and must not be in `until`: it would be taken for the loss of the processor. If
 * others had the processor since the vCPU could have run, the caller has told its VM's time (vm_latch()):
 * that gap is lag. The vCPU stays in the processor until vcpu_put(). */
enum run_stop vcpu_run(struct vcpu *vcpu, uint64_t until);

/* Another vCPU, `next`, is about to run here, or this one has ended (NULL): its state leaves the processor,
 * and unless it waits for an interrupt its VM's time learns that it has lost the processor, at the moment its
 * last run stopped. A VM that goes on with `next`, another of its vCPUs, has not lost it: the switch is
 * latency. */
void vcpu_put(struct vcpu *vcpu, const struct vcpu *next);

/* For the halted vCPU of a VM of one: delivers what is due at RT `now`, but for what comes after the event
 * that wakes it; true if it is (now) runnable. Of a large backlog, only the beginning: vtime_deadline() is
 * past then. */
bool vcpu_poll(struct vcpu *vcpu, uint64_t now);

/* For a VM of several: delivers what is due at RT `now`, and host_kick()s those that have to look at it.
 * Returns what vm_idle_until() would now. */
uint64_t vm_poll(struct vm *vm, uint64_t now);

/* RT at which what is due must be delivered though no vCPU runs, because all are halted; RT_NEVER: there is
 * nothing, or a vCPU looks for itself. */
uint64_t vm_idle_until(struct vm *vm);

/* True if from RT `since` to `now` is so long for a vCPU of the VM, which could have run, that it has lost
 * the processor (DESIGN.md 2.5); less is latency (2.10). With the VM's lock. */
bool vm_is_away(const struct vm *vm, uint64_t since, uint64_t now);

/* Others had the processor since a vCPU that is about to run could have: its VM's time is told, unless its
 * siblings have kept it going. With the VM's lock. */
void vm_latch(struct vm *vm, uint64_t now);

#endif
