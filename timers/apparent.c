/* Apparent time: what a read sees ([0090], DESIGN.md 2.4), and when figure 5C is asked (2.3). How the text is
 * read where it leaves a choice stands at the top of vtime.c. */
#include "timers/internal.h"
#include "timers/muldiv.h"

rt_t vt_rt(const struct vtime *t)
{
    return t->paused ? t->paused_at : t->rt_c;
}

at_t vt_present(const struct vtime *t, rt_t rt)
{
    return t->at_p + (rt - t->nrt_p); /* modulo 2^64: NRT_P may be after rt, the sum is never negative */
}

rt_t vt_nrt(const struct vtime *t, at_t at)
{
    return t->nrt_p + (at - t->at_p);
}

struct vt_moment vt_line_end(const struct vtime *t)
{
    rt_t gate = progress_gate(t);

    return gate > t->rt_n.whole ? (struct vt_moment){gate, 0, 1} : t->rt_n;
}

/* floor(distance * (passed * den / all)): a fraction below one of the distance. */
/*@ requires passed * den < val(all);
    assigns \nothing;
    ensures \result <= distance; */
static uint64_t part_of(uint64_t distance, uint64_t passed, uint64_t den, vt_u128 all)
{
    /*@ assert passed * den * distance <= passed * den * TWO64; */
    /*@ assert passed * den * distance <= val(all) * distance; */
    return vt_mul3_div(passed, distance, den, all);
}

/* AT_L + (RT - RT_L) * (AT_N - AT_L) / (RT_N - RT_L), rounded down, at most AT_N. */
/*@ requires is_sane(t) && t->rt_l <= rt && t->queue.head != \null && t->at_l < t->queue.head->at;
    assigns \nothing;
    ensures t->at_l <= \result <= t->queue.head->at; */
static at_t at_before_event(const struct vtime *t, rt_t rt)
{
    struct vt_moment end = vt_line_end(t);
    at_t at_n = t->queue.head->at;
    uint64_t passed = rt - t->rt_l;
    uint64_t distance = at_n - t->at_l;
    uint64_t rem;
    uint64_t whole;

    if (rt >= vt_moment_ceil(&end)) {
        return at_n;
    }
    if (t->scaled.ratio != 0) {
        return vt_at_scaled(t, rt);
    }
    whole = end.whole - t->rt_l; /* RT_L <= rt <= end.whole */
    if (end.num == 0 && whole == distance) {
        return t->at_l + passed; /* slope one, the usual case: no division */
    }
    if (end.num == 0) {
        return t->at_l + vt_div(vt_mul(passed, distance), whole, &rem);
    }
    /*@ assert passed * end.den <= whole * end.den; */
    return t->at_l + part_of(distance, passed, end.den, vt_plus(vt_mul(whole, end.den), end.num));
}

/* No timer armed: min(AT_L + C * (RT - RT_L), AT_P + (RT - NRT_P)), rounded down (DESIGN.md 2.4). */
/*@ requires is_sane(t) && t->rt_l <= rt < AT_LIMIT;
    assigns \nothing;
    ensures t->at_l <= \result; */
static at_t at_without_event(const struct vtime *t, rt_t rt)
{
    int64_t behind = (int64_t)(vt_present(t, rt) - t->at_l);
    vt_u128 fast = vt_mul(rt - t->rt_l, t->c.num);
    uint64_t rem;

    if (behind <= 0) {
        return t->at_l;
    }
    if (vt_le(vt_mul((uint64_t)behind, t->c.den), fast)) {
        return t->at_l + (uint64_t)behind;
    }
    return t->at_l + vt_div(fast, t->c.den, &rem);
}

/* A VM without the processor stays at the AT of its loss, or, with gap=jump, on the patent's literal
 * equation. */
at_t vt_at(const struct vtime *t, rt_t rt)
{
    if (t->policy.naive && !t->in_event && rt > t->rt_l) {
        return vt_present(t, rt);
    }
    if (t->in_event || rt <= t->rt_l || (!t->moving && t->policy.gap == VT_GAP_SMOOTH)) {
        return t->at_l;
    }
    if (t->queue.head == NULL) {
        return at_without_event(t, rt);
    }
    return t->queue.head->at > t->at_l ? at_before_event(t, rt) : t->at_l;
}

void vt_raise(struct vtime *t, at_t at)
{
    t->account.run += at - t->at_l;
    t->at_l = at;
    t->rt_l = vt_rt(t);
}

void vt_incident(struct vtime *t)
{
    vt_raise(t, vt_at(t, vt_rt(t)));
}

/* ---- figure 5C ---- */

static enum vt_mode mode_without_event(const struct vtime *t, rt_t rt)
{
    return (int64_t)(vt_present(t, rt) - vt_at(t, rt)) > 0 ? VT_CATCHUP : VT_NORMAL;
}

/* Figure 5C as it is written. Not part of vt_decide, for which it is mostly known without. */
static __attribute__((noinline)) void ask(struct vtime *t, rt_t rt, int64_t lag, bool without_event)
{
    const struct vt_question q = {
        .rt_c = rt,
        .at_l = t->at_l,
        .rt_l = t->rt_l,
        .at_n = t->queue.head->at,
        .nrt_n = vt_nrt(t, t->queue.head->at),
        .nrt_p = t->nrt_p,
        .art_p = t->art_p,
        .lag = lag,
        .without_event = without_event,
    };

    t->c = vt_rate_for(&t->policy, lag);
    t->rt_n = vt_fast(&q, t->c);
    vt_set_mode(t, vt_decide_mode(&t->policy, &q, t->mode, &t->rt_n));
    if (q.at_n <= t->at_l) {
        t->rt_n = (struct vt_moment){rt, 0, 1}; /* due at once in any mode */
    } else if (t->mode == VT_NORMAL) {
        t->rt_n = (struct vt_moment){q.nrt_n, 0, 1};
    }
}

/* Normal mode, nothing behind, and an event to come: so NRT_N > RT_C, and none of the forms of figure 5C's
 * first question can be answered with yes. */
static bool is_on_time(const struct vtime *t, int64_t lag)
{
    return t->mode == VT_NORMAL && lag <= 0 && t->art_p <= t->nrt_p && t->queue.head->at > t->at_l;
}

void vt_decide(struct vtime *t, rt_t rt, bool without_event)
{
    const struct vtimer *head = t->queue.head;
    int64_t lag = (int64_t)(vt_present(t, rt) - t->at_l);

    if (t->policy.naive) { /* for life, and in normal mode */
        t->head_seen = head;
        t->head_seen_at = head != NULL ? head->at : 0;
        return;
    }
    if (head == NULL || t->head_seen == NULL) {
        vt_set_mode(t, lag > 0 ? VT_CATCHUP : VT_NORMAL);
    }
    t->floor = rt;
    vt_leave_line(t);
    t->head_seen = head;
    if (head == NULL) {
        t->c = lag > 0 ? vt_rate_for(&t->policy, lag) : t->c;
    } else {
        t->head_seen_at = head->at;
        if (is_on_time(t, lag)) {
            t->rt_n = (struct vt_moment){vt_nrt(t, head->at), 0, 1};
        } else {
            ask(t, rt, lag, without_event);
        }
    }
    if (t->observer != NULL && t->observer->decide != NULL) {
        t->observer->decide(t->observer_ctx, rt, t->mode, t->c, head != NULL ? &t->rt_n : NULL);
    }
}

/* ---- queries ---- */

rt_t vtime_deadline_of(const struct vtime *t, const struct vtimer *timer)
{
    rt_t head = vtime_deadline(t);
    struct vt_question q = {.at_l = t->at_l, .rt_l = t->rt_l, .at_n = timer->at};
    struct vt_moment fast;
    rt_t nrt;
    rt_t rt;

    if (!timer->armed || head == RT_NEVER) {
        return RT_NEVER;
    }
    if (t->policy.naive) {
        return naive_deadline_of(t, timer);
    }
    fast = vt_fast(&q, t->c);
    nrt = vt_nrt(t, timer->at);
    rt = vt_moment_ceil(&fast);
    rt = t->mode == VT_NORMAL || rt < nrt ? nrt : rt;
    return timer->at == t->queue.head->at || rt < head ? head : rt;
}

at_t vtime_peek(const struct vtime *t)
{
    return vt_at(t, vt_rt(t));
}

int64_t vtime_lag(const struct vtime *t)
{
    return (int64_t)(vt_present(t, vt_rt(t)) - vtime_peek(t));
}

enum vt_mode vtime_mode(const struct vtime *t)
{
    return t->queue.head == NULL ? mode_without_event(t, vt_rt(t)) : t->mode;
}

bool vtime_line(const struct vtime *t, uint64_t *offset)
{
    const struct vtimer *head = t->queue.head;
    struct vt_moment end;

    *offset = t->at_l - t->rt_l;
    if (!t->moving || t->leap_due || t->in_event || t->scaled.ratio != 0) {
        return false;
    }
    if (t->policy.naive) {
        return true;
    }
    if (head == NULL && *offset != t->at_p - t->nrt_p) {
        at_t at = vtime_peek(t);

        *offset = at - t->rt_c;
        return at == vt_present(t, vt_rt(t));
    }
    if (head == NULL) {
        return true; /* at the present, and stays there */
    }
    end = vt_line_end(t);
    return t->rt_c < vt_moment_ceil(&end) && end.num == 0 && end.whole - t->rt_l == head->at - t->at_l;
}

/* An event that is due but waits for the guest's acknowledgement hangs on what this file does not see: not
 * kept. Neither is AT on its way back to the present without any event, which no call announces. */
static bool stays(const struct vtime *t)
{
    if (!t->moving || t->policy.naive) {
        return true;
    }
    return t->queue.head != NULL ? !t->leap_due && vt_due(t) > t->rt_c : t->outlook.line.ratio != 0;
}

static struct vt_tsc_line find_line(struct vtime *t)
{
    uint64_t offset;

    if (vtime_line(t, &offset)) {
        return (struct vt_tsc_line){vt_ratio_one(t->scaling), offset};
    }
    return t->scaling.bits != 0 ? vt_scaled_line(t) : (struct vt_tsc_line){0};
}

void vtime_look_out(struct vtime *t)
{
    struct vt_outlook *o = &t->outlook;

    o->deadline = vtime_deadline(t);
    o->line = find_line(t);
    o->until = stays(t) ? o->deadline : 0;
}
