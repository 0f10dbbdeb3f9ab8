#include "timers/pit_channel.h"

/* The status byte repeats the control word's low six bits. */
#define CONTROL_BCD  0x01u
#define CONTROL_KEPT 0x3Fu
#define ACCESS_LSB   1u
#define ACCESS_MSB   2u
#define ACCESS_BOTH  3u

/* Status byte (figure 12). */
#define STATUS_OUT  0x80u
#define STATUS_NULL 0x40u

static unsigned int access_of(const struct pit_channel *c)
{
    return c->control >> 4;
}

/*@ predicate has_count(struct pit_channel *c) = c->idle || 1 <= c->count <= 65537;
    predicate has_register(struct pit_channel *c) = 1 <= c->cr <= 65536; */

/* The counting element has 16 bits or four decades. */
/*@ requires \valid_read(c);
    assigns \nothing;
    ensures \result == 10000 || \result == 65536; */
static uint32_t modulus(const struct pit_channel *c)
{
    return (c->control & CONTROL_BCD) != 0 ? 10000 : 65536;
}

static uint32_t from_register(const struct pit_channel *c, uint32_t raw)
{
    uint32_t n = raw;

    if ((c->control & CONTROL_BCD) != 0)
        n = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);
    return n != 0 ? n : modulus(c);
}

/*@ requires \valid_read(c);
    assigns \nothing; */
static uint16_t to_register(const struct pit_channel *c, uint32_t n)
{
    n %= modulus(c);
    if ((c->control & CONTROL_BCD) != 0)
        n = n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10;
    return (uint16_t)n;
}

/* The length of the period or of the count that loading cr begins. A count of 1 is illegal in modes 2 and 3:
 * the element steps past the value that ends a period and meets it again a whole turn later. */
/*@ requires \valid_read(c) && has_register(c);
    assigns \nothing;
    ensures 1 <= \result <= 65537; */
static uint32_t load_value(const struct pit_channel *c)
{
    return c->cr == 1 && (c->mode == 2 || c->mode == 3) ? modulus(c) + 1 : c->cr;
}

/* Mode 3: the clocks of OUT's high half. Odd counts stay high one clock longer than low. */
/*@ requires 1 <= count <= 65537;
    assigns \nothing;
    ensures 1 <= \result <= count && count <= 2 * \result <= count + 1; */
static uint32_t high_half(uint32_t count)
{
    return (count + 1) / 2;
}

/* ---- a channel at a tick: pure ---- */

/* Mode 0: writing the first of two bytes disables counting ("Mode 0"). */
/*@ requires \valid_read(c);
    assigns \nothing; */
static bool may_count(const struct pit_channel *c)
{
    if (c->mode == 1 || c->mode == 5)
        return true; /* GATE is a trigger there, not a level */
    return c->gate && !(c->mode == 0 && c->write_msb);
}

/* A load that was due until `tick` has happened. */
/*@ requires \valid(c) && has_register(c) && has_count(c);
    assigns c->count, c->start, c->frozen, c->frozen_at, c->pending, c->idle, c->null_count;
    ensures has_count(c) && (c->pending ==> tick < c->pending_tick); */
void pit_channel_settle(struct pit_channel *c, uint64_t tick)
{
    if (!c->pending || tick < c->pending_tick)
        return;
    c->count = load_value(c);
    c->start = c->pending_tick - (c->pending_low ? high_half(c->count) : 0);
    c->frozen = !may_count(c);
    c->frozen_at = 0;
    c->pending = false;
    c->idle = false;
    c->null_count = false;
}

/*@ requires \valid_read(c);
    assigns \nothing; */
static uint64_t elapsed(const struct pit_channel *c, uint64_t tick)
{
    return c->frozen ? c->frozen_at : tick - c->start;
}

/* The counting element of a settled channel. */
/*@ requires \valid_read(c) && has_count(c);
    assigns \nothing; */
uint16_t pit_channel_value(const struct pit_channel *c, uint64_t tick)
{
    if (c->idle)
        return c->idle_value;

    uint64_t e = elapsed(c, tick);
    uint32_t in_period = (uint32_t)(e % c->count);

    if (c->mode == 2)
        return to_register(c, c->count - in_period);
    if (c->mode == 3) { /* by twos, twice a period; an odd count loads as the even one below it */
        uint32_t high = high_half(c->count);

        return to_register(c, (c->count & ~1u) - 2 * (in_period < high ? in_period : in_period - high));
    }
    /* The other modes wrap around and go on. */
    return to_register(c, c->count + modulus(c) - (uint32_t)(e % modulus(c)));
}

/* OUT of a settled channel ("Mode Definitions"). */
/*@ requires \valid_read(c) && has_count(c);
    assigns \nothing; */
bool pit_channel_out(const struct pit_channel *c, uint64_t tick)
{
    if (c->mode == 0) /* low from the control word or a new count until the terminal count */
        return !c->idle && !c->pending && !c->write_msb && elapsed(c, tick) >= c->count;
    if (c->idle)
        return true;

    uint64_t e = elapsed(c, tick);

    switch (c->mode) {
    case 1:
        return e >= c->count;
    case 2:
        return c->frozen || e % c->count != c->count - 1;
    case 3:
        return c->frozen || e % c->count < high_half(c->count);
    default: /* 4, 5: a strobe of one clock */
        return e != c->count;
    }
}

static struct pit_edges edge_once(bool any, uint64_t tick)
{
    struct pit_edges e = {.any = any, .first = tick, .period = 0};

    return e;
}

static struct pit_edges edges_one_shot(const struct pit_channel *c, uint64_t tick)
{
    unsigned int strobe = c->mode == 4 ? 1 : 0; /* mode 4 rises when the strobe ends */

    if (c->pending) {
        if (strobe != 0 && !pit_channel_out(c, tick)) /* the load ends a strobe of the old count */
            return edge_once(true, c->pending_tick);
        return edge_once(!(c->mode == 0 && c->write_msb), c->pending_tick + load_value(c) + strobe);
    }
    if (c->idle || c->frozen)
        return edge_once(false, 0);
    return edge_once(elapsed(c, tick) < (uint64_t)c->count + strobe, c->start + c->count + strobe);
}

/* Nothing freezes these modes but a GATE that is low. */
static struct pit_edges edges_periodic(const struct pit_channel *c, uint64_t tick)
{
    struct pit_edges e = {.any = true, .first = c->pending_tick, .period = load_value(c)};

    if (c->pending) {
        if (c->idle)
            e.first += e.period;
        else if (c->pending_low)
            e.first += e.period - high_half((uint32_t)e.period);
        return e;
    }
    if (c->idle)
        return edge_once(false, 0);
    e.period = c->count;
    e.first = tick - elapsed(c, tick) % c->count + c->count;
    return e;
}

struct pit_edges pit_channel_edges(const struct pit_channel *c, uint64_t tick)
{
    if (c->mode == 2 || c->mode == 3)
        return edges_periodic(c, tick);
    if (c->mode == 0 || c->mode == 4)
        return edges_one_shot(c, tick);
    return edge_once(false, 0); /* modes 1, 5 wait for a GATE that channel 0 does not have */
}

/* ---- what a guest does to a channel at a tick; the channel is settled ---- */

/* The next clock pulse loads ("Operation Common to All Modes"). */
static void load_next(struct pit_channel *c, uint64_t tick)
{
    c->pending = true;
    c->pending_low = false;
    c->pending_tick = tick + 1;
}

/* Mode 2: a new count waits for the end of the period; mode 3: of the half period. */
static void load_at_boundary(struct pit_channel *c, uint64_t tick)
{
    uint32_t in_period = (uint32_t)(elapsed(c, tick) % c->count);
    uint32_t high = high_half(c->count);
    bool to_low = c->mode == 3 && in_period < high;

    c->pending = true;
    c->pending_low = to_low;
    c->pending_tick = tick - in_period + (to_low ? high : c->count);
}

static void freeze(struct pit_channel *c, uint64_t tick)
{
    if (c->frozen)
        return;
    c->frozen_at = tick - c->start;
    c->frozen = true;
}

static void count_written(struct pit_channel *c, uint64_t tick, uint32_t raw)
{
    c->cr = from_register(c, raw);
    c->written = true;
    c->null_count = true;
    if (c->mode == 0 || c->mode == 4)
        load_next(c, tick);
    else if (c->mode == 1 || c->mode == 5 || c->pending)
        return; /* the trigger or the load that is coming takes it */
    else if (c->idle)
        load_next(c, tick);
    else if (!c->frozen)
        load_at_boundary(c, tick);
}

void pit_channel_write(struct pit_channel *c, uint64_t tick, uint8_t value)
{
    switch (access_of(c)) {
    case ACCESS_LSB:
        count_written(c, tick, value);
        return;
    case ACCESS_MSB:
        count_written(c, tick, (uint32_t)value << 8);
        return;
    default:
        break;
    }
    c->write_msb = !c->write_msb;
    if (!c->write_msb) {
        count_written(c, tick, (uint32_t)value << 8 | c->write_lsb);
        return;
    }
    c->write_lsb = value;
    if (c->mode == 0)
        freeze(c, tick);
}

void pit_channel_program(struct pit_channel *c, uint64_t tick, uint8_t control)
{
    unsigned int mode = control >> 1 & 7u;
    struct pit_channel fresh = {
        .control = control & CONTROL_KEPT,
        .mode = (uint8_t)(mode > 5 ? mode - 4 : mode), /* the top bit of modes 2 and 3 is "don't care" */
        .gate = c->gate,
        .idle = true,
        .null_count = true,
        .idle_value = pit_channel_value(c, tick),
    };

    *c = fresh;
}

void pit_channel_latch_count(struct pit_channel *c, uint64_t tick)
{
    if (c->latched_bytes != 0)
        return; /* "the count is held until it is read" */
    c->latch = pit_channel_value(c, tick);
    c->latched_bytes = access_of(c) == ACCESS_BOTH ? 2 : 1;
    c->read_msb = false; /* the data sheet does not say; a latched count begins with its LSB */
}

void pit_channel_latch_status(struct pit_channel *c, uint64_t tick)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t)((pit_channel_out(c, tick) ? STATUS_OUT : 0) | (c->null_count ? STATUS_NULL : 0) |
                          c->control);
    c->status_latched = true;
}

uint8_t pit_channel_read(struct pit_channel *c, uint64_t tick)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }

    uint16_t value = pit_channel_value(c, tick);
    bool msb = access_of(c) == ACCESS_MSB;

    if (c->latched_bytes != 0) {
        value = c->latch;
        c->latched_bytes--;
    }
    if (access_of(c) == ACCESS_BOTH) {
        msb = c->read_msb;
        c->read_msb = !msb;
    }
    return (uint8_t)(msb ? value >> 8 : value);
}

/* "Gate Pin Operations Summary": a level in modes 0 and 4, a trigger in 1 and 5, both in 2 and 3. */
void pit_channel_set_gate(struct pit_channel *c, uint64_t tick, bool level)
{
    bool trigger_mode = c->mode != 0 && c->mode != 4;

    if (c->gate == level)
        return;
    c->gate = level;
    if (level && trigger_mode) {
        if (c->written)
            load_next(c, tick);
    } else if (level) {
        if (c->frozen && may_count(c)) {
            c->start = tick - c->frozen_at;
            c->frozen = false;
        }
    } else if (!may_count(c) && !c->idle && !c->frozen) {
        freeze(c, tick);
        if (trigger_mode)
            c->pending = false; /* the period that was to load cr does not end any more */
    }
}
