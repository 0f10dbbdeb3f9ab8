/* The MSR permission map (APM vol. 2, 15.11). */
#include "arch/x86/msr.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"
#include "vmm/vm.h"

#define RANGE 0x2000u /* MSRs; two bits each, so 2 KiB */

/* MSRs that VMLOAD, VMSAVE and VMRUN switch: what the guest writes there stays its own. */
static bool is_switched(uint32_t msr)
{
    static const uint32_t switched[] = {
        MSR_STAR,           MSR_LSTAR,       MSR_CSTAR,        MSR_FMASK,        MSR_FS_BASE, MSR_GS_BASE,
        MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_PAT};
    for (unsigned int i = 0; i < sizeof(switched) / sizeof(switched[0]); i++)
        if (msr == switched[i])
            return true;
    return false;
}

static bool is_address(uint32_t msr)
{
    return msr == MSR_LSTAR || msr == MSR_CSTAR || msr == MSR_FS_BASE || msr == MSR_GS_BASE ||
           msr == MSR_KERNEL_GS_BASE;
}

/* A write of an MSR that is not the guest's own is never let through, nor one of an address that the
 * processor would not look at: then vmm/msr.c does. */
void svm_pass_msr(struct vm *vm, uint32_t msr, bool read, bool write)
{
    const struct svm_vm *v = vm->arch;
    const bool high = msr >= 0xc0000000u;
    const uint32_t index = high ? msr - 0xc0000000u : msr;
    ASSERT(index < RANGE && (!write || is_switched(msr)));
    if (index >= RANGE)
        return;
    const uint32_t bit = 2 * (index + (high ? RANGE : 0));
    uint8_t *byte = v->msrpm + bit / 8;
    if (read)
        *byte &= (uint8_t) ~(1u << bit % 8);
    if (write && is_switched(msr) && (svm_caps.checks_addresses || !is_address(msr)))
        *byte &= (uint8_t) ~(2u << bit % 8);
}
