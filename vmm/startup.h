/* How a virtual processor is started and stopped by the others: INIT and SIPI (SDM vol. 3, 9.4 and 11.4.2 of
 * recent editions: "MP initialization"), and what ends its HLT. */
#ifndef VMM_STARTUP_H
#define VMM_STARTUP_H

#include <stdbool.h>

struct vcpu;

/* A message of this kind reaches the vCPU's local APIC. It is carried out by startup_act(), on the processor
 * that has the vCPU. A SIPI for one that does not wait for it is lost, as is a second one. */
void startup_init(struct vcpu *vcpu);
void startup_sipi(struct vcpu *vcpu, unsigned int vector);

/* Carries out what has come. INIT: registers and local APIC as table 9-1 says, then it waits for a SIPI; the
 * bootstrap processor would run the firmware instead, and here that is a reset of the VM. SIPI: real mode at
 * VV00:0000. Call where the vCPU is not in the guest, once in a turn of the run loop. */
void startup_act(struct vcpu *vcpu);

/* Ends HLT if there is an interrupt that would be taken, or an NMI (SDM vol. 2, HLT): true if the vCPU is
 * runnable now. */
bool startup_wake(struct vcpu *vcpu);

#endif
