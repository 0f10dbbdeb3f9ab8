#include "timers/counter.h"

#include "timers/muldiv.h"

#define FAR_BELOW 8  /* the minimum progress over the shortest period whose ticks come one by one */
#define GROUP     32 /* how many times the minimum progress a group of them lasts */

/*@ assigns \nothing;
    ensures a > 0 || b > 0 ==> \result > 0; */
static uint64_t gcd(uint64_t a, uint64_t b)
{
    /*@ loop invariant (\at(a, Pre) > 0 || \at(b, Pre) > 0) ==> a > 0 || b > 0;
        loop assigns a, b;
        loop variant b; */
    while (b != 0) {
        uint64_t r = a % b;

        a = b;
        b = r;
    }
    return a;
}

void counter_init(struct counter *c, uint64_t at_hz, uint64_t hz_num, uint64_t hz_den)
{
    uint64_t num = hz_num != 0 ? hz_num : 1;
    uint64_t den = (at_hz != 0 ? at_hz : 1) * (hz_den != 0 ? hz_den : 1);
    uint64_t g = gcd(num, den);

    c->num = num / g;
    c->den = den / g;
}

uint64_t counter_ticks(const struct counter *c, at_t at)
{
    return vt_mul_div(at, c->num, c->den);
}

/* The AT of a tick, rounded up, and its phase. n is raised by num - 1 to round up, so what the division
 * leaves is the phase that vt_schedule wants: with it floor((phase + k * period) / num) rounds every later
 * event up as well. */
/*@ requires \valid_read(c) && is_counter(c) && \valid(phase) && \separated(c, phase);
    assigns *phase;
    ensures *phase < c->num;
    ensures tick * c->den + c->num - 1 < c->num * TWO64 ==>
            tick * c->den == \result * c->num + *phase - (c->num - 1);
    ensures tick * c->den + c->num - 1 >= c->num * TWO64 ==> \result == AT_NEVER; */
static at_t round_up(const struct counter *c, uint64_t tick, uint64_t *phase)
{
    vt_u128 n = vt_plus(vt_mul(tick, c->den), c->num - 1);

    *phase = 0;
    if (vt_high(n) >= c->num)
        return AT_NEVER;
    return vt_div(n, c->num, phase);
}

at_t counter_at(const struct counter *c, uint64_t tick)
{
    uint64_t phase;

    return round_up(c, tick, &phase);
}

struct vt_schedule counter_once(const struct counter *c, uint64_t tick)
{
    struct vt_schedule s = {.first = counter_at(c, tick), .period_num = 0, .period_den = 1, .phase = 0};

    return s;
}

uint64_t counter_group(const struct counter *c, uint64_t period, uint64_t progress)
{
    uint64_t ticks = counter_ticks(c, progress);

    return period < ticks / FAR_BELOW ? ticks / period * GROUP : 1;
}

bool counter_every(const struct counter *c, uint64_t tick, uint64_t period, struct vt_schedule *s)
{
    vt_u128 n = vt_mul(period, c->den);

    s->first = round_up(c, tick, &s->phase);
    s->period_den = c->num;
    s->period_num = vt_low(n);
    if (vt_high(n) == 0)
        return true;

    s->phase = 0;
    s->period_den = 1;
    s->period_num = vt_mul_div(period, c->den, c->num);
    return false;
}
