#include "timers/rtc.h"

#include "timers/rtc_calendar.h"

#define SECOND      RTC_HZ       /* ticks from update to update */
#define HALF_SECOND (RTC_HZ / 2) /* "Divider Control": the first update comes half a second after a reset */
#define UIP_TICKS   8u           /* t(BUC): 244 us of notice before an update */

#define A_POWER_ON 0x26u /* 32768 Hz, 1024 Hz */
#define B_POWER_ON RTC_B_24H
#define DV_32768   0x20u /* 000 and 001: the other time bases; 11x: reset; the rest: tests */

#define INTERRUPTS (RTC_B_PIE | RTC_B_AIE | RTC_B_UIE) /* in B; PF, AF and UF have the same places in C */

#define CMOS_EQUIPMENT 0x14u

static bool is_set(const struct rtc *r, unsigned int b_bits)
{
    return (r->cmos[RTC_REG_B] & b_bits) != 0;
}

/* ---- the divider chain ---- */

static uint64_t chain(const struct rtc *r, at_t at)
{
    return counter_ticks(&r->clock, at) + r->chain_add;
}

/* Updates since the divider reset: at c = 16384, 49152 ... */
static uint64_t updates(const struct rtc *r, at_t at)
{
    return (chain(r, at) + HALF_SECOND) / SECOND;
}

static uint64_t update_tick(const struct rtc *r, uint64_t update)
{
    return update * SECOND - HALF_SECOND - r->chain_add;
}

/* log2 of the periodic interrupt's period in ticks (table 5); -1: none. With the 32768 Hz time base rates 1
 * and 2 are those of 8 and 9. */
static int tap(const struct rtc *r)
{
    int rate = r->cmos[RTC_REG_A] & RTC_A_RS;

    if ((r->cmos[RTC_REG_A] & RTC_A_DV) == DV_32768 && (rate == 1 || rate == 2))
        rate += 7;
    return rate - 1;
}

/* Rising edges of the tap: at half a period and then each period, so that a periodic interrupt leaves half a
 * period until the next update (figure 15). All rates count on the one chain: a change of rate keeps the
 * phase. */
static uint64_t tap_edges(const struct rtc *r, at_t at)
{
    int shift = tap(r);

    return shift < 0 ? 0 : (chain(r, at) + (UINT64_C(1) << shift) / 2) >> shift;
}

/* "Update Cycle": UIP is high for 244 us before. The update itself takes no time here. */
static bool in_update(const struct rtc *r, at_t at)
{
    return r->chain_runs && !is_set(r, RTC_B_SET) &&
           (chain(r, at) + HALF_SECOND) % SECOND >= SECOND - UIP_TICKS;
}

/* ---- flags and the interrupt ---- */

/* IRQF = PF PIE + AF AIE + UF UIE. True if this raised the line as a new request. */
static bool update_irq(struct rtc *r)
{
    bool level = (r->flags & r->cmos[RTC_REG_B] & INTERRUPTS) != 0;

    if (level == r->irqf)
        return false;
    r->irqf = level;
    if (level)
        return r->irq.ops->raise(r->irq.ctx, r->irq.line);
    r->irq.ops->lower(r->irq.ctx, r->irq.line);
    return false;
}

/* An enabled interrupt's event. Its flag is its own status bit: it merges with an event of its own kind that
 * the guest has not read yet, not with the other kinds. */
static enum vt_outcome flag_event(struct rtc *r, uint8_t flag)
{
    bool merged = (r->flags & flag) != 0;
    bool had_irqf = r->irqf;

    r->flags |= flag;
    bool raised = update_irq(r);

    if (!had_irqf)
        return raised ? VT_DELIVERED : VT_MERGED;
    return merged || r->irq.ops->masked(r->irq.ctx, r->irq.line) ? VT_MERGED : VT_DELIVERED;
}

static void catch_up_periodic(struct rtc *r, at_t now)
{
    uint64_t edges = tap_edges(r, now);

    if (edges != r->pf_seen)
        r->flags |= RTC_C_PF;
    r->pf_seen = edges;
}

/* Brings the time bytes, and AF with them, to the latest update. */
static void catch_up_date(struct rtc *r, uint64_t update)
{
    uint64_t seconds = update - r->snap;

    if (seconds == 0)
        return;
    if (!r->alarm_armed) {
        uint32_t wait = rtc_calendar_to_alarm(r->cmos);

        if (wait != 0 && wait <= seconds)
            r->flags |= RTC_C_AF;
    }
    rtc_calendar_advance(r->cmos, seconds);
    r->snap = update;
}

/* What has happened until now without an event. An enabled interrupt's flag is its event's business: an
 * instant counts when it is delivered. With `all`, before the guest changes what is enabled, it counts now.
 */
static void catch_up(struct rtc *r, at_t now, bool all)
{
    if (!r->chain_runs)
        return;

    uint64_t update = updates(r, now);

    if (all || !is_set(r, RTC_B_PIE))
        catch_up_periodic(r, now);
    if (is_set(r, RTC_B_SET)) { /* no updates: the bytes are the guest's */
        r->snap = update;
        r->uf_seen = update;
        return;
    }
    if (all || !is_set(r, RTC_B_UIE)) {
        if (update != r->uf_seen)
            r->flags |= RTC_C_UF;
        r->uf_seen = update;
    }
    catch_up_date(r, update);
    if (all && r->alarm_armed && r->alarm_update <= update)
        r->flags |= RTC_C_AF;
}

/* ---- queue entries ---- */

static void arm(struct rtc *r, struct vtimer *timer, uint64_t tick, uint64_t period)
{
    struct vt_schedule s = counter_once(&r->clock, tick);

    if (period != 0)
        (void)counter_every(&r->clock, tick, period, &s); /* exact: at most 2^15 * hz */
    vtime_set(r->time, timer, &s);
}

static void arm_periodic(struct rtc *r, at_t now)
{
    int shift = tap(r);

    if (!r->chain_runs || !is_set(r, RTC_B_PIE) || shift < 0) {
        vtime_clear(r->time, &r->periodic);
        return;
    }
    uint64_t period = UINT64_C(1) << shift;

    arm(r, &r->periodic, (tap_edges(r, now) + 1) * period - period / 2 - r->chain_add, period);
}

static void arm_update(struct rtc *r, at_t now)
{
    if (r->chain_runs && is_set(r, RTC_B_UIE)) /* which SET clears */
        arm(r, &r->update, update_tick(r, updates(r, now) + 1), SECOND);
    else
        vtime_clear(r->time, &r->update);
}

/* The time bytes are up to date. */
static void arm_alarm(struct rtc *r)
{
    bool wanted = r->chain_runs && is_set(r, RTC_B_AIE) && !is_set(r, RTC_B_SET);
    uint32_t wait = wanted ? rtc_calendar_to_alarm(r->cmos) : 0;
    uint64_t update = r->snap + wait;

    if (wait == 0) {
        r->alarm_armed = false;
        vtime_clear(r->time, &r->alarm);
    } else if (!r->alarm_armed || update != r->alarm_update) {
        r->alarm_armed = true;
        r->alarm_update = update;
        arm(r, &r->alarm, update_tick(r, update), 0);
    }
}

/* After a change of register A or B; catch_up() with `all` was before it. */
static void rearm(struct rtc *r, at_t now)
{
    r->pf_seen = tap_edges(r, now);
    r->alarm_armed = false;
    arm_periodic(r, now);
    arm_update(r, now);
    arm_alarm(r);
    (void)update_irq(r);
}

static enum vt_outcome periodic_event(void *self, at_t at)
{
    struct rtc *r = self;

    r->pf_seen = tap_edges(r, at);
    return flag_event(r, RTC_C_PF);
}

static enum vt_outcome update_event(void *self, at_t at)
{
    struct rtc *r = self;

    r->uf_seen = updates(r, at);
    return flag_event(r, RTC_C_UF);
}

static enum vt_outcome alarm_event(void *self, at_t at)
{
    struct rtc *r = self;

    catch_up_date(r, updates(r, at));
    r->alarm_armed = false;
    arm_alarm(r);
    return flag_event(r, RTC_C_AF);
}

static bool rtc_outstanding(void *self)
{
    struct rtc *r = self;

    return (r->irqf && !r->irq.ops->masked(r->irq.ctx, r->irq.line)) ||
           r->irq.ops->waiting(r->irq.ctx, r->irq.line);
}

static bool rtc_unheard(void *self)
{
    const struct rtc *r = self;

    return r->irq.ops->masked(r->irq.ctx, r->irq.line);
}

static const struct vtimer_ops periodic_ops = {
    .event = periodic_event, .outstanding = rtc_outstanding, .unheard = rtc_unheard};
static const struct vtimer_ops update_ops = {
    .event = update_event, .outstanding = rtc_outstanding, .unheard = rtc_unheard};
static const struct vtimer_ops alarm_ops = {
    .event = alarm_event, .outstanding = rtc_outstanding, .unheard = rtc_unheard};

/* ---- registers ---- */

static bool dv_runs(uint8_t a)
{
    return (a & RTC_A_DV) <= DV_32768;
}

/* "Divider Control": a divider select that is not a time base holds the chain at 0. */
static void write_a(struct rtc *r, at_t now, uint8_t value)
{
    bool runs = dv_runs(value);

    catch_up(r, now, true);
    if (runs && !r->chain_runs) {
        r->chain_add = 0 - counter_ticks(&r->clock, now);
        r->snap = updates(r, now);
        r->uf_seen = r->snap;
    }
    r->chain_runs = runs;
    r->cmos[RTC_REG_A] = value;
    rearm(r, now);
}

static void write_b(struct rtc *r, at_t now, uint8_t value)
{
    catch_up(r, now, true);
    r->cmos[RTC_REG_B] = value;
    rearm(r, now);
}

static uint8_t read_c(struct rtc *r)
{
    uint8_t value = (uint8_t)(r->flags | (r->irqf ? RTC_C_IRQF : 0));

    r->flags = 0;
    (void)update_irq(r);
    return value;
}

static void write_data(struct rtc *r, unsigned int reg, uint8_t value)
{
    at_t now = vtime_now(r->time);

    catch_up(r, now, false);
    switch (reg) {
    case RTC_REG_A:
        value &= (uint8_t)~RTC_A_UIP;
        if (value != r->cmos[RTC_REG_A])
            write_a(r, now, value);
        return;
    case RTC_REG_B:
        if ((value & RTC_B_SET) != 0) /* "SET": going high it clears UIE */
            value &= (uint8_t)~RTC_B_UIE;
        if (value != r->cmos[RTC_REG_B])
            write_b(r, now, value);
        return;
    case RTC_REG_C:
    case RTC_REG_D:
        return; /* read-only */
    default:
        r->cmos[reg] = value;
        /* An alarm that is due at this very instant stays so; its event arms the next one. */
        if (reg < RTC_REG_A && !(r->alarm_armed && r->alarm_update <= r->snap))
            arm_alarm(r);
    }
}

uint8_t rtc_read(struct rtc *r, uint16_t port)
{
    unsigned int reg = r->index & 0x7Fu;

    if (port == RTC_PORT_INDEX)
        return r->index;
    if (port != RTC_PORT_DATA)
        return 0xFF;

    at_t now = vtime_now(r->time);

    catch_up(r, now, false);
    switch (reg) {
    case RTC_REG_A:
        return (uint8_t)(r->cmos[RTC_REG_A] | (in_update(r, now) ? RTC_A_UIP : 0));
    case RTC_REG_C:
        return read_c(r);
    case RTC_REG_D:
        return RTC_D_VRT;
    default:
        return r->cmos[reg];
    }
}

void rtc_write(struct rtc *r, uint16_t port, uint8_t value)
{
    if (port == RTC_PORT_INDEX)
        r->index = value;
    else if (port == RTC_PORT_DATA)
        write_data(r, r->index & 0x7Fu, value);
}

bool rtc_nmi_masked(const struct rtc *r)
{
    return (r->index & 0x80u) != 0;
}

/* ---- life ---- */

void rtc_init(struct rtc *r, struct vtime *time, struct vt_line irq, uint64_t start_utc)
{
    __builtin_memset(r, 0, sizeof(*r));
    r->time = time;
    r->irq = irq;
    counter_init(&r->clock, vtime_hz(time), RTC_HZ, 1);
    vtime_attach(time, &r->periodic, "rtc-periodic", &periodic_ops, r, 0);
    vtime_attach(time, &r->alarm, "rtc-alarm", &alarm_ops, r, 0);
    vtime_attach(time, &r->update, "rtc-update", &update_ops, r, 0);
    r->cmos[RTC_REG_A] = A_POWER_ON;
    r->cmos[RTC_REG_B] = B_POWER_ON;
    r->chain_runs = true;
    r->chain_add = HALF_SECOND; /* the seconds begin with AT's */
    r->snap = updates(r, 0);
    r->uf_seen = r->snap;
    r->pf_seen = tap_edges(r, 0);
    rtc_calendar_set(r->cmos, start_utc);
}

void rtc_reset(struct rtc *r)
{
    at_t now = vtime_now(r->time);

    catch_up(r, now, true);
    r->cmos[RTC_REG_B] &= (uint8_t) ~(INTERRUPTS | RTC_B_SQWE);
    r->flags = 0;
    rearm(r, now);
}

static void put16(struct rtc *r, unsigned int reg, uint64_t value)
{
    uint64_t v = value < 0xFFFF ? value : 0xFFFF;

    r->cmos[reg] = (uint8_t)v;
    r->cmos[reg + 1] = (uint8_t)(v >> 8);
}

static uint64_t above(uint64_t bytes, uint64_t start)
{
    return bytes > start ? bytes - start : 0;
}

void rtc_set_memory(struct rtc *r, uint64_t below_4g, uint64_t above_4g)
{
    uint64_t base_kib = below_4g / 1024 < 640 ? below_4g / 1024 : 640;
    uint64_t extended_kib = above(below_4g, UINT64_C(1) << 20) / 1024;
    uint64_t high_64k = above_4g / 65536;
    unsigned int sum = 0;

    r->cmos[CMOS_EQUIPMENT] = 0x02; /* a floating-point unit, no floppy */
    put16(r, 0x15, base_kib);
    put16(r, 0x17, extended_kib);
    put16(r, 0x30, extended_kib);
    put16(r, 0x34, above(below_4g, UINT64_C(16) << 20) / 65536);
    r->cmos[0x5B] = (uint8_t)high_64k;
    r->cmos[0x5C] = (uint8_t)(high_64k >> 8);
    r->cmos[0x5D] = (uint8_t)(high_64k >> 16);
    for (unsigned int i = 0x10; i <= 0x2D; i++)
        sum += r->cmos[i];
    r->cmos[0x2E] = (uint8_t)(sum >> 8); /* high byte first */
    r->cmos[0x2F] = (uint8_t)sum;
}
