/* Is VMX there, may it be used, and can it do what is needed; and switching it on. */
#include "arch/x86/cpu.h"
#include "arch/x86/fpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/string.h"

struct vmx_caps vmx_caps;

static struct vmx_cpu cpus[MAX_CPUS];

static void read_msrs(struct vmx_msrs *m)
{
    *m = (struct vmx_msrs){.feature_control = rdmsr(MSR_FEATURE_CONTROL), .basic = rdmsr(MSR_VMX_BASIC)};
    const bool true_ctls = (m->basic & VMX_BASIC_TRUE_CTLS) != 0;
    m->pin = rdmsr(true_ctls ? MSR_VMX_TRUE_PINBASED_CTLS : MSR_VMX_PINBASED_CTLS);
    m->proc = rdmsr(true_ctls ? MSR_VMX_TRUE_PROCBASED_CTLS : MSR_VMX_PROCBASED_CTLS);
    m->exit = rdmsr(true_ctls ? MSR_VMX_TRUE_EXIT_CTLS : MSR_VMX_EXIT_CTLS);
    m->entry = rdmsr(true_ctls ? MSR_VMX_TRUE_ENTRY_CTLS : MSR_VMX_ENTRY_CTLS);
    m->misc = rdmsr(MSR_VMX_MISC);
    m->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
    m->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
    m->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
    m->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
    /* The next two MSRs exist only where these bits say so (SDM vol. 3, A.3.3 and A.10). */
    if (m->proc >> 32 & PROC_SECONDARY)
        m->proc2 = rdmsr(MSR_VMX_PROCBASED_CTLS2);
    if (m->proc2 >> 32 & (PROC2_EPT | PROC2_VPID))
        m->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
}

static bool read_caps(struct vmx_caps *caps, char *why, size_t size)
{
    struct vmx_msrs msrs;
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
        host_snprintf(why, size, "no VMX (CPUID.1:ECX bit 5)");
        return false;
    }
    read_msrs(&msrs);
    return vmx_caps_resolve(&msrs, caps, why, size);
}

bool vmx_probe(char *why, size_t size)
{
    return read_caps(&vmx_caps, why, size);
}

/* Firmware that has nothing to say leaves the MSR 0: then VMXON is ours to allow, and the lock to set (SDM
 * vol. 3, 24.7). */
static void unlock_feature(void)
{
    const uint64_t control = rdmsr(MSR_FEATURE_CONTROL);
    if (!(control & FEATURE_CONTROL_LOCK))
        wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}

static bool start(struct vmx_cpu *cpu, char *why, size_t size)
{
    if (!cpu->vmxon)
        cpu->vmxon = host_alloc_pages(1, 4096);
    if (!cpu->vmxon || !vmx_make_io_bitmaps()) {
        host_snprintf(why, size, "no memory for the VMXON region and the I/O bitmaps");
        return false;
    }
    memcpy(cpu->vmxon, &vmx_caps.revision, sizeof(vmx_caps.revision));
    write_cr0((read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
    write_cr4((read_cr4() | vmx_caps.cr4_fixed0 | CR4_VMXE) & vmx_caps.cr4_fixed1);
    if (!vmx_on(host_phys(cpu->vmxon))) {
        host_snprintf(why, size, "VMXON failed (is another hypervisor active on this processor?)");
        return false;
    }
    return true;
}

bool vmx_cpu_enable(char *why, size_t size)
{
    struct vmx_caps own;
    if (!read_caps(&own, why, size))
        return false;
    /* Control words are worked out once, on the boot processor, for all. */
    if (!vmx_caps_same(&own, &vmx_caps)) {
        host_snprintf(why, size, "VMX of processor %u differs from the boot processor's", this_cpu()->id);
        return false;
    }
    struct vmx_cpu *cpu = &cpus[this_cpu()->id];
    unlock_feature();
    fpu_enable();
    if (!start(cpu, why, size))
        return false;
    this_cpu()->hv = cpu;
    /* What firmware or an earlier hypervisor left in the TLB. */
    invept(INVEPT_ALL, 0);
    if (vmx_caps.proc2 & PROC2_VPID)
        invvpid(INVVPID_ALL, 0);
    return true;
}

void vmx_describe(char *text, size_t size)
{
    host_snprintf(text, size, "Intel VMX, EPT%s%s%s%s%s", vmx_caps.ept_2m ? " (2 MiB pages)" : "",
                  vmx_caps.proc2 & PROC2_UNRESTRICTED ? ", unrestricted guest" : "",
                  vmx_caps.proc2 & PROC2_VPID ? ", VPID" : "",
                  vmx_caps.pin & PIN_PREEMPTION_TIMER ? ", preemption timer" : "",
                  vmx_caps.proc2 & PROC2_TSC_SCALING ? ", TSC scaling" : "");
}
