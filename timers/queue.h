/* The timer event queue of one VM ([0085]-[0089], figures 6A-6E) and the arithmetic of periodic schedules.
 *
 * A heap in order of AT, so that a VM may have many timers. What decides between equal ATs (DESIGN.md 2.2):
 * the order is only changed as far as needed ([0089] "as needed", [0103] "there is no need to reorganize").
 * An entry that is updated moves back only past strictly smaller ATs, and forward only past strictly greater
 * ones; a new entry goes behind its equals; entries that are updated in one instant keep their order among
 * each other. */
#ifndef TIMERS_QUEUE_H
#define TIMERS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timers/vtime.h"

/* Queues a timer that is not queued, at timer->at, as a new entry. */
void queue_add(struct vt_queue *q, struct vtimer *timer);

/* Takes a queued timer out. */
void queue_remove(struct vt_queue *q, struct vtimer *timer);

/* Puts a queued timer back in order after its AT was changed, outside of an instant. */
void queue_moved(struct vt_queue *q, struct vtimer *timer);

/* Starts an instant: every entry at or before `upto` leaves the queue and is marked due. True if there is
 * one. */
bool queue_begin_instant(struct vt_queue *q, at_t upto);

/* The next entry of the instant, its mark taken; in the queue no more. NULL at the instant's end. */
struct vtimer *queue_next_due(struct vt_queue *q);

/* Queues a timer again that queue_next_due() gave in this instant, or queue_remove() took out after it: as an
 * updated entry. */
void queue_requeue(struct vt_queue *q, struct vtimer *timer);

/* True if the timer was delivered in the present (or else the last) instant. */
bool queue_in_instant(const struct vt_queue *q, const struct vtimer *timer);

/* Walks the entries of the head's AT, in no useful order: start at the head. NULL at the end. Mostly the head
 * is the only one, and nothing below it is at its AT. */
const struct vtimer *queue_walk_equal(const struct vt_queue *q, const struct vtimer *timer);

static inline const struct vtimer *queue_next_equal(const struct vt_queue *q, const struct vtimer *timer)
{
    return timer == q->head && heap_alone(&q->heap) ? NULL : queue_walk_equal(q, timer);
}

/* The entry that comes after `before` in the whole queue's order (NULL: the first); NULL at the end. For who
 * shows it: looks at all of them each time. */
const struct vtimer *queue_after(const struct vt_queue *q, const struct vtimer *before);

/* True if the entries are in order and linked both ways. */
bool queue_check(const struct vt_queue *q);

/* ---- schedules ---- */

/*@ // As schedule_start() and schedule_skip() leave a timer.
    predicate on_grid(struct vtimer *t) = is_schedule(&t->schedule) && t->rem < t->schedule.period_den;

    // From the one at `at` on, with the fraction rem, k events are at or before upto, and the next is not.
    predicate are_events(struct vt_schedule *s, integer at, integer rem, integer upto, integer k) =
        (k - 1) * s->period_num + rem < (upto - at + 1) * s->period_den <= k * s->period_num + rem; */

/* Sets timer->at and its fraction to the schedule's first event; a period below one AT tick becomes one tick.
 */
/*@ requires \valid(timer) && \valid_read(s) && \separated(timer, s) && s->phase < s->period_den;
    assigns timer->schedule, timer->at, timer->rem;
    ensures on_grid(timer) && timer->at == s->first; */
void schedule_start(struct vtimer *timer, const struct vt_schedule *s);

/* How many events the timer has from its next one on, at or before `upto`. */
/*@ requires \valid_read(timer) && on_grid(timer) && upto < UINT64_MAX;
    assigns \nothing;
    ensures !timer->armed || timer->at > upto ==> \result == 0;
    ensures timer->armed && timer->at <= upto && timer->schedule.period_num == 0 ==> \result == 1;
    ensures timer->armed && timer->at <= upto && timer->schedule.period_num > 0 ==>
            are_events(&timer->schedule, timer->at, timer->rem, upto, \result); */
uint64_t schedule_count(const struct vtimer *timer, at_t upto);

/* How many events its schedule has had since it was set, at or before `upto`: the ledger's own count. */
uint64_t schedule_count_all(const struct vtimer *timer, at_t upto);

/* Moves a periodic timer on by n events (n >= 1), exactly. False if that is at or past AT_LIMIT: never. */
/*@ requires \valid(timer) && on_grid(timer) && timer->schedule.period_num > 0;
    assigns timer->at, timer->rem;
    ensures on_grid(timer);
    ensures \result ==> timer->at < AT_LIMIT &&
            timer->at * timer->schedule.period_den + timer->rem ==
            \old(timer->at) * timer->schedule.period_den + \old(timer->rem) + n * timer->schedule.period_num;
 */
bool schedule_skip(struct vtimer *timer, uint64_t n);

#endif
