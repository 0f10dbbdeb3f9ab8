/* CPUID as the guest sees it: the host's leaves through one table of masks, and a few of our own
 * (vmm/cpuid.c). */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* What CPUID answers to this vCPU now: some bits follow its CR4, XCR0 and APIC base. */
void cpuid_read(struct vcpu *vcpu, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* Answers that do not follow the vCPU's state are remembered, for the exit. */
#define CPUID_ANSWERS 16u /* a power of two */
struct cpuid_answer {
    uint32_t leaf, sub;
    uint32_t out[4];
    bool known;
    uint32_t pad; /* an index is a shift */
};

/* Where among CPUID_ANSWERS the answer is, if it is known. */
static inline struct cpuid_answer *cpuid_slot(struct cpuid_answer *answers, uint32_t leaf, uint32_t sub)
{
    return &answers[(leaf ^ leaf >> 28 ^ sub << 2) % CPUID_ANSWERS];
}

static inline bool cpuid_known(const struct cpuid_answer *a, uint32_t leaf, uint32_t sub)
{
    return a->leaf == leaf && a->sub == sub && a->known;
}

/* Makes *a the answer, good for now at least. */
void cpuid_find_out(struct vcpu *vcpu, struct cpuid_answer *a, uint32_t leaf, uint32_t sub);

/* The vCPU's state has changed in what remembered answers follow (IA32_MISC_ENABLE). */
void cpuid_forget(struct vcpu *vcpu);

/* True if the guest is told of all these feature bits (of a leaf's subleaf 0; state-dependent bits apart). */
bool cpuid_has(uint32_t leaf, enum cpuid_reg reg, uint32_t mask);

/* The XCR0 bits that the guest may set: 0 without XSAVE. */
uint64_t cpuid_xcr0_mask(void);

/* MAXPHYADDR of the processor. */
unsigned int cpuid_phys_bits(void);

/* Leaf 1 */
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_1_EDX_APIC  (1u << 9)
/* Leaf 7 */
#define CPUID_7_EBX_FSGSBASE (1u << 0)
#define CPUID_7_EBX_SMEP     (1u << 7)
#define CPUID_7_EBX_SMAP     (1u << 20)
#define CPUID_7_ECX_UMIP     (1u << 2)
/* Leaf 80000001h */
#define CPUID_81_EDX_SYSCALL (1u << 11)
#define CPUID_81_EDX_NX      (1u << 20)
#define CPUID_81_EDX_LM      (1u << 29)

#endif
