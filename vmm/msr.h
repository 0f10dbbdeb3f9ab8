/* Model-specific registers of the virtual processor (SDM vol. 4). One table in vmm/msr.c says who answers
 * each; an MSR that is not in it raises #GP, as on hardware. */
#ifndef VMM_MSR_H
#define VMM_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

#define MSR_FIXED_MTRRS    11
#define MSR_VARIABLE_MTRRS 8

/* MSRs that are plain memory with reserved bits: nothing in this virtual machine depends on their values. */
#define MISC_ENABLE_CPUID_LIMIT (1ull << 22) /* CPUID knows leaves 0 to 2 only */
#define MISC_ENABLE_NO_XD       (1ull << 34) /* CPUID denies NX, and EFER.NXE is reserved */

struct msr_state {
    uint64_t misc_enable;
    uint64_t tsc_aux;
    uint64_t bios_sign_id;
    uint64_t mcg_status;
    uint64_t mtrr_def_type;
    uint64_t mtrr_fixed[MSR_FIXED_MTRRS];
    uint64_t mtrr_base[MSR_VARIABLE_MTRRS];
    uint64_t mtrr_mask[MSR_VARIABLE_MTRRS];
    uint64_t unknown_reads; /* accesses that raised #GP because there is no such MSR */
    uint64_t unknown_writes;
};

/* Power-up values. */
void msr_reset(struct vcpu *vcpu);

/* RDMSR and WRMSR. False: the processor raises #GP(0) (no such MSR, read-only, or reserved bits set). */
bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value);

/* Lets the guest at the MSRs that the backend switches anyway (FS, GS, SYSENTER, SYSCALL) without exits. */
struct vm;
void msr_pass_through(struct vm *vm);

#endif
