/* Reads and writes model-specific registers: those with meaning, and whole ranges without. */
#include "guests/hostile/hostile.h"

#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define MSR_EFER     0xC0000080u
#define MSR_APICBASE 0x1Bu

static const struct msr_range {
    uint32_t first, last;
} ranges[] = {
    {0x0, 0x3FF},   /* TSC, APIC base, FEATURE_CONTROL, microcode, SYSENTER, MTRRs, PAT, PMU, debug */
    {0x400, 0x5FF}, /* machine check, VMX capabilities, DS area, PT */
    {0x600, 0x6FF}, /* TSC deadline among RAPL's */
    {0x800, 0x8FF}, /* x2APIC */
    {0xC80, 0xDFF},
    {0x40000000, 0x4000010F}, /* where hypervisors keep theirs */
    {0x4B564D00, 0x4B564D0F}, /* KVM's: its clock writes to the guest's memory */
    {0xC0000080, 0xC0000110}, /* EFER, STAR ... TSC_AUX */
    {0xC0010000, 0xC0010140}, /* AMD's: SYSCFG, HWCR, VM_CR, VM_HSAVE_PA */
    {0xFFFFFFF0, 0xFFFFFFFF},
};

static const uint64_t patterns[] = {0, UINT64_MAX, 0x8000000000000000, 0x0123456789ABCDEF, 1};

/* A value that one of these takes away the ground that this guest stands on. */
static bool is_spared(uint32_t msr)
{
    return msr == MSR_EFER || msr == MSR_APICBASE;
}

int hostile_msrs(const struct plan *plan)
{
    unsigned int read = 0, written = 0, faults = 0;

    for (unsigned int i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        for (uint64_t msr = ranges[i].first; msr <= ranges[i].last; msr++) {
            uint64_t value;
            bool there = rdmsr_safe((uint32_t)msr, &value);

            read += there;
            faults += !there;
            for (unsigned int k = 0; k < sizeof(patterns) / sizeof(patterns[0]) && !is_spared((uint32_t)msr);
                 k++) {
                bool took = wrmsr_safe((uint32_t)msr, patterns[k]);

                written += took;
                faults += !took;
            }
            if (there && !is_spared((uint32_t)msr)) {
                (void)wrmsr_safe((uint32_t)msr, value);
            }
        }
    }
    printf("hostile: msrs read=%u written=%u faults=%u\n", read, written, faults);
    /* EFER.LMA/LME off while paging is on, and reserved bits: #GP (SDM vol. 3, 4.1.2 and 2.2.1). */
    return wrmsr_safe(MSR_EFER, 0) || wrmsr_safe(MSR_EFER, UINT64_MAX) ? 1 : (int)plan->exit;
}
