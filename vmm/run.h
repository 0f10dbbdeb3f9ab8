/* The run loop: one virtual CPU on this processor until it has to stop. */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

enum run_stop {
    RUN_PREEMPTED, /* `until` has come */
    RUN_HALTED,    /* it waits for an interrupt (HLT) or for SIPI: gives the rest of its slice away */
    RUN_ENDED,     /* its VM has ended */
    RUN_RESET,     /* its VM is to be restarted from its images: the caller does it (vm_restart) */
};

/* Enters the guest again and again until one of the above. Tells the VM's time about running and stopping
 * (vtime_vcpu_run and so on). Called by the scheduler, host interrupts disabled. `until`: RT. */
enum run_stop vcpu_run(struct vcpu *vcpu, uint64_t until);

/* For a halted vCPU: delivers what is due at RT `now`; true if it is (now) runnable. */
bool vcpu_poll(struct vcpu *vcpu, uint64_t now);

#endif
