/* From an exit to who handles it: one table indexed by the exit's kind. */
#ifndef VMM_DISPATCH_H
#define VMM_DISPATCH_H

struct vcpu;
struct exit_record;

/* Handles one exit; completes the record where the processor told too little. Called by the run loop, the
 * VM's time advanced to this exit. Afterwards the VM may have ended or asked for a reset, and the vCPU may
 * have halted, unless vcpu->quiet is set. */
void dispatch_exit(struct vcpu *vcpu, struct exit_record *exit);

#endif
