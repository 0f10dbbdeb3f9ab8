/* How fast apparent time runs: a VM's policy, and figure 5C ([0091]-[0095], [0115], DESIGN.md 2.3 and 2.8).
 */
#ifndef TIMERS_RATE_H
#define TIMERS_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/types.h"

/* A rate, AT over RT. den is never 0. Below 2^63 each; a rate is at least one (num >= den). */
struct vt_ratio {
    uint64_t num;
    uint64_t den;
};

/*@ predicate is_ratio(struct vt_ratio r) = 0 < r.den <= r.num < AT_LIMIT; */

enum vt_mode {
    VT_NORMAL,
    VT_CATCHUP,
    VT_LEAP, /* of an event only: delivered in a leap. A VM's mode after it is normal */
};

enum vt_rate { VT_RATE_FIXED, VT_RATE_ADAPTIVE };
enum vt_gap { VT_GAP_SMOOTH, VT_GAP_JUMP };
enum vt_hyst { VT_HYST_5C, VT_HYST_RTC, VT_HYST_ARTP };

/* What becomes of a periodic timer's ticks that come a whole period late or more, because the VM did not have
 * the processor. In any case AT, and with it every clock, keeps to its line. */
enum vt_missed {
    VT_COMPRESS, /* each is delivered, at the catch-up rate: no tick is lost */
    VT_SKIP,     /* none is: the timer goes on with the first tick after the present; counted as dropped */
    VT_COLLAPSE, /* one is, for all of them; the others are counted as dropped */
};

#define VT_MISSED_POLICIES 3

#define VT_NO_LEAP RT_NEVER

/* A VM's policy; all times in RT ticks. May be changed live: the next decision of figure 5C uses it. */
struct vtime_policy {
    enum vt_rate rate;
    struct vt_ratio c;       /* rate fixed: C */
    struct vt_ratio maxrate; /* rate adaptive: the most C may be */
    uint64_t tau;            /* rate adaptive: AT runs at twice RT when it is this far behind; never 0 */
    rt_t k1;
    rt_t k2;
    rt_t leap;     /* the threshold of [0112], or VT_NO_LEAP */
    rt_t progress; /* M of [0111]: what vtime_attach() gives each timer */
    rt_t round; /* SMP: how long M and an acknowledgement may keep the VM waiting for a vCPU that is not on a
                   processor, in RT during which the VM runs: one scheduler round. RT_NEVER: no bound */
    enum vt_gap gap;
    enum vt_hyst hyst;
    enum vt_missed missed; /* what vtime_attach() gives each timer */
    bool naive;            /* no coordination at all, for comparison: timers/naive.c */
    rt_t spacing; /* naive: RT between two pending events of a timer, a period of the hardware's clock */
};

/*@ predicate is_policy(struct vtime_policy *p) =
        is_ratio(p->c) && is_ratio(p->maxrate) && p->tau > 0 && p->k1 < AT_LIMIT && p->k2 < AT_LIMIT &&
        p->progress < AT_LIMIT && (p->leap < AT_LIMIT || p->leap == VT_NO_LEAP); */

/* The defaults of a VM in the kernel: adaptive up to maxrate 4, k1=0 k2=0 leap=60s progress=50us gap=smooth
 * hyst=5c, round=100ms, for an RT that runs at hz (the caller raises maxrate and round with the number of
 * VMs). */
struct vtime_policy vtime_policy_defaults(uint64_t hz);

/* The policy of the patent's own example (figures 3B and 7): C=2, no leap, no progress, gap=smooth,
 * spacing 2. Units are abstract. */
struct vtime_policy vtime_policy_figure7(void);

/* True if the policy can be used: rates of at least one, no zero denominators, tau not 0, times below 2^63.
 */
/*@ requires \valid_read(p);
    assigns \nothing;
    ensures \result <==> is_policy(p); */
bool vtime_policy_valid(const struct vtime_policy *p);

/* An exact moment of real time: whole + num/den, num < den. */
struct vt_moment {
    rt_t whole;
    uint64_t num;
    uint64_t den;
};

/* What figure 5C is asked about. All of it at the moment of the decision, RT_C. */
struct vt_question {
    rt_t rt_c;
    at_t at_l;
    rt_t rt_l;
    at_t at_n;
    rt_t nrt_n; /* NRT_P + (AT_N - AT_P) */
    rt_t nrt_p;
    rt_t art_p;
    int64_t lag;        /* AT_P + (RT_C - NRT_P) - AT_L */
    bool without_event; /* the head changed without an event, or a resumption: the lag counts too */
};

/*@ // The mode of figure 5C by the words of DESIGN.md 2.3 and [0115]; fast is rounded up.
    predicate behind(struct vtime_policy *p, struct vt_question *q) =
        (p->hyst == VT_HYST_ARTP ? q->art_p > q->nrt_p + p->k1 : q->rt_c > q->nrt_n + p->k1) ||
        (q->without_event && q->lag > p->k1);
    predicate level(struct vtime_policy *p, struct vt_question *q, integer fast) =
        p->hyst == VT_HYST_RTC ? q->rt_c <= q->nrt_n - p->k2 :
        p->hyst == VT_HYST_ARTP ? q->art_p <= q->nrt_p - p->k2 : q->nrt_n - p->k2 >= fast;
    predicate is_moment(struct vt_moment m) = m.num < m.den && (m.num != 0 ==> m.whole < UINT64_MAX);
    logic integer rounded_up(struct vt_moment m) = m.num != 0 ? m.whole + 1 : m.whole;
    // FAST = RT_L + (AT_N - AT_L) / C, exactly.
    predicate is_fast(struct vt_moment m, struct vt_question *q, struct vt_ratio c) =
        is_moment(m) && m.den == c.num &&
        (m.whole - q->rt_l) * c.num + m.num == \max(q->at_n - q->at_l, 0) * c.den; */

/* The rate at which AT may catch up when it is `lag` behind: C, or the adaptive policy's answer. */
/*@ requires \valid_read(p) && is_policy(p);
    assigns \nothing;
    ensures is_ratio(\result);
    ensures p->rate != VT_RATE_ADAPTIVE ==> \result == p->c;
    ensures p->rate == VT_RATE_ADAPTIVE ==>
            \result.num * p->maxrate.den <= p->maxrate.num * \result.den; */
struct vt_ratio vt_rate_for(const struct vtime_policy *p, int64_t lag);

/* FAST = RT_L + (AT_N - AT_L) / C (DESIGN.md 2.3). The quotient is at most AT_N - AT_L, for C is at least
 * one. */
/*@ requires \valid_read(q) && is_ratio(c) && q->rt_l < AT_LIMIT && q->at_n < AT_LIMIT;
    assigns \nothing;
    ensures is_fast(\result, q, c); */
struct vt_moment vt_fast(const struct vt_question *q, struct vt_ratio c);

/* Figure 5C: the mode for the next event, from the mode so far and FAST. */
/*@ requires \valid_read(p) && \valid_read(q) && \valid_read(fast) && is_moment(*fast);
    assigns \nothing;
    ensures \result == VT_NORMAL || \result == VT_CATCHUP;
    ensures \result == VT_CATCHUP <==>
            (mode == VT_CATCHUP || behind(p, q)) && !level(p, q, rounded_up(*fast)); */
enum vt_mode vt_decide_mode(const struct vtime_policy *p, const struct vt_question *q, enum vt_mode mode,
                            const struct vt_moment *fast);

/* The first whole unit not before the moment: when an event of that RT_N is delivered. */
/*@ requires \valid_read(m) && is_moment(*m);
    assigns \nothing;
    ensures \result == rounded_up(*m); */
static inline rt_t vt_moment_ceil(const struct vt_moment *m)
{
    return m->num != 0 ? m->whole + 1 : m->whole;
}

#endif
