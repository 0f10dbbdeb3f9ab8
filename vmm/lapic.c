/* A local APIC's interrupt logic: acceptance, priorities, the LINT pins, resets. Its registers: lapic_regs.c.
 */
#include "vmm/lapic.h"

#include "vmm/host.h"
#include "vmm/lapic_regs.h"
#include "vmm/string.h"

#define CLASS        0xf0u /* priority class of a vector */
#define DFR_FLAT     0xfu
#define FIRST_VECTOR 16u /* 0..15 are illegal for interrupts (10.5.2) */

static bool test_bit(const struct lapic_vectors *set, unsigned int n)
{
    return (set->word[n / 32] >> (n % 32)) & 1;
}

static void set_bit(struct lapic_vectors *set, unsigned int n)
{
    set->word[n / 32] |= 1u << (n % 32);
    set->used |= 1u << (n / 32);
}

static void clear_bit(struct lapic_vectors *set, unsigned int n)
{
    unsigned int i = n / 32;
    uint32_t rest = set->word[i] & ~(1u << (n % 32));
    set->word[i] = rest;
    if (!rest)
        set->used &= ~(1u << i);
}

/* The number of the highest bit that is set; there is one. */
static unsigned int top_bit(uint32_t bits)
{
    return 31u ^ (unsigned int)__builtin_clz(bits);
}

/* The highest vector of a set, -1 if it is empty. */
static int highest(const struct lapic_vectors *set)
{
    if (!set->used)
        return -1;
    unsigned int i = top_bit(set->used);
    return (int)(i * 32 | top_bit(set->word[i]));
}

/* The highest vector of a set that is not empty; it is taken out. */
static unsigned int take_highest(struct lapic_vectors *set)
{
    unsigned int i = top_bit(set->used);
    unsigned int n = top_bit(set->word[i]);
    set->word[i] ^= 1u << n;
    if (!set->word[i])
        set->used ^= 1u << i;
    return i * 32 | n;
}

static bool timer_fire(void *ctx, uint8_t vector)
{
    return lapic_accept(ctx, vector, false) == APIC_ACCEPTED;
}

static bool timer_waiting(void *ctx, uint8_t vector)
{
    return lapic_waiting(ctx, vector);
}

static const struct lapic_timer_ops timer_ops = {.fire = timer_fire, .waiting = timer_waiting};

void lapic_init(struct lapic *l, unsigned int vcpu_index, struct vtime *time, const struct tsc *tsc,
                bool tsc_deadline, bool x2apic)
{
    memset(l, 0, sizeof *l);
    l->id = (uint8_t)vcpu_index;
    l->bsp = vcpu_index == 0;
    l->tsc_deadline = tsc_deadline;
    l->x2apic = x2apic;
    lapic_timer_init(&l->timer, time, lapic_timer_hz(vtime_hz(time)), tsc, &timer_ops, l, vcpu_index);
    lapic_reset(l);
}

/* "Local APIC state after power-up or reset", 10.4.7.1. The pins' states are not the APIC's to reset. */
void lapic_init_reset(struct lapic *l)
{
    l->isr = (struct lapic_vectors){0};
    l->tmr = (struct lapic_vectors){0};
    l->irr = (struct lapic_vectors){0};
    l->tpr = 0;
    l->ldr = 0;
    l->dfr = DFR_FLAT;
    l->svr = 0xff;
    l->esr = 0;
    l->esr_pending = 0;
    l->icr_low = 0;
    l->icr_high = 0;
    for (unsigned int i = 0; i < LVTS; i++)
        l->lvt[i] = LVT_MASKED;
    lapic_timer_reset(&l->timer);
}

void lapic_reset(struct lapic *l)
{
    lapic_init_reset(l);
    l->apic_base = LAPIC_DEFAULT_BASE | APIC_BASE_ENABLE | (l->bsp ? APIC_BASE_BSP : 0);
    l->init_pending = false;
    l->sipi_pending = false;
    l->sipi_vector = 0;
}

/* Figure 10-27. */
static bool may_become(uint64_t from, uint64_t to)
{
    bool x2 = to & APIC_BASE_EXTD, on = to & APIC_BASE_ENABLE;

    if (x2)
        return on && (from & APIC_BASE_ENABLE);
    return !on || !(from & APIC_BASE_EXTD);
}

/* The BSP flag shows who booted and stays as it is. */
bool lapic_write_base(struct lapic *l, uint64_t value)
{
    uint64_t known = APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_BSP | (l->x2apic ? APIC_BASE_EXTD : 0);

    if ((value & ~known) || !may_become(l->apic_base, value))
        return false;
    bool was = lapic_hw_enabled(l);
    l->apic_base = (value & ~APIC_BASE_BSP) | (l->apic_base & APIC_BASE_BSP);
    /* Reset at the disable already: nothing in the APIC may be seen or fire in between. */
    if (was && !lapic_hw_enabled(l))
        lapic_init_reset(l);
    return true;
}

bool lapic_hw_enabled(const struct lapic *l)
{
    return (l->apic_base & APIC_BASE_ENABLE) != 0;
}

bool lapic_is_x2(const struct lapic *l)
{
    return (l->apic_base & APIC_BASE_EXTD) != 0;
}

uint32_t lapic_x2_logical_id(const struct lapic *l)
{
    return (uint32_t)(l->id >> 4) << 16 | 1u << (l->id & 0xf);
}

bool lapic_enabled(const struct lapic *l)
{
    return lapic_hw_enabled(l) && (l->svr & SVR_ENABLE);
}

uint8_t lapic_cr8(const struct lapic *l)
{
    return l->tpr >> 4;
}

void lapic_set_cr8(struct lapic *l, uint8_t value)
{
    l->tpr = (uint8_t)(value << 4);
}

/* 10.8.3.1 */
uint8_t lapic_ppr(const struct lapic *l)
{
    int served = highest(&l->isr);
    uint8_t isrv = (uint8_t)(served < 0 ? 0 : served);
    return (l->tpr & CLASS) >= (isrv & CLASS) ? l->tpr : isrv & CLASS;
}

/* 10.6.2.4, "arbitration priority register" */
uint8_t lapic_apr(const struct lapic *l)
{
    int served = highest(&l->isr);
    int wanted = highest(&l->irr);
    uint8_t isrv = (uint8_t)(served < 0 ? 0 : served & (int)CLASS);
    uint8_t irrv = (uint8_t)(wanted < 0 ? 0 : wanted & (int)CLASS);
    uint8_t tpr = l->tpr & CLASS;
    if (tpr >= irrv && tpr > isrv)
        return l->tpr;
    uint8_t both = tpr & isrv;
    return both > irrv ? both : irrv;
}

/* An error is reported once until the ESR is written (10.5.3). That also ends the recursion when the error
 * entry's own vector is illegal. */
void lapic_error(struct lapic *l, uint32_t error)
{
    if (l->esr_pending & error)
        return;
    l->esr_pending |= error;
    if (!(l->lvt[LVT_ERROR] & LVT_MASKED))
        lapic_accept(l, (uint8_t)l->lvt[LVT_ERROR], false);
}

enum apic_result lapic_accept(struct lapic *l, uint8_t vector, bool level)
{
    if (!lapic_enabled(l))
        return APIC_NO_TARGET;
    if (vector < FIRST_VECTOR) {
        lapic_error(l, ESR_RECV_ILLEGAL);
        return APIC_NO_TARGET;
    }
    if (level)
        set_bit(&l->tmr, vector);
    else if (l->tmr.used)
        clear_bit(&l->tmr, vector);
    if (test_bit(&l->irr, vector))
        return APIC_MERGED;
    set_bit(&l->irr, vector);
    l->news = true;
    return APIC_ACCEPTED;
}

/* A software disable closes the door for new interrupts only: what is in the IRR is still the processor's to
 * take (10.4.7.2). */
bool lapic_waiting(const struct lapic *l, uint8_t vector)
{
    return lapic_hw_enabled(l) && test_bit(&l->irr, vector);
}

int lapic_pending(const struct lapic *l)
{
    if (!l->irr.used || !lapic_hw_enabled(l))
        return -1;
    int vector = highest(&l->irr);
    return ((unsigned int)vector & CLASS) > (lapic_ppr(l) & CLASS) ? vector : -1;
}

uint8_t lapic_ack(struct lapic *l)
{
    ASSERT(lapic_pending(l) >= 0);
    unsigned int vector = take_highest(&l->irr);
    set_bit(&l->isr, vector);
    return (uint8_t)vector;
}

/* An eight-bit logical destination, the IOAPIC's, means the first cluster's first eight to one in x2APIC
 * mode. */
bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical)
{
    if (dest == APIC_BROADCAST)
        return true;
    if (!logical)
        return dest == l->id;
    if (lapic_is_x2(l))
        return dest >> 16 == lapic_x2_logical_id(l) >> 16 && (dest & lapic_x2_logical_id(l) & 0xffff);
    if (dest > 0xff)
        return false;
    if (l->dfr == DFR_FLAT)
        return (dest & l->ldr) != 0;
    /* Cluster model: cluster in bits 7:4, 15 being all of them, members in 3:0. */
    bool cluster = dest >> 4 == 0xf || dest >> 4 == l->ldr >> 4;
    return cluster && (dest & l->ldr & 0xf);
}

/* LINT1 is always an edge (10.5.1, "trigger mode"). */
static bool lint_is_level(const struct lapic *l, unsigned int pin)
{
    uint32_t lvt = l->lvt[LVT_LINT0 + pin];
    return pin == 0 && (lvt & LVT_LEVEL) && lapic_lvt_mode(lvt) == APIC_FIXED;
}

void lapic_look_at_lint0(struct lapic *l)
{
    uint32_t lvt = l->lvt[LVT_LINT0];
    if (!lint_is_level(l, 0) || (lvt & (LVT_MASKED | LVT_REMOTE_IRR)) || !l->lint[0])
        return;
    if (lapic_accept(l, (uint8_t)lvt, true) != APIC_NO_TARGET)
        l->lvt[LVT_LINT0] |= LVT_REMOTE_IRR;
}

bool lapic_lint(struct lapic *l, unsigned int pin, bool level)
{
    bool rises = level && !l->lint[pin];
    l->news = l->news || rises;
    uint32_t lvt = l->lvt[LVT_LINT0 + pin];
    l->lint[pin] = level;
    if (lint_is_level(l, pin)) {
        lapic_look_at_lint0(l);
        return false;
    }
    /* With the APIC globally disabled LINT1 is the NMI pin, LINT0 the INTR pin (10.4.3). */
    if (!lapic_hw_enabled(l))
        return rises && pin == 1;
    if (!rises || (lvt & LVT_MASKED))
        return false;
    if (lapic_lvt_mode(lvt) == APIC_FIXED)
        lapic_accept(l, (uint8_t)lvt, false);
    if (lapic_lvt_mode(lvt) == APIC_INIT)
        l->init_pending = true;
    return lapic_lvt_mode(lvt) == APIC_NMI;
}

bool lapic_extint_open(const struct lapic *l)
{
    if (!lapic_enabled(l))
        return l->bsp;
    uint32_t lvt = l->lvt[LVT_LINT0];
    return !(lvt & LVT_MASKED) && lapic_lvt_mode(lvt) == APIC_EXTINT;
}

/* A level-triggered one is broadcast to the IOAPIC; LINT0 may ask at once again. */
static __attribute__((noinline)) int end_of_level(struct lapic *l, unsigned int vector)
{
    if ((l->lvt[LVT_LINT0] & LVT_REMOTE_IRR) && (uint8_t)l->lvt[LVT_LINT0] == vector) {
        l->lvt[LVT_LINT0] &= ~LVT_REMOTE_IRR;
        lapic_look_at_lint0(l);
    }
    return (int)vector;
}

/* 10.8.5 */
int lapic_eoi(struct lapic *l)
{
    if (!l->isr.used)
        return -1;
    unsigned int vector = take_highest(&l->isr);
    return test_bit(&l->tmr, vector) ? end_of_level(l, vector) : -1;
}
