#include "arch/x86/mitigate.h"

#include <stddef.h>

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"

#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)
#define INTEL_EBX                     0x756e6547u /* "Genu" */

struct mitigations mitigate;

_Static_assert(offsetof(struct mitigations, ibrs_exit) == 2, "mitigate.inc");

static void read_leaves(struct mitigation_leaves *cpu)
{
    const struct cpuid_regs first = cpuid(0, 0);
    const uint32_t last = cpuid(0x80000000, 0).eax;

    *cpu = (struct mitigation_leaves){.intel = first.ebx == INTEL_EBX};
    if (first.eax >= 7) {
        cpu->leaf7_ebx = cpuid(7, 0).ebx;
        cpu->leaf7_edx = cpuid(7, 0).edx;
    }
    if (cpu->leaf7_edx & CPUID_7_EDX_ARCH_CAPABILITIES)
        cpu->arch_capabilities = rdmsr(MSR_ARCH_CAPABILITIES);
    if (last >= 0x80000008)
        cpu->ext8_ebx = cpuid(0x80000008, 0).ebx;
    if (last >= 0x80000021)
        cpu->ext21_eax = cpuid(0x80000021, 0).eax;
}

void mitigate_init(enum mitigation_setting setting)
{
    struct mitigation_leaves cpu;

    read_leaves(&cpu);
    mitigations_choose(&cpu, setting, &mitigate);
}

void mitigate_cpu(void)
{
    if (mitigate.ibrs_once)
        wrmsr(MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
    if (mitigate.auto_ibrs)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AUTO_IBRS);
}

void mitigate_entry(void)
{
    static const uint16_t selector = SEL_DATA;

    if (mitigate.l1d)
        wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
    if (mitigate.verw)
        __asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

void mitigate_other_vm(const struct vm *vm)
{
    struct percpu *cpu = this_cpu();

    if (cpu->last_vm != vm)
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    cpu->last_vm = vm;
}

void mitigate_forget(const struct vm *vm)
{
    for (unsigned int i = 0; i < MAX_CPUS; i++) {
        if (percpu_of(i)->last_vm == vm)
            percpu_of(i)->last_vm = NULL;
    }
}
