#include "timers/hpet_comparator.h"

#include "timers/muldiv.h"

#define TURN_32    0x100000000ull
#define PLAIN_BITS (HPET_TN_LEVEL | HPET_TN_ENABLE | HPET_TN_PERIODIC | HPET_TN_32MODE)

/*@ requires \valid_read(c);
    assigns \nothing;
    ensures (c->config & HPET_TN_32MODE) != 0 ==> \result == 0xffffffff;
    ensures (c->config & HPET_TN_32MODE) == 0 ==> \result == 0xffffffffffffffff; */
static uint64_t width_mask(const struct hpet_comparator *c)
{
    return (c->config & HPET_TN_32MODE) != 0 ? UINT32_MAX : UINT64_MAX;
}

/*@ requires \valid_read(c);
    assigns \nothing;
    ensures \result <==> (c->config & HPET_TN_PERIODIC) != 0; */
static bool periodic(const struct hpet_comparator *c)
{
    return (c->config & HPET_TN_PERIODIC) != 0;
}

void hpet_comparator_reset(struct hpet_comparator *c)
{
    *c = (struct hpet_comparator){.value = UINT64_MAX, .written = UINT64_MAX, .next = HPET_NEVER};
}

void hpet_comparator_seek(struct hpet_comparator *c, uint64_t tick, uint64_t count)
{
    c->next = vt_add(tick, (c->value - count) & width_mask(c));
}

/* 2.3.9.2.1: a one-shot matches again when the counter has turned over; so does a period of 0. */
uint64_t hpet_comparator_step(const struct hpet_comparator *c)
{
    if (periodic(c) && c->written != 0)
        return c->written;
    return (c->config & HPET_TN_32MODE) != 0 ? TURN_32 : 0;
}

/* Matches since the last settled one, `tick` being at or after the next. */
/*@ requires \valid_read(c) && c->next <= tick < UINT64_MAX;
    assigns \nothing;
    ensures hpet_step(c) == 0 ==> \result == 1;
    ensures hpet_step(c) > 0 ==>
      (\result - 1) * hpet_step(c) <= tick - c->next < \result * hpet_step(c) && 1 <= \result; */
static uint64_t matches(const struct hpet_comparator *c, uint64_t tick)
{
    uint64_t step = hpet_comparator_step(c);

    return step != 0 ? (tick - c->next) / step + 1 : 1;
}

uint64_t hpet_comparator_value(const struct hpet_comparator *c, uint64_t tick)
{
    if (tick < c->next || !periodic(c))
        return c->value;
    return (c->value + matches(c, tick) * c->written) & width_mask(c);
}

bool hpet_comparator_settle(struct hpet_comparator *c, uint64_t tick)
{
    uint64_t step = hpet_comparator_step(c);

    if (tick < c->next)
        return false;

    uint64_t n = matches(c, tick);

    c->value = hpet_comparator_value(c, tick);
    c->next = step != 0 ? vt_add(c->next + (n - 1) * step, step) : HPET_NEVER;
    return true;
}

/* 2.3.8, Tn_VAL_SET_CNF, and 2.3.9.2.2: in periodic mode a write changes what is added at each match, and
 * with VAL_SET, which clears itself, the accumulator too. */
bool hpet_comparator_write(struct hpet_comparator *c, uint64_t value, uint64_t mask)
{
    bool direct = !periodic(c) || c->set_value;

    c->written = ((c->written & ~mask) | (value & mask)) & width_mask(c);
    if (direct)
        c->value = ((c->value & ~mask) | (value & mask)) & width_mask(c);
    c->set_value = false;
    return direct;
}

/* A route that the timer does not have is not taken: "the value read back will not match" (2.3.8). */
bool hpet_comparator_configure(struct hpet_comparator *c, uint32_t value, uint32_t routes)
{
    uint32_t old = c->config;
    uint32_t route = value & HPET_TN_ROUTE;

    if ((routes >> (route >> HPET_TN_ROUTE_SHIFT) & 1u) == 0)
        route = old & HPET_TN_ROUTE;
    c->config = (value & PLAIN_BITS) | route;
    c->set_value = periodic(c) && (value & HPET_TN_VAL_SET) != 0;
    c->value &= width_mask(c);
    c->written &= width_mask(c);
    return ((old ^ c->config) & HPET_TN_32MODE) != 0;
}
