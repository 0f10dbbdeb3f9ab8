#include "vmm/msr.h"

#include "timers/lapic_timer.h"
#include "timers/tsc.h"
#include "vmm/apic_bus.h"
#include "vmm/cpuid.h"
#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/lapic_x2.h"
#include "vmm/platform.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* Numbers of SDM vol. 4, table 2-2. */
#define MSR_TSC             0x10u
#define MSR_PLATFORM_ID     0x17u
#define MSR_APIC_BASE       0x1bu
#define MSR_TSC_ADJUST      0x3bu
#define MSR_BIOS_UPDT_TRIG  0x79u
#define MSR_BIOS_SIGN_ID    0x8bu
#define MSR_MTRRCAP         0xfeu
#define MSR_SYSENTER_CS     0x174u
#define MSR_SYSENTER_ESP    0x175u
#define MSR_SYSENTER_EIP    0x176u
#define MSR_MCG_CAP         0x179u
#define MSR_MCG_STATUS      0x17au
#define MSR_MISC_ENABLE     0x1a0u
#define MSR_DEBUGCTL        0x1d9u
#define MSR_MTRR_PHYS_FIRST 0x200u
#define MSR_MTRR_PHYS_LAST  0x20fu
#define MSR_MTRR_FIX_64K    0x250u
#define MSR_MTRR_FIX_16K    0x258u
#define MSR_MTRR_FIX_4K     0x268u
#define MSR_PAT             0x277u
#define MSR_MTRR_DEF_TYPE   0x2ffu
#define MSR_TSC_DEADLINE    0x6e0u
#define MSR_EFER            0xc0000080u
#define MSR_STAR            0xc0000081u
#define MSR_LSTAR           0xc0000082u
#define MSR_CSTAR           0xc0000083u
#define MSR_FMASK           0xc0000084u
#define MSR_FS_BASE         0xc0000100u
#define MSR_GS_BASE         0xc0000101u
#define MSR_KERNEL_GS_BASE  0xc0000102u
#define MSR_TSC_AUX         0xc0000103u
#define MSR_K7_EVNTSEL0     0xc0010000u /* four counters, on every AMD64 processor (APM vol. 2, 13.2.1) */
#define MSR_K7_PERFCTR3     0xc0010007u
#define MSR_SYSCFG          0xc0010010u
#define MSR_HWCR            0xc0010015u
#define MSR_NB_CFG          0xc001001fu
#define MSR_INT_PENDING     0xc0010055u
#define MSR_DE_CFG          0xc0011029u

/* IA32_MISC_ENABLE (SDM vol. 4, table 2-2): fast strings on; no branch trace store, no PEBS. */
#define MISC_ENABLE_FAST_STRINGS (1ull << 0)
#define MISC_ENABLE_PERFMON      (1ull << 7)
#define MISC_ENABLE_NO_BTS       (1ull << 11)
#define MISC_ENABLE_NO_PEBS      (1ull << 12)
#define MISC_ENABLE_READ_ONLY    (MISC_ENABLE_PERFMON | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS)
/* Bits that exist: fast strings, thermal control, performance monitoring, BTS, PEBS, SpeedStep, MONITOR,
 * CPUID limit, xTPR, XD disable. */
#define MISC_ENABLE_KNOWN 0x0000000400c51889ull

#define MTRR_TYPE_WB    6u
#define MTRRCAP_FIXED   (1u << 8)
#define MTRRCAP_WC      (1u << 10)
#define MTRR_DEF_FE     (1ull << 10)
#define MTRR_DEF_E      (1ull << 11)
#define MTRR_MASK_VALID (1ull << 11)

#define DEBUGCTL_LBR (1ull << 0)
#define DEBUGCTL_BTF (1ull << 1)

#define MCG_STATUS_BITS 7ull

/* The TSC counts at one rate in all states. */
#define HWCR_TSC_FREQ_SEL (1ull << 24)

/* LFENCE is dispatch serializing (AMD, Software Techniques for Managing Speculation, G-2). */
#define DE_CFG_LFENCE (1ull << 1)

struct msr {
    uint32_t first, last;
    bool (*read)(struct vcpu *vcpu, const struct msr *msr, uint32_t index,
                 uint64_t *value); /* NULL: write-only */
    bool (*write)(struct vcpu *vcpu, const struct msr *msr, uint32_t index,
                  uint64_t value); /* NULL: read-only */
    uint64_t arg; /* read_constant: the value; *_reg: enum guest_reg; *_base: enum guest_seg */
};

static bool canonical(uint64_t value)
{
    return (uint64_t)((int64_t)(value << 16) >> 16) == value;
}

static bool read_constant(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)vcpu;
    (void)index;
    *value = msr->arg;
    return true;
}

static bool write_ignored(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    (void)index;
    (void)value;
    return true;
}

static bool read_reg(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = hv->get_reg(vcpu, (enum guest_reg)msr->arg);
    return true;
}

static bool write_reg(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)index;
    hv->set_reg(vcpu, (enum guest_reg)msr->arg, value);
    return true;
}

static bool write_reg_32(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    return value <= UINT32_MAX && write_reg(vcpu, msr, index, value);
}

static bool write_reg_canonical(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    return canonical(value) && write_reg(vcpu, msr, index, value);
}

static bool read_base(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    struct guest_segment s;
    (void)index;
    hv->get_segment(vcpu, (enum guest_seg)msr->arg, &s);
    *value = s.base;
    return true;
}

static bool write_base(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    struct guest_segment s;
    (void)index;
    if (!canonical(value))
        return false;
    hv->get_segment(vcpu, (enum guest_seg)msr->arg, &s);
    s.base = value;
    hv->set_segment(vcpu, (enum guest_seg)msr->arg, &s);
    return true;
}

static bool read_tsc(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)msr;
    *value = index == MSR_TSC ? tsc_read(&vcpu->tsc) : tsc_adjust(&vcpu->tsc);
    return true;
}

static bool write_tsc(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)msr;
    if (index == MSR_TSC)
        tsc_write(&vcpu->tsc, value);
    else
        tsc_set_adjust(&vcpu->tsc, value);
    lapic_timer_tsc_moved(&vcpu->lapic.timer);
    pvclock_rewrite(vcpu->vm);
    return true;
}

/* SDM vol. 3, 10.5.4.1. */
static bool read_deadline(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)msr;
    (void)index;
    *value = lapic_timer_deadline(&vcpu->lapic.timer);
    return vcpu->lapic.tsc_deadline;
}

static bool write_deadline(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)msr;
    (void)index;
    if (vcpu->lapic.tsc_deadline)
        lapic_timer_set_deadline(&vcpu->lapic.timer, value);
    return vcpu->lapic.tsc_deadline;
}

static bool read_x2apic(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)msr;
    return apic_bus_msr_read(vcpu, index, value);
}

static bool write_x2apic(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)msr;
    return apic_bus_msr_write(vcpu, index, value);
}

static bool read_pvclock(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)msr;
    return pvclock_msr_read(vcpu, index, value);
}

static bool write_pvclock(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)msr;
    return pvclock_msr_write(vcpu, index, value);
}

static bool read_apic_base(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)msr;
    (void)index;
    *value = vcpu->lapic.apic_base;
    return true;
}

static bool write_apic_base(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)msr;
    (void)index;
    return platform_write_apic_base(vcpu, value);
}

static bool write_efer(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    (void)msr;
    (void)index;
    if ((value & EFER_NXE) && (vcpu->msr.misc_enable & MISC_ENABLE_NO_XD))
        return false;
    return cr_set_efer(vcpu, value);
}

/* Each byte is a memory type: 0, 1, 4-7 for the PAT (SDM vol. 3, 11.12.2); without 7 (UC-) for MTRRs
 * (11.11.2). */
static bool memory_types_valid(uint64_t value, unsigned int bytes, bool pat)
{
    for (unsigned int i = 0; i < bytes; i++) {
        uint8_t type = (uint8_t)(value >> (8 * i));
        if (type > (pat ? 7 : 6) || type == 2 || type == 3)
            return false;
    }
    return true;
}

static bool write_pat(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    return memory_types_valid(value, 8, true) && write_reg(vcpu, msr, index, value);
}

static bool write_debugctl(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    return !(value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF)) && write_reg(vcpu, msr, index, value);
}

/* Where an MSR of plain memory is kept. */
static uint64_t *storage(struct vcpu *vcpu, uint32_t index)
{
    struct msr_state *s = &vcpu->msr;

    if (index >= MSR_MTRR_PHYS_FIRST && index <= MSR_MTRR_PHYS_LAST) {
        uint32_t n = (index - MSR_MTRR_PHYS_FIRST) / 2;
        return index % 2 ? &s->mtrr_mask[n] : &s->mtrr_base[n];
    }
    if (index >= MSR_MTRR_FIX_4K && index < MSR_MTRR_FIX_4K + 8)
        return &s->mtrr_fixed[3 + index - MSR_MTRR_FIX_4K];
    switch (index) {
    case MSR_MTRR_FIX_64K:
        return &s->mtrr_fixed[0];
    case MSR_MTRR_FIX_16K:
    case MSR_MTRR_FIX_16K + 1:
        return &s->mtrr_fixed[1 + index - MSR_MTRR_FIX_16K];
    case MSR_MTRR_DEF_TYPE:
        return &s->mtrr_def_type;
    case MSR_BIOS_SIGN_ID:
        return &s->bios_sign_id;
    case MSR_MCG_STATUS:
        return &s->mcg_status;
    case MSR_MISC_ENABLE:
        return &s->misc_enable;
    default:
        ASSERT(index == MSR_TSC_AUX);
        return &s->tsc_aux;
    }
}

static bool read_memory(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t *value)
{
    (void)msr;
    *value = *storage(vcpu, index);
    return true;
}

/* arg: the bits that may be set. */
static bool write_memory(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    if (value & ~msr->arg)
        return false;
    *storage(vcpu, index) = value;
    return true;
}

/* RDTSCP and RDPID read it in the processor. */
static bool write_tsc_aux(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    if (!write_memory(vcpu, msr, index, value))
        return false;
    hv->set_reg(vcpu, REG_TSC_AUX, value);
    return true;
}

/* CPUID follows two of the bits; the others (thermal control, SpeedStep, MONITOR, xTPR) are of what is not
 * there, and mean nothing. */
static bool write_misc_enable(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    uint64_t *kept = storage(vcpu, index);

    if (value & ~msr->arg)
        return false;
    *kept = (*kept & MISC_ENABLE_READ_ONLY) | (value & ~MISC_ENABLE_READ_ONLY);
    cpuid_forget(vcpu);
    return true;
}

/* SDM vol. 3, 11.11.2. The types have no effect on nested paging; an operating system wants to read back what
 * it set. */
static bool write_mtrr(struct vcpu *vcpu, const struct msr *msr, uint32_t index, uint64_t value)
{
    uint64_t frames = ((1ull << vcpu->vm->phys_bits) - 1) & ~0xfffull;
    bool ok;

    (void)msr;
    if (index == MSR_MTRR_DEF_TYPE)
        ok = !(value & ~(0xffull | MTRR_DEF_FE | MTRR_DEF_E)) && memory_types_valid(value, 1, false);
    else if (index > MSR_MTRR_PHYS_LAST)
        ok = memory_types_valid(value, 8, false);
    else if (index % 2)
        ok = !(value & ~(frames | MTRR_MASK_VALID));
    else
        ok = !(value & ~(frames | 0xff)) && memory_types_valid(value, 1, false);
    if (ok)
        *storage(vcpu, index) = value;
    return ok;
}

static const struct msr msrs[] = {
    /* Searched from here: what guests write at each tick comes first. */
    {MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, read_deadline, write_deadline, 0},
    {MSR_X2APIC_FIRST, MSR_X2APIC_LAST, read_x2apic, write_x2apic, 0},
    {MSR_TSC, MSR_TSC, read_tsc, write_tsc, 0},
    {MSR_KVM_WALL_CLOCK_OLD, MSR_KVM_SYSTEM_TIME_OLD, read_pvclock, write_pvclock, 0},
    {MSR_PLATFORM_ID, MSR_PLATFORM_ID, read_constant, NULL, 0},
    {MSR_APIC_BASE, MSR_APIC_BASE, read_apic_base, write_apic_base, 0},
    {MSR_TSC_ADJUST, MSR_TSC_ADJUST, read_tsc, write_tsc, 0},
    {MSR_BIOS_UPDT_TRIG, MSR_BIOS_UPDT_TRIG, NULL, write_ignored, 0},
    {MSR_BIOS_SIGN_ID, MSR_BIOS_SIGN_ID, read_memory, write_memory, UINT64_MAX},
    {MSR_MTRRCAP, MSR_MTRRCAP, read_constant, NULL, MSR_VARIABLE_MTRRS | MTRRCAP_FIXED | MTRRCAP_WC},
    {MSR_SYSENTER_CS, MSR_SYSENTER_CS, read_reg, write_reg_32, REG_SYSENTER_CS},
    {MSR_SYSENTER_ESP, MSR_SYSENTER_ESP, read_reg, write_reg_canonical, REG_SYSENTER_ESP},
    {MSR_SYSENTER_EIP, MSR_SYSENTER_EIP, read_reg, write_reg_canonical, REG_SYSENTER_EIP},
    {MSR_MCG_CAP, MSR_MCG_CAP, read_constant, NULL, 0}, /* no banks, so no further MSRs (vol. 3, 15.3.1.1) */
    {MSR_MCG_STATUS, MSR_MCG_STATUS, read_memory, write_memory, MCG_STATUS_BITS},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_memory, write_misc_enable, MISC_ENABLE_KNOWN},
    {MSR_DEBUGCTL, MSR_DEBUGCTL, read_reg, write_debugctl, REG_DEBUGCTL},
    {MSR_MTRR_PHYS_FIRST, MSR_MTRR_PHYS_LAST, read_memory, write_mtrr, 0},
    {MSR_MTRR_FIX_64K, MSR_MTRR_FIX_64K, read_memory, write_mtrr, 0},
    {MSR_MTRR_FIX_16K, MSR_MTRR_FIX_16K + 1, read_memory, write_mtrr, 0},
    {MSR_MTRR_FIX_4K, MSR_MTRR_FIX_4K + 7, read_memory, write_mtrr, 0},
    {MSR_PAT, MSR_PAT, read_reg, write_pat, REG_PAT},
    {MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, read_memory, write_mtrr, 0},
    {MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, read_pvclock, write_pvclock, 0},
    {MSR_EFER, MSR_EFER, read_reg, write_efer, REG_EFER},
    {MSR_STAR, MSR_STAR, read_reg, write_reg, REG_STAR},
    {MSR_LSTAR, MSR_LSTAR, read_reg, write_reg_canonical, REG_LSTAR},
    {MSR_CSTAR, MSR_CSTAR, read_reg, write_reg_canonical, REG_CSTAR},
    {MSR_FMASK, MSR_FMASK, read_reg, write_reg_32, REG_FMASK},
    {MSR_FS_BASE, MSR_FS_BASE, read_base, write_base, SEG_FS},
    {MSR_GS_BASE, MSR_GS_BASE, read_base, write_base, SEG_GS},
    {MSR_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, read_reg, write_reg_canonical, REG_KERNEL_GS_BASE},
    {MSR_TSC_AUX, MSR_TSC_AUX, read_memory, write_tsc_aux, UINT32_MAX},
    /* AMD's (BKDG, PPR): Linux reads these and sets bits in some of them where CPUID names AMD. */
    {MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, read_constant, write_ignored, 0}, /* they count nothing */
    {MSR_SYSCFG, MSR_SYSCFG, read_constant, write_ignored, 0},
    {MSR_HWCR, MSR_HWCR, read_constant, write_ignored, HWCR_TSC_FREQ_SEL},
    {MSR_NB_CFG, MSR_NB_CFG, read_constant, write_ignored, 0},
    {MSR_INT_PENDING, MSR_INT_PENDING, read_constant, write_ignored, 0},
    /* Every family from 10h on but 11h has it and CPUID does not tell, so kernels do not look. */
    {MSR_DE_CFG, MSR_DE_CFG, read_constant, write_ignored, DE_CFG_LFENCE},
};

static const struct msr *find(uint32_t index)
{
    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
        if (index >= msrs[i].first && index <= msrs[i].last)
            return &msrs[i];
    return NULL;
}

/* The MTRRs are as firmware leaves them: write-back, but for the VGA window and the gigabyte below 4 GiB. An
 * operating system that finds them off takes the PAT for unusable. */
void msr_reset(struct vcpu *vcpu)
{
    struct msr_state *s = &vcpu->msr;

    pvclock_reset(vcpu);
    *s = (struct msr_state){.unknown_reads = s->unknown_reads, .unknown_writes = s->unknown_writes};
    s->misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS;
    cpuid_forget(vcpu);
    s->mtrr_def_type = MTRR_DEF_E | MTRR_DEF_FE | MTRR_TYPE_WB;
    for (unsigned int i = 0; i < MSR_FIXED_MTRRS; i++)
        s->mtrr_fixed[i] = 0x0606060606060606ull;
    s->mtrr_fixed[2] = 0; /* A0000h-BFFFFh */
    s->mtrr_base[0] = 3ull << 30;
    s->mtrr_mask[0] = (((1ull << vcpu->vm->phys_bits) - 1) & ~((1ull << 30) - 1)) | MTRR_MASK_VALID;
}

bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    const struct msr *msr = find(index);

    if (msr)
        return msr->read && msr->read(vcpu, msr, index, value);
    vcpu->msr.unknown_reads++;
    if (vcpu->watched & WATCH_PRINT)
        host_log_vm(vcpu->vm, "vcpu %u: rdmsr %x: no such register, #GP", vcpu->id, index);
    return false;
}

bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    const struct msr *msr = find(index);

    if (msr)
        return msr->write && msr->write(vcpu, msr, index, value);
    vcpu->msr.unknown_writes++;
    if (vcpu->watched & WATCH_PRINT)
        host_log_vm(vcpu->vm, "vcpu %u: wrmsr %x = %llx: no such register, #GP", vcpu->id, index,
                    (unsigned long long)value);
    return false;
}

void msr_pass_through(struct vm *vm)
{
    static const uint32_t passed[] = {MSR_FS_BASE,      MSR_GS_BASE,      MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS,
                                      MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,           MSR_LSTAR,
                                      MSR_CSTAR,        MSR_FMASK};

    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        hv->pass_msr(vm, passed[i], true, true);
}
