/* The MSRs that the guest has to itself while its vCPU is loaded, because the host uses none of them; and the
 * MSR bitmap. FS and GS base, SYSENTER, PAT and EFER are VMCS fields and switched by the processor. */
#include "arch/x86/msr.h"

#include "arch/x86/cpu.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/vm.h"

static const uint32_t numbers[VMX_SWITCHED_MSRS] = {
    [SW_STAR] = MSR_STAR,
    [SW_LSTAR] = MSR_LSTAR,
    [SW_CSTAR] = MSR_CSTAR,
    [SW_FMASK] = MSR_FMASK,
    [SW_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
    [SW_TSC_AUX] = MSR_TSC_AUX,
};

/* TSC_AUX is there where RDTSCP is; it is last. */
static unsigned int count(void)
{
    return vmx_caps.proc2 & PROC2_RDTSCP ? VMX_SWITCHED_MSRS : SW_TSC_AUX;
}

void vmx_msrs_load(const struct vmx_vcpu *v)
{
    for (unsigned int i = 0; i < count(); i++)
        wrmsr(numbers[i], v->msr[i]);
}

void vmx_msrs_save(struct vmx_vcpu *v)
{
    for (unsigned int i = 0; i < count(); i++)
        v->msr[i] = rdmsr(numbers[i]);
}

uint64_t vmx_msr_get(const struct vmx_vcpu *v, enum vmx_switched_msr which)
{
    return v->loaded && which < count() ? rdmsr(numbers[which]) : v->msr[which];
}

void vmx_msr_set(struct vmx_vcpu *v, enum vmx_switched_msr which, uint64_t value)
{
    v->msr[which] = value;
    if (v->loaded && which < count())
        wrmsr(numbers[which], value);
}

static bool is_switched(uint32_t msr)
{
    static const uint32_t in_vmcs[] = {MSR_FS_BASE,      MSR_GS_BASE,      MSR_SYSENTER_CS,
                                       MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_PAT};
    for (unsigned int i = 0; i < sizeof(in_vmcs) / sizeof(in_vmcs[0]); i++)
        if (msr == in_vmcs[i])
            return true;
    for (unsigned int i = 0; i < count(); i++)
        if (msr == numbers[i])
            return true;
    return false;
}

/* SDM vol. 3, 25.6.9: four bitmaps of 1 KiB, for reads and writes of 0-1FFFh and C0000000h-C0001FFFh. A write
 * of an MSR that is not the guest's own is never let through. */
void vmx_pass_msr(struct vm *vm, uint32_t msr, bool read, bool write)
{
    const struct vmx_vm *v = vm->arch;
    const bool high = msr >= 0xc0000000u;
    const uint32_t bit = high ? msr - 0xc0000000u : msr;
    ASSERT(bit < 0x2000 && (!write || is_switched(msr)));
    if (bit >= 0x2000)
        return;
    uint8_t *reads = v->msr_bitmap + (high ? 1024 : 0) + bit / 8;
    if (read)
        *reads &= (uint8_t) ~(1u << bit % 8);
    if (write && is_switched(msr))
        reads[2048] &= (uint8_t) ~(1u << bit % 8);
}
