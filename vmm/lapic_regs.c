/* A local APIC's register page (SDM vol. 3, table 10-1): what can be read and written, and what that does. */
#include "vmm/lapic_regs.h"

#include "vmm/lapic.h"

#define ICR_VECTOR          0xffu
#define ICR_LOGICAL         (1u << 11)
#define ICR_SHORTHAND_SHIFT 18
#define ICR_LEVEL_ASSERT    (1u << 14)
#define ICR_LEVEL_TRIGGER   (1u << 15)
#define ICR_WRITABLE        0x000ccfffu /* less bit 12, delivery status: always idle */
#define DIVIDE_WRITABLE     0xbu
#define SVR_WRITABLE        0x3ffu /* vector, enable, focus checking; no EOI-broadcast suppression */
#define FIRST_VECTOR        16u

/* The LVT's registers and their writable bits (figure 10-8). */
static const struct lvt_desc {
    uint32_t reg;
    uint32_t writable;
} lvt_desc[LVTS] = {
    [LVT_TIMER] = {LAPIC_LVT_TIMER, 0x000700ff}, [LVT_THERMAL] = {LAPIC_LVT_THERMAL, 0x000107ff},
    [LVT_PMC] = {LAPIC_LVT_PMC, 0x000107ff},     [LVT_LINT0] = {LAPIC_LVT_LINT0, 0x0001a7ff},
    [LVT_LINT1] = {LAPIC_LVT_LINT1, 0x0001a7ff}, [LVT_ERROR] = {LAPIC_LVT_ERROR, 0x000100ff},
};

/* Index of the LVT entry at a register offset, LVTS if there is none. */
static unsigned int lvt_at(uint32_t reg)
{
    unsigned int i = 0;
    while (i < LVTS && lvt_desc[i].reg != reg)
        i++;
    return i;
}

uint32_t lapic_lvt_bits(uint32_t reg)
{
    unsigned int i = lvt_at(reg);

    return i < LVTS ? lvt_desc[i].writable : 0;
}

static uint32_t illegal_register(struct lapic *l)
{
    lapic_error(l, ESR_ILLEGAL_REG);
    return 0;
}

uint32_t lapic_read(struct lapic *l, uint32_t offset)
{
    uint32_t reg = offset & ~0xfu;
    unsigned int word = (reg >> 4) & 7;
    if (reg >= LAPIC_ISR && reg < LAPIC_TMR)
        return l->isr.word[word];
    if (reg >= LAPIC_TMR && reg < LAPIC_IRR)
        return l->tmr.word[word];
    if (reg >= LAPIC_IRR && reg < LAPIC_ESR)
        return l->irr.word[word];
    unsigned int lvt = lvt_at(reg);
    if (lvt < LVTS)
        return l->lvt[lvt];
    switch (reg) {
    case LAPIC_ID:
        return lapic_is_x2(l) ? l->id : (uint32_t)l->id << 24;
    case LAPIC_VER:
        return LAPIC_VERSION;
    case LAPIC_TPR:
        return l->tpr;
    case LAPIC_APR:
        return lapic_apr(l);
    case LAPIC_PPR:
        return lapic_ppr(l);
    case LAPIC_EOI: /* write-only */
    case LAPIC_RRD: /* no remote reads since the P6 */
        return 0;
    case LAPIC_LDR:
        return lapic_is_x2(l) ? lapic_x2_logical_id(l) : (uint32_t)l->ldr << 24;
    case LAPIC_DFR:
        return (uint32_t)l->dfr << 28 | 0x0fffffffu;
    case LAPIC_SVR:
        return l->svr;
    case LAPIC_ESR:
        return l->esr;
    case LAPIC_ICR_LOW:
        return l->icr_low;
    case LAPIC_ICR_HIGH:
        return l->icr_high;
    case LAPIC_TIMER_ICR:
        return lapic_timer_initial(&l->timer);
    case LAPIC_TIMER_CCR:
        return lapic_timer_current(&l->timer);
    case LAPIC_TIMER_DCR:
        return lapic_timer_divide(&l->timer);
    default:
        return illegal_register(l);
    }
}

/* While the APIC is disabled by software every entry stays masked (10.4.7.2). */
static void write_lvt(struct lapic *l, unsigned int i, uint32_t value)
{
    uint32_t lvt = value & lvt_desc[i].writable;
    if (i == LVT_TIMER && !l->tsc_deadline)
        lvt &= ~LAPIC_TIMER_LVT_DEADLINE;
    if (!(l->svr & SVR_ENABLE))
        lvt |= LVT_MASKED;
    /* Remote IRR is the APIC's own; it means nothing for an edge. */
    if (i == LVT_LINT0 && (lvt & LVT_LEVEL))
        lvt |= l->lvt[i] & LVT_REMOTE_IRR;
    l->lvt[i] = lvt;
    if (i == LVT_TIMER)
        lapic_timer_set_lvt(&l->timer, lvt);
    if (i == LVT_LINT0)
        lapic_look_at_lint0(l);
}

static void write_svr(struct lapic *l, uint32_t value)
{
    l->svr = value & SVR_WRITABLE;
    if (l->svr & SVR_ENABLE)
        return;
    for (unsigned int i = 0; i < LVTS; i++)
        write_lvt(l, i, l->lvt[i]);
}

/* 10.6.1, with table 10-3's valid combinations: "self" and "all including self" are for fixed interrupts
 * only. Trigger mode and level count together, for the INIT de-assert alone, which no processor since the
 * Pentium 4 acts on; an INIT with trigger mode edge is one whatever its level. */
bool lapic_make_ipi(struct lapic *l, uint32_t low, struct apic_message *m)
{
    *m = (struct apic_message){
        .vector = low & ICR_VECTOR,
        .mode = lapic_lvt_mode(low),
        .shorthand = (low >> ICR_SHORTHAND_SHIFT) & 3,
        .dest = lapic_is_x2(l) ? l->icr_high : apic_dest8(l->icr_high >> 24),
        .logical = (low & ICR_LOGICAL) != 0,
    };
    bool own = m->shorthand == APIC_DEST_SELF || m->shorthand == APIC_DEST_ALL;
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (m->vector < FIRST_VECTOR)
            lapic_error(l, ESR_SEND_ILLEGAL);
        return m->vector >= FIRST_VECTOR && (m->mode == APIC_FIXED || !own);
    case APIC_INIT:
        return !own && (low & (ICR_LEVEL_ASSERT | ICR_LEVEL_TRIGGER)) != ICR_LEVEL_TRIGGER;
    case APIC_NMI:
    case APIC_SIPI:
        return !own;
    default:
        return false;
    }
}

bool lapic_changes_wires(uint32_t offset)
{
    switch (offset & ~0xfu) {
    case LAPIC_LDR:
    case LAPIC_DFR:
    case LAPIC_SVR:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
        return true;
    default:
        return false;
    }
}

struct lapic_effect lapic_write(struct lapic *l, uint32_t offset, uint32_t value)
{
    struct lapic_effect effect = {0};
    uint32_t reg = offset & ~0xfu;
    unsigned int lvt = lvt_at(reg);
    if (lvt < LVTS) {
        write_lvt(l, lvt, value);
        return effect;
    }
    switch (reg) {
    case LAPIC_TPR:
        l->tpr = (uint8_t)value;
        break;
    case LAPIC_LDR:
        l->ldr = (uint8_t)(value >> 24);
        break;
    case LAPIC_DFR:
        l->dfr = (uint8_t)(value >> 28);
        break;
    case LAPIC_SVR:
        write_svr(l, value);
        break;
    case LAPIC_ESR: /* a write, of anything, shows what has gathered (10.5.3) */
        l->esr = l->esr_pending;
        l->esr_pending = 0;
        break;
    case LAPIC_ICR_LOW:
        l->icr_low = value & ICR_WRITABLE;
        effect.ipi = lapic_make_ipi(l, l->icr_low, &effect.message);
        break;
    case LAPIC_ICR_HIGH:
        l->icr_high = value & 0xff000000u;
        break;
    case LAPIC_TIMER_ICR:
        lapic_timer_set_initial(&l->timer, value);
        break;
    case LAPIC_TIMER_DCR:
        lapic_timer_set_divide(&l->timer, value & DIVIDE_WRITABLE);
        break;
    case LAPIC_EOI: /* lapic_eoi() */
    case LAPIC_ID:  /* read-only from here on */
    case LAPIC_VER:
    case LAPIC_APR:
    case LAPIC_PPR:
    case LAPIC_RRD:
    case LAPIC_TIMER_CCR:
        break;
    default:
        if (reg < LAPIC_ISR || reg >= LAPIC_ESR)
            illegal_register(l);
        break;
    }
    return effect;
}
