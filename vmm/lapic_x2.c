#include "vmm/lapic_x2.h"

#include <stddef.h>

#include "vmm/lapic_regs.h"

#define READ          1u
#define WRITE         2u
#define SELF_IPI      0x3f0u
#define ICR_SELF      (APIC_DEST_SELF << 18)        /* fixed, to the sender */
#define ICR_KNOWN     0x000ccfffu                   /* no delivery status in this mode */
#define LVT_READ_ONLY (LVT_DELIVS | LVT_REMOTE_IRR) /* who writes back what it read does not fault */

/* Table 10-6 less the LVT, the ICR and the vector sets, by offset in the register page; bits that may be set.
 */
static const struct x2_register {
    uint16_t reg;
    uint8_t access;
    uint32_t bits;
} registers[] = {
    {LAPIC_EOI, WRITE, 0},
    {LAPIC_TPR, READ | WRITE, 0xff},
    {LAPIC_ID, READ, 0},
    {LAPIC_VER, READ, 0},
    {LAPIC_PPR, READ, 0},
    {LAPIC_LDR, READ, 0},
    {LAPIC_SVR, READ | WRITE, 0x3ff},
    {LAPIC_ESR, READ | WRITE, 0},
    {LAPIC_TIMER_ICR, READ | WRITE, UINT32_MAX},
    {LAPIC_TIMER_CCR, READ, 0},
    {LAPIC_TIMER_DCR, READ | WRITE, 0xb},
    {SELF_IPI, WRITE, 0xff},
};

static bool may(uint32_t reg, uint8_t access, uint64_t value)
{
    uint32_t lvt = lapic_lvt_bits(reg);

    if (lvt)
        return !(value & ~(uint64_t)(lvt | LVT_READ_ONLY));
    if (reg >= LAPIC_ISR && reg < LAPIC_ESR)
        return access == READ;
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        if (registers[i].reg == reg)
            return (registers[i].access & access) && !(value & ~(uint64_t)registers[i].bits);
    return false;
}

bool lapic_x2_read(struct lapic *l, uint32_t msr, uint64_t *value)
{
    uint32_t reg = (msr - MSR_X2APIC_FIRST) << 4;

    if (!lapic_is_x2(l))
        return false;
    if (reg == LAPIC_ICR_LOW) {
        *value = (uint64_t)l->icr_high << 32 | l->icr_low;
        return true;
    }
    if (!may(reg, READ, 0))
        return false;
    *value = lapic_read(l, reg);
    return true;
}

bool lapic_x2_write(struct lapic *l, uint32_t msr, uint64_t value, struct lapic_effect *effect)
{
    uint32_t reg = (msr - MSR_X2APIC_FIRST) << 4;

    *effect = (struct lapic_effect){0};
    if (!lapic_is_x2(l))
        return false;
    if (reg == LAPIC_ICR_LOW) {
        if ((uint32_t)value & ~ICR_KNOWN)
            return false;
        l->icr_high = (uint32_t)(value >> 32);
        *effect = lapic_write(l, reg, (uint32_t)value);
        return true;
    }
    if (!may(reg, WRITE, value))
        return false;
    if (reg == SELF_IPI)
        effect->ipi = lapic_make_ipi(l, ICR_SELF | (uint32_t)value, &effect->message);
    else
        *effect = lapic_write(l, reg, (uint32_t)value);
    return true;
}
