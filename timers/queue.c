#include "timers/queue.h"

#include "timers/muldiv.h"

/* Links `timer` in before `at` (NULL: at the end), behind `before`. */
static void link_between(struct vt_queue *q, struct vtimer *before, struct vtimer *timer, struct vtimer *at)
{
    timer->prev = before;
    timer->next = at;
    if (before != NULL) {
        before->next = timer;
    } else {
        q->head = timer;
    }
    if (at != NULL) {
        at->prev = timer;
    }
}

static void unlink_timer(struct vt_queue *q, struct vtimer *timer)
{
    if (timer->prev != NULL) {
        timer->prev->next = timer->next;
    } else {
        q->head = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->prev = timer->prev;
    }
}

void queue_add(struct vt_queue *q, struct vtimer *timer)
{
    struct vtimer *before = NULL;
    struct vtimer *at = q->head;

    while (at != NULL && at->at <= timer->at) {
        before = at;
        at = at->next;
    }
    link_between(q, before, timer, at);
}

void queue_remove(struct vt_queue *q, struct vtimer *timer)
{
    unlink_timer(q, timer);
    timer->due = false;
}

void queue_moved(struct vt_queue *q, struct vtimer *timer)
{
    struct vtimer *before = timer->prev;
    struct vtimer *at = timer->next;

    unlink_timer(q, timer);
    while (at != NULL && at->at < timer->at) {
        before = at;
        at = at->next;
    }
    while (before != NULL && before->at > timer->at) {
        at = before;
        before = before->prev;
    }
    link_between(q, before, timer, at);
}

bool queue_begin_instant(struct vt_queue *q, at_t upto)
{
    q->instants++;
    for (struct vtimer *timer = q->head; timer != NULL && timer->at <= upto; timer = timer->next) {
        timer->due = true;
    }
    return q->head != NULL && q->head->due;
}

struct vtimer *queue_next_due(struct vt_queue *q)
{
    struct vtimer *timer = q->head;

    if (timer == NULL || !timer->due) {
        return NULL;
    }
    timer->due = false;
    timer->instant = q->instants;
    return timer;
}

void queue_requeue(struct vt_queue *q, struct vtimer *timer)
{
    struct vtimer *before = NULL;
    struct vtimer *at = q->head;

    while (at != NULL &&
           (at->due || at->at < timer->at || (at->at == timer->at && at->instant == q->instants))) {
        before = at;
        at = at->next;
    }
    link_between(q, before, timer, at);
}

bool queue_in_instant(const struct vt_queue *q, const struct vtimer *timer)
{
    return timer->instant == q->instants;
}

bool queue_check(const struct vt_queue *q)
{
    const struct vtimer *before = NULL;

    for (const struct vtimer *timer = q->head; timer != NULL; timer = timer->next) {
        if (!timer->armed || timer->prev != before || (before != NULL && before->at > timer->at)) {
            return false;
        }
        before = timer;
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
static uint64_t count_events(const struct vt_schedule *s, at_t at, uint64_t rem, at_t upto)
{
    uint64_t ignored;

    if (at > upto) {
        return 0;
    }
    if (s->period_num == 0) {
        return 1;
    }
    return vt_div(vt_mul(upto - at + 1, s->period_den) - 1 - rem, s->period_num, &ignored) + 1;
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
    vt_u128 distance = vt_mul(n, s->period_num);
    uint64_t step;

    /* rem < den, so the sum fits 128 bits unless n * num is at the very top, which is never anyway. */
    if ((uint64_t)(distance >> 64) >= s->period_den - (s->period_den > 1 ? 1 : 0)) {
        return false;
    }
    step = vt_div(distance + timer->rem, s->period_den, &timer->rem);
    timer->at = vt_add(timer->at, step);
    return timer->at < AT_LIMIT;
}
