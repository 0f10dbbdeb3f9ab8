#include "vmm/cr.h"

#include "vmm/backend.h"
#include "vmm/cpuid.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

#define CR0_KNOWN                                                                                            \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* CR4 bits that every 64-bit processor of this kind has; the rest depend on CPUID. */
#define CR4_ALWAYS                                                                                           \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |   \
     CR4_OSXMMEXCPT)

#define SEG_LONG (1u << 13)

#define PDPTE_PRESENT  1ull
#define PDPTE_RESERVED 0x1e6ull

static bool long_code(struct vcpu *vcpu)
{
    struct guest_segment cs;
    hv->get_segment(vcpu, SEG_CS, &cs);
    return cs.attr & SEG_LONG;
}

/* With PAE paging a change of CR0, CR3 or CR4 loads four PDPTEs; a reserved bit in a present one is #GP (SDM
 * vol. 3, 4.4.1), or shows at the walk where they are not loaded. There QEMU sets one itself (vmm/walk.c). */
static bool pdptes_valid(struct vcpu *vcpu, uint64_t cr3)
{
    uint64_t reserved = PDPTE_RESERVED | ~((1ull << vcpu->vm->phys_bits) - 1), pdptes[4];
    const void *table = vm_ram(vcpu->vm, cr3 & 0xffffffe0u, sizeof(pdptes));

    if (!hv->loads_pdptes)
        return true;
    if (!table)
        return false;
    memcpy(pdptes, table, sizeof(pdptes));
    for (unsigned int i = 0; i < 4; i++)
        if ((pdptes[i] & PDPTE_PRESENT) && (pdptes[i] & reserved))
            return false;
    return true;
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

/* SDM vol. 3, 2.5 and 4.1.2; vol. 2, MOV to control registers. Reserved bits below 32 are dropped, those
 * above fault. */
bool cr_set_cr0(struct vcpu *vcpu, uint64_t value)
{
    uint64_t old = hv->get_reg(vcpu, REG_CR0), efer = hv->get_reg(vcpu, REG_EFER),
             cr4 = hv->get_reg(vcpu, REG_CR4);
    bool paging_on = (value & CR0_PG) && !(old & CR0_PG), paging_off = !(value & CR0_PG) && (old & CR0_PG);

    if (value > UINT32_MAX)
        return false;
    value = (value & CR0_KNOWN) | CR0_ET;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return false;
    if (paging_on && (efer & EFER_LME) && (!(cr4 & CR4_PAE) || long_code(vcpu)))
        return false;
    if (paging_off && (efer & EFER_LMA) && long_code(vcpu))
        return false;
    if (((old ^ value) & (CR0_PG | CR0_CD | CR0_NW)) && pae_paging(value, cr4, efer) &&
        !pdptes_valid(vcpu, hv->get_reg(vcpu, REG_CR3)))
        return false;
    hv->set_reg(vcpu, REG_CR0, value);
    return true;
}

static uint64_t cr4_allowed(void)
{
    uint64_t allowed = CR4_ALWAYS;

    allowed |= cpuid_has(1, CPUID_ECX, CPUID_1_ECX_XSAVE) ? CR4_OSXSAVE : 0;
    allowed |= cpuid_has(7, CPUID_EBX, CPUID_7_EBX_FSGSBASE) ? CR4_FSGSBASE : 0;
    allowed |= cpuid_has(7, CPUID_EBX, CPUID_7_EBX_SMEP) ? CR4_SMEP : 0;
    allowed |= cpuid_has(7, CPUID_EBX, CPUID_7_EBX_SMAP) ? CR4_SMAP : 0;
    allowed |= cpuid_has(7, CPUID_ECX, CPUID_7_ECX_UMIP) ? CR4_UMIP : 0;
    return allowed;
}

bool cr_set_cr4(struct vcpu *vcpu, uint64_t value)
{
    const uint64_t loading = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP;
    uint64_t old = hv->get_reg(vcpu, REG_CR4), efer = hv->get_reg(vcpu, REG_EFER),
             cr0 = hv->get_reg(vcpu, REG_CR0);

    if (value & ~cr4_allowed())
        return false;
    if ((efer & EFER_LMA) && !(value & CR4_PAE))
        return false;
    if (((old ^ value) & loading) && pae_paging(cr0, value, efer) &&
        !pdptes_valid(vcpu, hv->get_reg(vcpu, REG_CR3)))
        return false;
    hv->set_reg(vcpu, REG_CR4, value);
    return true;
}

bool cr_set_cr3(struct vcpu *vcpu, uint64_t value)
{
    uint64_t efer = hv->get_reg(vcpu, REG_EFER);

    if ((efer & EFER_LMA) && value >> vcpu->vm->phys_bits)
        return false;
    if (pae_paging(hv->get_reg(vcpu, REG_CR0), hv->get_reg(vcpu, REG_CR4), efer) &&
        !pdptes_valid(vcpu, value))
        return false;
    hv->set_reg(vcpu, REG_CR3, value);
    return true;
}

static bool set_cr8(struct vcpu *vcpu, uint64_t value)
{
    if (value > 15)
        return false;
    lapic_set_cr8(&vcpu->lapic, (uint8_t)value);
    return true;
}

/* LMA is the processor's own and not written (SDM vol. 3, 2.2.1). */
bool cr_set_efer(struct vcpu *vcpu, uint64_t value)
{
    uint64_t old = hv->get_reg(vcpu, REG_EFER), allowed = EFER_LMA;

    allowed |= cpuid_has(0x80000001, CPUID_EDX, CPUID_81_EDX_SYSCALL) ? EFER_SCE : 0;
    allowed |= cpuid_has(0x80000001, CPUID_EDX, CPUID_81_EDX_LM) ? EFER_LME : 0;
    allowed |= cpuid_has(0x80000001, CPUID_EDX, CPUID_81_EDX_NX) ? EFER_NXE : 0;
    if (value & ~allowed)
        return false;
    if (((old ^ value) & EFER_LME) && (hv->get_reg(vcpu, REG_CR0) & CR0_PG))
        return false;
    hv->set_reg(vcpu, REG_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
    return true;
}

static bool cr_write(struct vcpu *vcpu, unsigned int cr, uint64_t value)
{
    switch (cr) {
    case 0:
        return cr_set_cr0(vcpu, value);
    case 3:
        return cr_set_cr3(vcpu, value);
    case 4:
        return cr_set_cr4(vcpu, value);
    default:
        return set_cr8(vcpu, value);
    }
}

static uint64_t cr_read(struct vcpu *vcpu, unsigned int cr)
{
    switch (cr) {
    case 0:
        return hv->get_reg(vcpu, REG_CR0);
    case 3:
        return hv->get_reg(vcpu, REG_CR3);
    case 4:
        return hv->get_reg(vcpu, REG_CR4);
    default:
        return lapic_cr8(&vcpu->lapic);
    }
}

/* MOV moves 64 bits in 64-bit mode and 32 otherwise. */
static bool move(struct vcpu *vcpu, const struct exit_record *exit)
{
    uint64_t *reg = &vcpu->regs.gpr[exit->u.cr.gpr & 15];
    uint64_t mask = guest_mode(vcpu) == 64 ? UINT64_MAX : UINT32_MAX;

    if (exit->u.cr.access == CR_WRITE)
        return cr_write(vcpu, exit->u.cr.cr, *reg & mask);
    *reg = cr_read(vcpu, exit->u.cr.cr) & mask;
    return true;
}

/* LMSW loads CR0 bits 3:0 but cannot clear PE (SDM vol. 2, LMSW). */
static bool load_machine_status(struct vcpu *vcpu, uint16_t value)
{
    uint64_t cr0 = hv->get_reg(vcpu, REG_CR0), bits = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
    return cr_set_cr0(vcpu, (cr0 & ~(bits & ~CR0_PE)) | (value & bits));
}

/* What the exit tells of the access must be complete. */
static void carry_out(struct vcpu *vcpu, const struct exit_record *exit)
{
    bool ok = true;

    switch ((enum cr_access)exit->u.cr.access) {
    case CR_WRITE:
    case CR_READ:
        ok = move(vcpu, exit);
        break;
    case CR_CLTS:
        hv->set_reg(vcpu, REG_CR0, hv->get_reg(vcpu, REG_CR0) & ~CR0_TS);
        break;
    case CR_LMSW:
        ok = load_machine_status(vcpu, exit->u.cr.lmsw);
        break;
    case CR_UNKNOWN:
        ASSERT(false);
        return;
    }
    if (ok)
        vcpu_skip(vcpu, exit->insn_len);
    else
        vcpu_inject_gp(vcpu);
}

void cr_access(struct vcpu *vcpu, const struct exit_record *exit)
{
    struct exit_record known = *exit;

    if (exit->u.cr.access != CR_UNKNOWN || cr_decode(vcpu, &known))
        carry_out(vcpu, &known);
}

/* SDM vol. 2, XSETBV; vol. 1, 13.3. Only XCR0 exists; x87 is always on, AVX needs SSE. */
void cr_xsetbv(struct vcpu *vcpu, unsigned int insn_len)
{
    uint64_t value = (uint32_t)vcpu->regs.gpr[GPR_RAX] | vcpu->regs.gpr[GPR_RDX] << 32;
    bool sse = value & 2, avx = value & 4;

    if (!(hv->get_reg(vcpu, REG_CR4) & CR4_OSXSAVE)) {
        vcpu_inject_ud(vcpu);
        return;
    }
    if (vcpu_cpl(vcpu) != 0 || (uint32_t)vcpu->regs.gpr[GPR_RCX] != 0 || !(value & 1) || (avx && !sse) ||
        (value & ~cpuid_xcr0_mask())) {
        vcpu_inject_gp(vcpu);
        return;
    }
    hv->set_reg(vcpu, REG_XCR0, value);
    vcpu_skip(vcpu, insn_len);
}
