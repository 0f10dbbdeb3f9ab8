#include "timers/queue.h"

#include "timers/muldiv.h"

/* The order of equal ATs is the entries' rank and then their order of arrival. New entries have rank 0. Those
 * that are put in front of their equals have a negative one, smaller each time; all entries of an instant
 * have the same. */

static struct vtimer *timer_of(const struct heap_node *n)
{
    return n != NULL ? (struct vtimer *)((uintptr_t)n - offsetof(struct vtimer, entry)) : NULL;
}

static void insert(struct vt_queue *q, struct vtimer *timer, int64_t rank)
{
    timer->entry.at = timer->at;
    timer->entry.rank = rank;
    timer->entry.order = q->orders++;
    heap_add(&q->heap, &timer->entry);
    q->head = timer_of(q->heap.root);
}

static int64_t front(const struct vt_queue *q)
{
    return -(int64_t)q->instants;
}

static void take_out(struct vt_queue *q, struct vtimer *timer)
{
    heap_remove(&q->heap, &timer->entry);
    q->head = timer_of(q->heap.root);
}

void queue_add(struct vt_queue *q, struct vtimer *timer)
{
    insert(q, timer, 0);
}

void queue_remove(struct vt_queue *q, struct vtimer *timer)
{
    if (timer->due) {
        timer->due = false; /* queue_next_due() passes it over */
    } else {
        take_out(q, timer);
    }
}

void queue_moved(struct vt_queue *q, struct vtimer *timer)
{
    at_t from = timer->entry.at;

    if (timer->at == from) {
        return;
    }
    take_out(q, timer);
    if (timer->at > from) {
        q->instants++;
        insert(q, timer, front(q));
    } else {
        insert(q, timer, 0);
    }
}

bool queue_begin_instant(struct vt_queue *q, at_t upto)
{
    struct vtimer **end = &q->due;

    q->instants++;
    while (q->head != NULL && q->head->at <= upto) {
        struct vtimer *timer = q->head;

        take_out(q, timer);
        timer->due = true;
        *end = timer;
        end = &timer->next_due;
    }
    *end = NULL;
    return q->due != NULL;
}

struct vtimer *queue_next_due(struct vt_queue *q)
{
    struct vtimer *timer = q->due;

    while (timer != NULL && !timer->due) {
        timer = timer->next_due;
    }
    if (timer != NULL) {
        q->due = timer->next_due;
        timer->due = false;
        timer->instant = q->instants;
    }
    return timer;
}

void queue_requeue(struct vt_queue *q, struct vtimer *timer)
{
    insert(q, timer, front(q));
}

bool queue_in_instant(const struct vt_queue *q, const struct vtimer *timer)
{
    return timer->instant == q->instants;
}

const struct vtimer *queue_walk_equal(const struct vt_queue *q, const struct vtimer *timer)
{
    return timer_of(heap_walk(&timer->entry, q->head->at));
}

const struct vtimer *queue_after(const struct vt_queue *q, const struct vtimer *before)
{
    const struct heap_node *next = NULL;

    for (const struct heap_node *n = q->heap.root; n != NULL; n = heap_walk(n, UINT64_MAX)) {
        if ((before == NULL || heap_before(&before->entry, n)) && (next == NULL || heap_before(n, next))) {
            next = n;
        }
    }
    return timer_of(next);
}

bool queue_check(const struct vt_queue *q)
{
    if (!heap_check(&q->heap) || q->head != timer_of(q->heap.root)) {
        return false;
    }
    for (const struct heap_node *n = q->heap.root; n != NULL; n = heap_walk(n, UINT64_MAX)) {
        const struct vtimer *timer = timer_of(n);

        if (!timer->armed || timer->due || timer->at != n->at) {
            return false;
        }
    }
    return true;
}

void schedule_start(struct vtimer *timer, const struct vt_schedule *s)
{
    timer->schedule = *s;
    if (s->period_num != 0 && s->period_num < s->period_den) {
        timer->schedule.period_num = 1;
        timer->schedule.period_den = 1;
        timer->schedule.phase = 0;
    }
    timer->at = timer->schedule.first;
    timer->rem = timer->schedule.phase;
}

/* Events at `at`, then every period, with the fraction `rem`: event j is at or before upto when
 * at + floor((rem + j * num) / den) <= upto, that is j * num < (upto - at + 1) * den - rem. As num >= den,
 * the quotient is at most upto - at + 1. */
/*@ requires \valid_read(s) && is_schedule(s) && rem < s->period_den && upto < UINT64_MAX;
    assigns \nothing;
    ensures at > upto ==> \result == 0;
    ensures at <= upto && s->period_num == 0 ==> \result == 1;
    ensures at <= upto && s->period_num > 0 ==> are_events(s, at, rem, upto, \result); */
static uint64_t count_events(const struct vt_schedule *s, at_t at, uint64_t rem, at_t upto)
{
    uint64_t ignored;

    if (at > upto) {
        return 0;
    }
    if (s->period_num == 0) {
        return 1;
    }
    return vt_div(vt_minus(vt_minus(vt_mul(upto - at + 1, s->period_den), 1), rem), s->period_num, &ignored) +
           1;
}

uint64_t schedule_count(const struct vtimer *timer, at_t upto)
{
    return timer->armed ? count_events(&timer->schedule, timer->at, timer->rem, upto) : 0;
}

uint64_t schedule_count_all(const struct vtimer *timer, at_t upto)
{
    return timer->armed ? count_events(&timer->schedule, timer->schedule.first, timer->schedule.phase, upto)
                        : 0;
}

bool schedule_skip(struct vtimer *timer, uint64_t n)
{
    const struct vt_schedule *s = &timer->schedule;
    vt_u128 distance = vt_plus(vt_mul(n, s->period_num), timer->rem);
    uint64_t step;

    if (vt_high(distance) >= s->period_den) {
        return false;
    }
    step = vt_div(distance, s->period_den, &timer->rem);
    timer->at = vt_add(timer->at, step);
    return timer->at < AT_LIMIT;
}
