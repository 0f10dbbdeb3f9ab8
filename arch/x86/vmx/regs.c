/* The guest's registers outside struct vcpu_regs. */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* CR0 bits that the guest changes without an exit. The rest it reads from the shadow, and a write that
 * changes one exits: CD and NW, which an exit would not give back to the host, and what VMX fixes (NE). */
#define CR0_GUEST (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP | CR0_AM | CR0_PG)
/* The same for CR4: what Linux changes often and that needs no check against CPUID. Everything else exits,
 * above all VMXE and MCE, which stay set, and bits of features that the virtual processor has not got. */
#define CR4_GUEST                                                                                            \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)

#define DR7_ONE 0x400ull /* bit 10 reads as one, bits 63:32 as zero */

/* With unrestricted guest, PE and PG may be 0 whatever the MSR says (SDM vol. 3, A.7). */
static uint64_t cr0_real(uint64_t value)
{
    const uint64_t forced = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    return ((value & ~(CR0_CD | CR0_NW)) | forced | CR0_ET) & vmx_caps.cr0_fixed1;
}

/* A machine check with MCE clear would shut the whole processor down. */
static uint64_t cr4_real(uint64_t value)
{
    return value | vmx_caps.cr4_fixed0 | CR4_VMXE | CR4_MCE;
}

/* PAE paging keeps four page-directory-pointer entries in the processor, and VM entry loads them from the
 * VMCS. */
static void load_pdptes(const struct vmx_vcpu *v)
{
    uint64_t pdpte[4] = {0};
    const void *table = vm_ram(v->vcpu->vm, vmread(VMCS_GUEST_CR3) & 0xffffffe0u, sizeof(pdpte));
    if (table)
        memcpy(pdpte, table, sizeof(pdpte));
    vmwrite(VMCS_GUEST_PDPTE0, pdpte[0]);
    vmwrite(VMCS_GUEST_PDPTE1, pdpte[1]);
    vmwrite(VMCS_GUEST_PDPTE2, pdpte[2]);
    vmwrite(VMCS_GUEST_PDPTE3, pdpte[3]);
}

/* After any of CR0, CR3, CR4, EFER: what depends on them together. The guest's own MOV to CR0 does the same
 * in the processor, which writes the entry control back at each exit (SDM vol. 3, 28.3.1). */
static void mode_changed(struct vmx_vcpu *v)
{
    const bool paging = (vmread(VMCS_GUEST_CR0) & CR0_PG) != 0;
    const uint64_t efer = vmread(VMCS_GUEST_EFER);
    const bool lma = paging && (efer & EFER_LME);
    const uint64_t entry = vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_CTL_IA32E;
    vmwrite(VMCS_GUEST_EFER, lma ? efer | EFER_LMA : efer & ~EFER_LMA);
    vmwrite(VMCS_ENTRY_CONTROLS, lma ? entry | ENTRY_CTL_IA32E : entry);
    if (paging && !lma && (vmread(VMCS_GUEST_CR4) & CR4_PAE))
        load_pdptes(v);
    v->work |= WORK_FLUSH;
}

static void set_cr0(struct vmx_vcpu *v, uint64_t value)
{
    vmwrite(VMCS_CR0_MASK, ~CR0_GUEST);
    vmwrite(VMCS_CR0_SHADOW, value);
    vmwrite(VMCS_GUEST_CR0, cr0_real(value));
    mode_changed(v);
}

static void set_cr4(struct vmx_vcpu *v, uint64_t value)
{
    vmwrite(VMCS_CR4_MASK, ~CR4_GUEST);
    vmwrite(VMCS_CR4_SHADOW, value);
    vmwrite(VMCS_GUEST_CR4, cr4_real(value));
    mode_changed(v);
}

/* Registers that are a VMCS field and nothing else; 0 for the others. */
static enum vmcs_field plain_field(enum guest_reg reg)
{
    static const enum vmcs_field fields[GUEST_REGS] = {
        [REG_CR3] = VMCS_GUEST_CR3,
        [REG_EFER] = VMCS_GUEST_EFER,
        [REG_DR7] = VMCS_GUEST_DR7,
        [REG_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
        [REG_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
        [REG_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
        [REG_PAT] = VMCS_GUEST_PAT,
        [REG_DEBUGCTL] = VMCS_GUEST_DEBUGCTL,
        [REG_GDTR_BASE] = VMCS_GUEST_GDTR_BASE,
        [REG_GDTR_LIMIT] = VMCS_GUEST_GDTR_LIMIT,
        [REG_IDTR_BASE] = VMCS_GUEST_IDTR_BASE,
        [REG_IDTR_LIMIT] = VMCS_GUEST_IDTR_LIMIT,
    };
    return fields[reg];
}

static int switched_msr(enum guest_reg reg)
{
    switch (reg) {
    case REG_STAR:
        return SW_STAR;
    case REG_LSTAR:
        return SW_LSTAR;
    case REG_CSTAR:
        return SW_CSTAR;
    case REG_FMASK:
        return SW_FMASK;
    case REG_KERNEL_GS_BASE:
        return SW_KERNEL_GS_BASE;
    case REG_TSC_AUX:
        return SW_TSC_AUX;
    default:
        return -1;
    }
}

uint64_t vmx_get_reg(struct vcpu *vcpu, enum guest_reg reg)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmx_vmcs_use(v);
    switch (reg) {
    case REG_CR0:
        return (vmread(VMCS_GUEST_CR0) & CR0_GUEST) | (vmread(VMCS_CR0_SHADOW) & ~CR0_GUEST);
    case REG_CR4:
        return (vmread(VMCS_GUEST_CR4) & CR4_GUEST) | (vmread(VMCS_CR4_SHADOW) & ~CR4_GUEST);
    case REG_CR2:
        return v->loaded ? read_cr2() : v->cr2;
    case REG_XCR0:
        return fpu_xcr0(&v->fpu);
    default:
        break;
    }
    const int msr = switched_msr(reg);
    if (msr >= 0)
        return vmx_msr_get(v, (enum vmx_switched_msr)msr);
    return vmread(plain_field(reg));
}

static void set_cr2(struct vmx_vcpu *v, uint64_t value)
{
    v->cr2 = value;
    if (v->loaded)
        write_cr2(value);
}

void vmx_set_reg(struct vcpu *vcpu, enum guest_reg reg, uint64_t value)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmx_vmcs_use(v);
    const int msr = switched_msr(reg);
    if (msr >= 0) {
        vmx_msr_set(v, (enum vmx_switched_msr)msr, value);
        return;
    }
    switch (reg) {
    case REG_CR0:
        set_cr0(v, value);
        return;
    case REG_CR4:
        set_cr4(v, value);
        return;
    case REG_CR2:
        set_cr2(v, value);
        return;
    case REG_XCR0:
        fpu_set_xcr0(&v->fpu, value);
        return;
    case REG_DR7:
        vmwrite(VMCS_GUEST_DR7, (value & UINT32_MAX) | DR7_ONE);
        return;
    default:
        vmwrite(plain_field(reg), value);
        break;
    }
    if (reg == REG_CR3 || reg == REG_EFER)
        mode_changed(v);
}
