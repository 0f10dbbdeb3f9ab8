/* What has to be done between guests, and between a guest and the host, so that nothing is learnt from what a
 * processor does ahead of time (SDM vol. 4, IA32_ARCH_CAPABILITIES and table 2-2; APM vol. 2, 3.2.9). Pure:
 * the choice; mitigate.h carries it out. */
#ifndef ARCH_X86_MITIGATIONS_H
#define ARCH_X86_MITIGATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/config.h"

/* What the processor says of itself; 0 where a leaf or the MSR is missing. */
struct mitigation_leaves {
    bool intel;
    uint32_t leaf7_ebx, leaf7_edx;
    uint64_t arch_capabilities;
    uint32_t ext8_ebx;  /* CPUID 80000008H */
    uint32_t ext21_eax; /* CPUID 80000021H */
};

/* Each byte is 0 or 1; entry code reads some of them. */
struct mitigations {
    bool ibpb;                              /* at a switch between VMs: IA32_PRED_CMD */
    bool rsb;                               /* after each exit: the return stack is filled */
    bool ibrs_exit;                         /* after each exit: IA32_SPEC_CTRL */
    bool ibrs_once;                         /* once on each processor: IA32_SPEC_CTRL, enhanced IBRS */
    bool auto_ibrs;                         /* once on each processor: EFER */
    bool l1d;                               /* before each entry: IA32_FLUSH_CMD */
    bool verw;                              /* before each entry: VERW clears the buffers */
    bool lacks_l1d, lacks_verw, lacks_ibpb; /* asked for, but the microcode is too old */
};

/* MITIGATIONS_AUTO: what the processor asks for; _ALL: what it can do, asked for or not; _OFF: nothing. */
void mitigations_choose(const struct mitigation_leaves *cpu, enum mitigation_setting setting,
                        struct mitigations *out);

/* "IBPB, RSB", or "none"; and what is missing. */
void mitigations_describe(const struct mitigations *m, char *text, size_t size);

#endif
