/* AT on the line of a scaled TSC (DESIGN.md 2.10; scaled.h). The exact line goes from (RT_L, AT_L) to (RT_N,
 * AT_N); its slope is rounded down to a ratio of the processor's, and from then on the processor's formula is
 * AT: what RDTSC answers without an exit and what any other clock says are one number. AT reaches AT_N late
 * by no more than the rounding: less than a unit in 2^bits of RT. */
#include "timers/internal.h"
#include "timers/muldiv.h"

/* The processor's formula may be a unit past the exact line, or before AT_L, which may have been raised. */
at_t vt_at_scaled(const struct vtime *t, rt_t rt)
{
    at_t at = vt_tsc_line_at(t->scaling, t->scaled, rt);
    at_t most = t->queue.head->at;

    at = at > most ? most : at;
    return at < t->at_l ? t->at_l : at;
}

/* Steeper than C: an overdue event that waits for its gate (2.6) can be a whole turn of AT away and a few
 * microseconds of RT. The guest would be far past it when the deadline takes it out, so such a line is not
 * for the processor. Both ends are rounded to whole units: hence the two. */
static bool is_too_steep(const struct vtime *t, uint64_t distance, uint64_t whole)
{
    return !vt_le(vt_mul(distance, t->c.den), vt_mul(whole + 2, t->c.num));
}

/* (AT_N - AT_L) / (RT_N - RT_L) as a ratio, rounded down; 0: it is none that a guest may run on. */
static uint64_t ratio_of(const struct vtime *t, struct vt_moment end)
{
    uint64_t distance = t->queue.head->at - t->at_l;
    uint64_t whole = end.whole - t->rt_l;

    if (whole == 0 || distance / whole >= t->scaling.below || is_too_steep(t, distance, whole)) {
        return 0;
    }
    return vt_mul3_div(distance, end.den, vt_ratio_one(t->scaling), vt_plus(vt_mul(whole, end.den), end.num));
}

/* Of a line that vtime_line() has refused, between events. A line without end is no line: with no timer armed
 * AT meets the present at a moment that nobody announces.
 */
static bool can_scale(const struct vtime *t)
{
    return t->moving && !t->leap_due && t->policy.gap == VT_GAP_SMOOTH && t->queue.head != NULL;
}

struct vt_tsc_line vt_scaled_line(struct vtime *t)
{
    struct vt_moment end = vt_line_end(t);

    if (!can_scale(t) || t->rt_c >= vt_moment_ceil(&end)) {
        return (struct vt_tsc_line){0};
    }
    if (t->scaled.ratio == 0) {
        vt_incident(t);
        if (t->at_l < t->queue.head->at) {
            t->scaled.ratio = ratio_of(t, end);
            t->scaled.offset =
                t->at_l - vt_tsc_line_at(t->scaling, (struct vt_tsc_line){t->scaled.ratio, 0}, t->rt_l);
        }
    }
    return t->scaled;
}
