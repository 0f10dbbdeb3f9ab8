#include "timers/pit.h"

/* Control word (8254 data sheet, figure 7). */
#define SELECT_READ_BACK 3u
#define ACCESS_LATCH     0u
#define ACCESS_BOTH      0x30u

/* Read-back command (figure 11); both "latch" bits are active low. */
#define READ_BACK_NO_COUNT  0x20u
#define READ_BACK_NO_STATUS 0x10u

/* Port 61h. */
#define NMI_SC_GATE2   0x01u
#define NMI_SC_KEPT    0x0Fu
#define NMI_SC_REFRESH 0x10u
#define NMI_SC_OUT2    0x20u

/* The refresh request of an AT comes each 18 clocks (15.085 us), whatever channel 1 is told. */
#define REFRESH_TICKS 18u

static uint64_t tick_at(const struct pit *p, at_t at)
{
    return counter_ticks(&p->clock, at);
}

static void settle_all(struct pit *p, uint64_t tick)
{
    for (unsigned int i = 0; i < PIT_CHANNELS; i++)
        pit_channel_settle(&p->channel[i], tick);
}

/* Puts channel 0's edges into the timer event queue. */
static void arm(struct pit *p, uint64_t tick)
{
    struct pit_edges e = pit_channel_edges(&p->channel[0], tick);
    struct vt_schedule s = counter_once(&p->clock, e.first);

    p->parked = false;
    if (!e.any) {
        vtime_clear(p->time, &p->timer);
        return;
    }
    if (e.period != 0) {
        e.period *= counter_group(&p->clock, e.period, p->timer.progress);
        (void)counter_every(&p->clock, e.first, e.period, &s); /* exact: far below 2^64 / (12 * hz) */
    }
    vtime_set(p->time, &p->timer, &s);
}

static bool pulse(struct pit *p)
{
    p->irq.ops->lower(p->irq.ctx, p->irq.line);
    p->irq_level = true;
    return p->irq.ops->raise(p->irq.ctx, p->irq.line);
}

static enum vt_outcome pit_event(void *self, at_t at)
{
    struct pit *p = self;
    uint64_t tick = tick_at(p, at);

    pit_channel_settle(&p->channel[0], tick);
    if (p->channel[0].mode == 0 || p->channel[0].mode == 4)
        arm(p, tick);
    bool delivered = pulse(p);

    /* While nobody listens the edges need no queue: the first stays latched, and the others would only merge
     * with it. What the firmware left running would else make incidents for ever in every guest. */
    p->parked = p->irq.ops->masked(p->irq.ctx, p->irq.line);
    if (p->parked)
        vtime_clear(p->time, &p->timer);
    return delivered ? VT_DELIVERED : VT_MERGED;
}

void pit_listen(struct pit *p)
{
    if (!p->parked || p->irq.ops->masked(p->irq.ctx, p->irq.line))
        return;
    uint64_t tick = tick_at(p, vtime_now(p->time));

    settle_all(p, tick);
    arm(p, tick);
}

static bool pit_outstanding(void *self)
{
    struct pit *p = self;

    return p->irq.ops->waiting(p->irq.ctx, p->irq.line);
}

static bool pit_unheard(void *self)
{
    const struct pit *p = self;

    return p->irq.ops->masked(p->irq.ctx, p->irq.line);
}

static const struct vtimer_ops pit_timer_ops = {
    .event = pit_event, .outstanding = pit_outstanding, .unheard = pit_unheard};

/* A write to channel 0 can move OUT at once, and the line follows; in between only its events raise the line.
 */
static void after_write(struct pit *p, uint64_t tick, bool was_high)
{
    bool high = pit_channel_out(&p->channel[0], tick);

    arm(p, tick);
    if (high && !was_high) {
        (void)pulse(p);
    } else if (!high && p->irq_level) {
        p->irq_level = false;
        p->irq.ops->lower(p->irq.ctx, p->irq.line);
    }
}

static void read_back(struct pit *p, uint64_t tick, unsigned int command)
{
    for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
        if ((command >> (i + 1) & 1u) == 0)
            continue;
        if ((command & READ_BACK_NO_COUNT) == 0)
            pit_channel_latch_count(&p->channel[i], tick);
        if ((command & READ_BACK_NO_STATUS) == 0)
            pit_channel_latch_status(&p->channel[i], tick);
    }
}

/* Returns whether the channel was programmed anew. */
static bool write_control(struct pit *p, uint64_t tick, uint8_t value)
{
    unsigned int select = value >> 6;

    if (select == SELECT_READ_BACK) {
        read_back(p, tick, value);
        return false;
    }
    if ((value >> 4 & 3u) == ACCESS_LATCH) {
        pit_channel_latch_count(&p->channel[select], tick);
        return false;
    }
    pit_channel_program(&p->channel[select], tick, value);
    return select == 0;
}

static uint8_t read_nmi_sc(const struct pit *p, uint64_t tick)
{
    unsigned int refresh = (tick / REFRESH_TICKS & 1u) != 0 ? NMI_SC_REFRESH : 0;
    unsigned int out2 = pit_channel_out(&p->channel[2], tick) ? NMI_SC_OUT2 : 0;

    return (uint8_t)(p->nmi_sc | refresh | out2);
}

uint8_t pit_read(struct pit *p, uint16_t port)
{
    bool counter = port >= PIT_PORT_COUNTER0 && port <= PIT_PORT_COUNTER2;
    uint64_t tick = tick_at(p, vtime_now(p->time));

    if (!counter && port != PIT_PORT_NMI_SC)
        return 0xFF; /* the control word cannot be read */

    struct pit_channel *c = &p->channel[counter ? port - PIT_PORT_COUNTER0 : 2];

    pit_channel_settle(c, tick);
    return counter ? pit_channel_read(c, tick) : read_nmi_sc(p, tick);
}

void pit_write(struct pit *p, uint16_t port, uint8_t value)
{
    uint64_t tick = tick_at(p, vtime_now(p->time));

    settle_all(p, tick);
    const struct pit_channel *ch0 = &p->channel[0];
    bool was_high = pit_channel_out(ch0, tick);

    if (port >= PIT_PORT_COUNTER0 && port <= PIT_PORT_COUNTER2) {
        pit_channel_write(&p->channel[port - PIT_PORT_COUNTER0], tick, value);
        if (port == PIT_PORT_COUNTER0 && (!ch0->write_msb || ch0->mode == 0))
            after_write(p, tick, was_high);
    } else if (port == PIT_PORT_CONTROL) {
        if (write_control(p, tick, value))
            after_write(p, tick, was_high);
    } else if (port == PIT_PORT_NMI_SC) {
        p->nmi_sc = value & NMI_SC_KEPT;
        pit_channel_set_gate(&p->channel[2], tick, (value & NMI_SC_GATE2) != 0);
    }
}

void pit_init(struct pit *p, struct vtime *time, struct vt_line irq)
{
    __builtin_memset(p, 0, sizeof(*p));
    p->time = time;
    p->irq = irq;
    counter_init(&p->clock, vtime_hz(time), PIT_HZ_NUM, PIT_HZ_DEN);
    vtime_attach(time, &p->timer, "pit", &pit_timer_ops, p, 0);
    pit_reset(p);
}

void pit_reset(struct pit *p)
{
    static const struct {
        uint8_t control;
        uint8_t lsb;
    } firmware[PIT_CHANNELS] = {{0x36, 0}, {0x74, 18}, {0xB6, 0}};
    uint64_t tick = tick_at(p, vtime_now(p->time));

    for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
        struct pit_channel *c = &p->channel[i];

        __builtin_memset(c, 0, sizeof(*c));
        c->idle = true;
        c->gate = i != 2;
        pit_channel_program(c, tick, firmware[i].control);
        pit_channel_write(c, tick, firmware[i].lsb);
        pit_channel_write(c, tick, 0);
    }
    p->nmi_sc = 0;
    p->irq_level = false;
    p->irq.ops->lower(p->irq.ctx, p->irq.line);
    vtime_clear(p->time, &p->timer);
    p->parked = true;
    pit_listen(p);
}

static struct pit_channel channel_at(const struct pit *p, unsigned int channel, uint64_t tick)
{
    struct pit_channel c = p->channel[channel % PIT_CHANNELS];

    pit_channel_settle(&c, tick);
    return c;
}

bool pit_get_out(const struct pit *p, unsigned int channel, at_t at)
{
    uint64_t tick = tick_at(p, at);
    struct pit_channel c = channel_at(p, channel, tick);

    return pit_channel_out(&c, tick);
}

uint16_t pit_get_count(const struct pit *p, unsigned int channel, at_t at)
{
    uint64_t tick = tick_at(p, at);
    struct pit_channel c = channel_at(p, channel, tick);

    return pit_channel_value(&c, tick);
}

at_t pit_next_edge(const struct pit *p, at_t at)
{
    uint64_t tick = tick_at(p, at);
    struct pit_channel c = channel_at(p, 0, tick);
    struct pit_edges e = pit_channel_edges(&c, tick);

    return e.any ? counter_at(&p->clock, e.first) : AT_NEVER;
}
