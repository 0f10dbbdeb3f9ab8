/* Control registers: the checks that the processor makes before a value goes into CR0, CR4, CR8, EFER or XCR0
 * (SDM vol. 3, 2.5 and 4.1; vol. 2, MOV CR, LMSW, XSETBV). */
#ifndef VMM_CR_H
#define VMM_CR_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct exit_record;

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_VME        (1ull << 0)
#define CR4_PVI        (1ull << 1)
#define CR4_TSD        (1ull << 2)
#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_PCE        (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
#define CR4_PKE        (1ull << 22)

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define RFLAGS_CF (1ull << 0)
#define RFLAGS_PF (1ull << 2)
#define RFLAGS_AF (1ull << 4)
#define RFLAGS_ZF (1ull << 6)
#define RFLAGS_SF (1ull << 7)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_OF (1ull << 11)
#define RFLAGS_RF (1ull << 16)
#define RFLAGS_VM (1ull << 17)
#define RFLAGS_AC (1ull << 18)

/* An exit for MOV to or from CR0, CR3, CR4 or CR8, CLTS or LMSW: does it and advances RIP, or injects #GP. */
void cr_access(struct vcpu *vcpu, const struct exit_record *exit);
/* XSETBV: ECX and EDX:EAX of the vCPU. */
void cr_xsetbv(struct vcpu *vcpu, unsigned int insn_len);

/* Of an exit with CR_UNKNOWN: decodes the instruction and fills u.cr and insn_len. False: nothing more to do
 * (SMSW has been carried out, or the instruction faults, or the VM has ended). */
bool cr_decode(struct vcpu *vcpu, struct exit_record *exit);

/* Set a register as the processor would. False: #GP(0). */
bool cr_set_cr0(struct vcpu *vcpu, uint64_t value);
bool cr_set_cr4(struct vcpu *vcpu, uint64_t value);
bool cr_set_efer(struct vcpu *vcpu, uint64_t value);

#endif
