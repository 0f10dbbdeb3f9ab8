/* Properties that the contracts of several functions give together; only proved, never run. */
#include "timers/counter.h"
#include "timers/queue.h"

/* Events in order (DESIGN.md section 2, invariants): moved on past all of its events up to an instant, a
 * timer's next event is after that instant. */
/*@ requires \valid(timer) && on_grid(timer) && timer->schedule.period_num > 0 && upto < UINT64_MAX;
    assigns timer->at, timer->rem;
    ensures \result && \old(timer->armed && timer->at <= upto) ==> timer->at > upto; */
bool next_event_is_later(struct vtimer *timer, at_t upto)
{
    return schedule_skip(timer, schedule_count(timer, upto));
}

/* An event at a tick's AT finds its counter there (timers/counter.h). */
/*@ requires \valid_read(c) && is_counter(c) && tick * c->den + c->num - 1 < c->num * TWO64;
    assigns \nothing;
    ensures \result >= tick; */
uint64_t tick_is_visible_at_its_event(const struct counter *c, uint64_t tick)
{
    return counter_ticks(c, counter_at(c, tick));
}
