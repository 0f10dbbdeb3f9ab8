/* Control registers: the checks that the processor makes before a value goes into CR0, CR4, CR8, EFER or XCR0
 * (SDM vol. 3, 2.5 and 4.1; vol. 2, MOV CR, LMSW, XSETBV). */
#ifndef VMM_CR_H
#define VMM_CR_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/x86.h"

struct vcpu;
struct exit_record;

/* An exit for MOV to or from CR0, CR3, CR4 or CR8, CLTS or LMSW: does it and advances RIP, or injects #GP. */
void cr_access(struct vcpu *vcpu, const struct exit_record *exit);
/* XSETBV: ECX and EDX:EAX of the vCPU. */
void cr_xsetbv(struct vcpu *vcpu, unsigned int insn_len);

/* Of an exit with CR_UNKNOWN: decodes the instruction and fills u.cr and insn_len. False: nothing more to do
 * (SMSW has been carried out, or the instruction faults, or the VM has ended). */
bool cr_decode(struct vcpu *vcpu, struct exit_record *exit);

/* Set a register as the processor would. False: #GP(0). */
bool cr_set_cr0(struct vcpu *vcpu, uint64_t value);
bool cr_set_cr3(struct vcpu *vcpu, uint64_t value);
bool cr_set_cr4(struct vcpu *vcpu, uint64_t value);
bool cr_set_efer(struct vcpu *vcpu, uint64_t value);

#endif
