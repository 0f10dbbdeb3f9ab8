/* From an exit to who handles it: one table indexed by the exit's kind. */
#ifndef VMM_DISPATCH_H
#define VMM_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct exit_record;

/* Handles one exit; completes the record where the processor told too little. Called by the run loop, the
 * VM's time advanced to this exit. Afterwards the VM may have ended or asked for a reset, and the vCPU may
 * have halted, unless vcpu->quiet is set. */
void dispatch_exit(struct vcpu *vcpu, struct exit_record *exit);

/* RDTSC and RDTSCP; CR4.TSD keeps them to the kernel (SDM vol. 2): may this vCPU now? And its answer, the
 * instruction's length being known. Both touch the vCPU alone. */
bool exit_rdtsc_allowed(struct vcpu *vcpu);
void exit_rdtsc_answer(struct vcpu *vcpu, const struct exit_record *exit, uint64_t tsc);

#endif
