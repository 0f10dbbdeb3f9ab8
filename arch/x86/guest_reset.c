#include "arch/x86/guest_reset.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "vmm/vcpu.h"

/* SDM vol. 3, table 10-1 (9-1 in older editions). */
static void reset_segments(const struct hv_ops *ops, struct vcpu *vcpu)
{
    static const struct guest_segment code = {0xf000, 0x009b, 0xffff, 0xffff0000};
    static const struct guest_segment data = {0, 0x0093, 0xffff, 0};
    static const struct guest_segment ldt = {0, 0x0082, 0xffff, 0};
    static const struct guest_segment tss = {0, 0x008b, 0xffff, 0};
    for (unsigned int seg = SEG_ES; seg <= SEG_GS; seg++)
        ops->set_segment(vcpu, (enum guest_seg)seg, seg == SEG_CS ? &code : &data);
    ops->set_segment(vcpu, SEG_LDTR, &ldt);
    ops->set_segment(vcpu, SEG_TR, &tss);
}

static void reset_registers(const struct hv_ops *ops, struct vcpu *vcpu)
{
    static const struct {
        enum guest_reg reg;
        uint64_t value;
    } values[] = {
        {REG_EFER, 0},
        {REG_CR4, 0},
        {REG_CR3, 0},
        {REG_CR0, CR0_CD | CR0_NW | CR0_ET},
        {REG_CR2, 0},
        {REG_DR7, 0x400},
        {REG_DEBUGCTL, 0},
        {REG_PAT, PAT_RESET},
        {REG_STAR, 0},
        {REG_LSTAR, 0},
        {REG_CSTAR, 0},
        {REG_FMASK, 0},
        {REG_KERNEL_GS_BASE, 0},
        {REG_TSC_AUX, 0},
        {REG_SYSENTER_CS, 0},
        {REG_SYSENTER_ESP, 0},
        {REG_SYSENTER_EIP, 0},
        {REG_XCR0, 1},
        {REG_GDTR_BASE, 0},
        {REG_GDTR_LIMIT, 0xffff},
        {REG_IDTR_BASE, 0},
        {REG_IDTR_LIMIT, 0xffff},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        ops->set_reg(vcpu, values[i].reg, values[i].value);
}

void guest_reset(const struct hv_ops *ops, struct vcpu *vcpu)
{
    reset_segments(ops, vcpu);
    reset_registers(ops, vcpu);
    vcpu->regs.rip = 0xfff0;
    vcpu->regs.rflags = RFLAGS_1;
}
