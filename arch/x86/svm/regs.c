/* The guest's registers outside struct vcpu_regs. */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"

/* CR0 bits that the guest changes without an exit: what the selective intercept leaves alone. */
#define CR0_GUEST (CR0_MP | CR0_TS)

#define INTERCEPT_CR0 (1u << 0)
#define INTERCEPT_CR4 (1u << 4)

#define DR7_ONE 0x400ull /* bit 10 reads as one, bits 63:32 as zero */

/* Caching stays on: CD would slow the guest down and do nothing else. With NE clear an x87 error would become
 * an interrupt of the host's (FERR). */
static uint64_t cr0_real(uint64_t value)
{
    return (value & ~(CR0_CD | CR0_NW)) | CR0_NE | CR0_ET;
}

/* A machine check with MCE clear would shut the whole processor down. */
static uint64_t cr4_real(uint64_t value)
{
    return value | (read_cr4() & CR4_MCE);
}

/* After any of CR0, CR4, EFER: what depends on them together. The processor does the same at the guest's own
 * MOV. */
static void mode_changed(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    const bool lma = (c->cr0 & CR0_PG) && (c->efer & EFER_LME);
    c->efer = lma ? c->efer | EFER_LMA : c->efer & ~EFER_LMA;
    v->work |= WORK_FLUSH;
    svm_changed(v, CLEAN_CR);
}

static void intercept(uint16_t *word, uint16_t bit, bool on)
{
    *word = (uint16_t)(on ? *word | bit : *word & ~bit);
}

/* The processor has no shadow of CR0: while it holds something else than the guest is to see, every access
 * exits. */
static void set_cr0(struct svm_vcpu *v, uint64_t value)
{
    v->cr0 = value;
    v->vmcb->cr0 = cr0_real(value);
    intercept(&v->vmcb->cr_read, INTERCEPT_CR0, v->vmcb->cr0 != value);
    intercept(&v->vmcb->cr_write, INTERCEPT_CR0, v->vmcb->cr0 != value);
    svm_changed(v, CLEAN_INTERCEPTS);
    mode_changed(v);
}

/* Writes always exit: the guest must not set bits of features that the virtual processor has not got. */
static void set_cr4(struct svm_vcpu *v, uint64_t value)
{
    v->cr4 = value;
    v->vmcb->cr4 = cr4_real(value);
    intercept(&v->vmcb->cr_read, INTERCEPT_CR4, v->vmcb->cr4 != value);
    svm_changed(v, CLEAN_INTERCEPTS);
    mode_changed(v);
}

/* Registers that are 64 bits of the VMCB and nothing else, and the part of it that they are in. */
static const struct {
    uint16_t offset; /* 0: not such a one */
    uint16_t part;
} fields[GUEST_REGS] = {
    [REG_CR2] = {offsetof(struct vmcb, cr2), CLEAN_CR2},
    [REG_CR3] = {offsetof(struct vmcb, cr3), CLEAN_CR},
    [REG_EFER] = {offsetof(struct vmcb, efer), CLEAN_CR},
    [REG_DR7] = {offsetof(struct vmcb, dr7), CLEAN_DR},
    [REG_STAR] = {offsetof(struct vmcb, star), 0},
    [REG_LSTAR] = {offsetof(struct vmcb, lstar), 0},
    [REG_CSTAR] = {offsetof(struct vmcb, cstar), 0},
    [REG_FMASK] = {offsetof(struct vmcb, fmask), 0},
    [REG_KERNEL_GS_BASE] = {offsetof(struct vmcb, kernel_gs_base), 0},
    [REG_SYSENTER_CS] = {offsetof(struct vmcb, sysenter_cs), 0},
    [REG_SYSENTER_ESP] = {offsetof(struct vmcb, sysenter_esp), 0},
    [REG_SYSENTER_EIP] = {offsetof(struct vmcb, sysenter_eip), 0},
    [REG_PAT] = {offsetof(struct vmcb, pat), CLEAN_NP},
    [REG_DEBUGCTL] = {offsetof(struct vmcb, debugctl), CLEAN_LBR},
    [REG_GDTR_BASE] = {offsetof(struct vmcb, gdtr.base), CLEAN_DT},
    [REG_IDTR_BASE] = {offsetof(struct vmcb, idtr.base), CLEAN_DT},
};

static uint64_t *field(const struct svm_vcpu *v, enum guest_reg reg)
{
    ASSERT(fields[reg].offset);
    return (uint64_t *)((uint8_t *)v->vmcb + fields[reg].offset);
}

uint64_t svm_get_reg(struct vcpu *vcpu, enum guest_reg reg)
{
    const struct svm_vcpu *v = svm_of(vcpu);
    switch (reg) {
    case REG_CR0:
        return (v->vmcb->cr0 & CR0_GUEST) | (v->cr0 & ~CR0_GUEST);
    case REG_CR4:
        return v->cr4;
    case REG_EFER:
        return v->vmcb->efer & ~EFER_SVME;
    case REG_XCR0:
        return fpu_xcr0(&v->fpu);
    case REG_TSC_AUX:
        return v->tsc_aux;
    case REG_GDTR_LIMIT:
        return v->vmcb->gdtr.limit;
    case REG_IDTR_LIMIT:
        return v->vmcb->idtr.limit;
    default:
        return *field(v, reg);
    }
}

static void set_tsc_aux(struct svm_vcpu *v, uint64_t value)
{
    v->tsc_aux = value;
    if (v->fpu.loaded && svm_caps.rdtscp)
        wrmsr(MSR_TSC_AUX, value);
}

static void set_field(struct svm_vcpu *v, enum guest_reg reg, uint64_t value)
{
    *field(v, reg) = value;
    svm_changed(v, fields[reg].part);
    if (reg == REG_CR3)
        v->work |= WORK_FLUSH;
    if (reg == REG_DEBUGCTL)
        v->vmcb->lbr_control = value && svm_caps.lbr ? LBR_ENABLE : 0;
}

void svm_set_reg(struct vcpu *vcpu, enum guest_reg reg, uint64_t value)
{
    struct svm_vcpu *v = svm_of(vcpu);
    switch (reg) {
    case REG_CR0:
        set_cr0(v, value);
        break;
    case REG_CR4:
        set_cr4(v, value);
        break;
    case REG_EFER: /* VMRUN insists on SVME; the guest does not see it */
        set_field(v, reg, value | EFER_SVME);
        mode_changed(v);
        break;
    case REG_DR7:
        set_field(v, reg, (value & UINT32_MAX) | DR7_ONE);
        break;
    case REG_XCR0:
        fpu_set_xcr0(&v->fpu, value);
        break;
    case REG_TSC_AUX:
        set_tsc_aux(v, value);
        break;
    case REG_GDTR_LIMIT:
        v->vmcb->gdtr.limit = (uint32_t)value;
        svm_changed(v, CLEAN_DT);
        break;
    case REG_IDTR_LIMIT:
        v->vmcb->idtr.limit = (uint32_t)value;
        svm_changed(v, CLEAN_DT);
        break;
    default:
        set_field(v, reg, value);
        break;
    }
}
