/* What the processor's SVM can do. Pure: CPUID and VM_CR are read elsewhere (enable.c), so this compiles
 * natively for its test. */
#ifndef ARCH_X86_SVM_CAPS_H
#define ARCH_X86_SVM_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As read. svm_* and vm_cr are 0 where the leaf or the MSR is not there. */
struct svm_leaves {
    uint32_t ext_ecx;          /* CPUID 80000001H ECX */
    uint32_t ext_edx;          /* EDX */
    uint32_t leaf7_ebx;        /* CPUID 7 EBX */
    uint32_t more_ebx;         /* CPUID 80000008H EBX */
    uint32_t svm_ebx, svm_edx; /* CPUID 8000000AH */
    uint64_t vm_cr;            /* MSR VM_CR */
    bool tcg;                  /* an emulator's processor: QEMU's TCG */
};

struct svm_caps {
    uint32_t asids;         /* 1 .. asids - 1 are the guests' */
    uint32_t clean;         /* the clean bits to set: none where there are no VMCB clean bits */
    uint32_t intercepts[3]; /* the words that every vCPU starts with */
    bool next_rip;          /* exits of instructions tell the next RIP */
    uint8_t length_known;   /* X_* (codes.h) of the exits that tell an instruction's length by either way */
    bool decode_assists;    /* exits of MOV to and from control registers tell the register */
    bool flush_by_asid;
    bool lbr; /* DEBUGCTL is switched */
    bool rdtscp;
    bool checks_addresses; /* WRMSR refuses an address that is not canonical, as APM vol. 3 has it */
    bool pause_filter;     /* loops of PAUSE exit, not each one */
    bool pause_threshold;  /* ... and only those whose PAUSEs are close together */
    bool tsc_ratio;        /* the TSC that a guest reads can be scaled */
};

/* False: the processor lacks something, or the firmware has locked it, and why names it in one phrase. */
bool svm_caps_resolve(const struct svm_leaves *leaves, struct svm_caps *out, char *why, size_t size);

/* Of two processors, in every member. */
bool svm_caps_same(const struct svm_caps *a, const struct svm_caps *b);

#endif
