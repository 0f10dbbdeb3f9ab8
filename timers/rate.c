/* Figure 5C and the rates. Every comparison is exact: sums that may pass 64 bits are taken in 128. */
#include "timers/rate.h"

#include "timers/muldiv.h"

/* A naive timer's hardware is the host's PIT, whose input clock has this many Hz: 14318180 / 12, rounded. */
#define HARDWARE_HZ 1193182u

/* The adaptive rate moves in sixteenths, so that FAST stays a fraction of small numbers. */
#define RATE_STEPS 16u

struct vtime_policy vtime_policy_defaults(uint64_t hz)
{
    return (struct vtime_policy){
        .rate = VT_RATE_ADAPTIVE,
        .c = {2, 1},
        .maxrate = {4, 1},
        .tau = hz / 100 > 0 ? hz / 100 : 1,
        .k1 = 0,
        .k2 = 0,
        .leap = 60 * hz,
        .progress = hz / 20000,
        .round = hz / 10,
        .gap = VT_GAP_SMOOTH,
        .hyst = VT_HYST_5C,
        .spacing = hz / HARDWARE_HZ + 1,
    };
}

struct vtime_policy vtime_policy_figure7(void)
{
    return (struct vtime_policy){
        .rate = VT_RATE_FIXED,
        .c = {2, 1},
        .maxrate = {2, 1},
        .tau = 64,
        .leap = VT_NO_LEAP,
        .round = RT_NEVER,
        .gap = VT_GAP_SMOOTH,
        .hyst = VT_HYST_5C,
        .spacing = 2, /* [0058]: "the period for the hardware clock is two units of time" */
    };
}

/*@ assigns \nothing;
    ensures \result <==> is_ratio(r); */
static bool ratio_valid(struct vt_ratio r)
{
    return r.den != 0 && r.num >= r.den && r.num < AT_LIMIT;
}

bool vtime_policy_valid(const struct vtime_policy *p)
{
    return ratio_valid(p->c) && ratio_valid(p->maxrate) && p->tau != 0 && p->k1 < AT_LIMIT &&
           p->k2 < AT_LIMIT && p->progress < AT_LIMIT && (p->leap < AT_LIMIT || p->leap == VT_NO_LEAP);
}

/* [0094]: "the factor ... may vary depending on how far behind the apparent time is. As the apparent time
 * catches up to the real time, the apparent time could decelerate". Here
 *
 *     C = 1 + lag / tau, in sixteenths, rounded up, at most maxrate
 *
 * so the gap closes exponentially with time constant tau while it is small, at full rate while it is large,
 * and, being rounded up, in finite time. With a share s of a processor a VM's lag settles where s * C = 1, if
 * maxrate allows that, which is the bound of DESIGN.md 2.8. */
/*@ requires \valid_read(p) && is_policy(p);
    assigns \nothing;
    ensures is_ratio(\result) && \result.num * p->maxrate.den <= p->maxrate.num * \result.den; */
static struct vt_ratio adaptive_rate(const struct vtime_policy *p, int64_t lag)
{
    uint64_t steps = lag > 0 ? vt_mul_div((uint64_t)lag, RATE_STEPS, p->tau) : 0;
    uint64_t num;

    if (steps >= AT_LIMIT - RATE_STEPS - 1) {
        return p->maxrate;
    }
    num = RATE_STEPS + steps + 1;
    if (vt_le(vt_mul(p->maxrate.num, RATE_STEPS), vt_mul(num, p->maxrate.den))) {
        return p->maxrate;
    }
    return (struct vt_ratio){num, RATE_STEPS};
}

struct vt_ratio vt_rate_for(const struct vtime_policy *p, int64_t lag)
{
    return p->rate == VT_RATE_ADAPTIVE ? adaptive_rate(p, lag) : p->c;
}

struct vt_moment vt_fast(const struct vt_question *q, struct vt_ratio c)
{
    uint64_t distance = q->at_n > q->at_l ? q->at_n - q->at_l : 0;
    struct vt_moment fast = {.den = c.num};

    fast.whole = q->rt_l + vt_div(vt_mul(distance, c.den), c.num, &fast.num);
    return fast;
}

/* rt > nrt + k1 */
/*@ assigns \nothing;
    ensures \result <==> rt > nrt + k1; */
static bool is_behind(rt_t rt, rt_t nrt, rt_t k1)
{
    return !vt_le(vt_sum(rt, 0), vt_sum(nrt, k1));
}

/* rt <= nrt - k2, with K2 brought to the other side. */
/*@ assigns \nothing;
    ensures \result <==> rt <= nrt - k2; */
static bool is_level(rt_t rt, rt_t nrt, rt_t k2)
{
    return vt_le(vt_sum(rt, k2), vt_sum(nrt, 0));
}

/* Steps 780-782, or [0115]'s other condition; and, where no event came before, the lag (DESIGN.md 2.3). */
/*@ requires \valid_read(p) && \valid_read(q);
    assigns \nothing;
    ensures \result <==> behind(p, q); */
static bool must_catch_up(const struct vtime_policy *p, const struct vt_question *q)
{
    bool by_form =
        p->hyst == VT_HYST_ARTP ? is_behind(q->art_p, q->nrt_p, p->k1) : is_behind(q->rt_c, q->nrt_n, p->k1);

    return by_form || (q->without_event && q->lag > 0 && (uint64_t)q->lag > p->k1);
}

/* Step 788, or [0115]'s other conditions. */
/*@ requires \valid_read(p) && \valid_read(q) && \valid_read(fast) && is_moment(*fast);
    assigns \nothing;
    ensures \result <==> level(p, q, rounded_up(*fast)); */
static bool has_caught_up(const struct vtime_policy *p, const struct vt_question *q,
                          const struct vt_moment *fast)
{
    if (p->hyst == VT_HYST_RTC) {
        return is_level(q->rt_c, q->nrt_n, p->k2);
    }
    if (p->hyst == VT_HYST_ARTP) {
        return is_level(q->art_p, q->nrt_p, p->k2);
    }
    return is_level(vt_moment_ceil(fast), q->nrt_n, p->k2);
}

enum vt_mode vt_decide_mode(const struct vtime_policy *p, const struct vt_question *q, enum vt_mode mode,
                            const struct vt_moment *fast)
{
    if (mode != VT_CATCHUP && !must_catch_up(p, q)) {
        return VT_NORMAL;
    }
    return has_caught_up(p, q, fast) ? VT_NORMAL : VT_CATCHUP;
}
