/* Round-robin scheduling policy; see sched.h. */
#include "kernel/sched.h"

#include <stddef.h>

#define LOAN_MOST 8u  /* of a slice can be owed, */
#define LOAN_STEP 64u /* and is lent in such steps: 156 us of the default's 10 ms */

void sched_init(struct sched *s, uint64_t slice, bool boost)
{
    *s = (struct sched){.slice = slice ? slice : 1, .boost = boost};
}

void sched_add(struct sched *s, struct sched_entity *e, void *owner)
{
    *e = (struct sched_entity){.state = SCHED_BLOCKED, .budget = s->slice, .turn = s->served, .owner = owner};
}

/* True if q, in the queue, goes before e: boosted ones in order of waking, then one in the middle of its
 * slice
 * (`front`), then the others in the order in which their last turns began. The order of the turns, not that
 * of the using-up, keeps the round: one that blocks with its last tick would otherwise lose a turn to those
 * that do not. */
static bool goes_before(const struct sched *s, const struct sched_entity *q, const struct sched_entity *e,
                        bool front)
{
    if (q->boosted || front) {
        return q->boosted;
    }
    return q->budget < s->slice || q->turn <= e->turn;
}

static void enqueue(struct sched *s, struct sched_entity *e, bool front)
{
    struct sched_entity **at = &s->head;

    while (*at && goes_before(s, *at, e, front)) {
        at = &(*at)->next;
    }
    e->next = *at;
    *at = e;
    e->state = SCHED_READY;
    e->ready_at = s->served;
}

void sched_move(struct sched *s, struct sched_entity *e)
{
    e->state = SCHED_BLOCKED;
    e->budget = s->slice;
    e->turn = s->served;
    e->boosted = false;
}

void sched_adopt(struct sched *s, struct sched_entity *e)
{
    sched_move(s, e);
    s->runnable++;
    enqueue(s, e, false);
    e->ready_at = s->served - 1;
}

/* A round is one slice for every entity that wants to run. Whoever slept through a whole one starts afresh.
 */
static bool slept_a_round(const struct sched *s, const struct sched_entity *e)
{
    return s->served - e->turn >= s->slice * s->runnable;
}

bool sched_wake(struct sched *s, struct sched_entity *e)
{
    if (e->state != SCHED_BLOCKED) {
        return false;
    }
    s->runnable++;
    if (slept_a_round(s, e)) {
        e->budget = s->slice;
        e->turn = s->served;
    }
    e->boosted = s->boost && e->budget > 0;
    if (e->budget == 0) {
        e->budget = s->slice;
    }
    enqueue(s, e, e->boosted);
    return e->boosted;
}

struct sched_entity *sched_pick(struct sched *s)
{
    struct sched_entity *e = s->head;

    if (!e) {
        return NULL;
    }
    s->head = e->next;
    e->next = NULL;
    e->state = SCHED_RUNNING;
    e->hurried = e->boosted;
    e->boosted = false;
    if (e->budget == s->slice) { /* untouched: its turn begins now */
        e->turn = s->served;
        e->budget -= e->owed;
        e->owed = 0;
    }
    e->waited = s->served != e->ready_at;
    s->current = e;
    return e;
}

/* One that waits in the queue keeps a tick: it is picked with what it has. */
static void pay(struct sched *s, struct sched_entity *e, uint64_t ticks)
{
    uint64_t least = e->state == SCHED_READY ? 1 : 0;

    s->served += ticks;
    e->used += ticks;
    e->budget = e->budget > ticks + least ? e->budget - ticks : least;
}

void sched_switched(struct sched *s, uint64_t ticks)
{
    if (s->current->hurried) {
        pay(s, s->current, ticks);
    } else if (s->quitter != NULL && s->quitter != s->current) {
        pay(s, s->quitter, ticks);
    }
}

void sched_idle(struct sched *s)
{
    s->quitter = NULL;
}

bool sched_lend(struct sched *s)
{
    struct sched_entity *e = s->current;
    uint64_t step = s->slice / LOAN_STEP;

    if (step == 0 || e->owed + step > s->slice / LOAN_MOST) {
        return false;
    }
    e->budget += step;
    e->owed += step;
    return true;
}

void sched_ran(struct sched *s, uint64_t ticks, bool blocked)
{
    struct sched_entity *e = s->current;
    bool used_up = ticks >= e->budget;

    s->current = NULL;
    s->quitter = blocked ? e : NULL;
    pay(s, e, ticks);
    if (blocked) {
        e->state = SCHED_BLOCKED;
        s->runnable--;
        return;
    }
    if (used_up) {
        e->budget = s->slice;
    }
    enqueue(s, e, !used_up);
}

static struct sched_entity **link_to(struct sched *s, const struct sched_entity *e)
{
    struct sched_entity **at = &s->head;

    while (*at != e) {
        at = &(*at)->next;
    }
    return at;
}

static void swap_words(uint64_t *a, uint64_t *b)
{
    uint64_t word = *a;

    *a = *b;
    *b = word;
}

static void swap_links(struct sched_entity **a, struct sched_entity **b)
{
    struct sched_entity *e = *a;

    *a = *b;
    *b = e;
}

/* Both are in the queue. */
static bool is_ahead(const struct sched_entity *a, const struct sched_entity *b)
{
    while (a && a != b) {
        a = a->next;
    }
    return a != NULL;
}

void sched_swap(struct sched *s, struct sched_entity *e, struct sched_entity *to)
{
    if (e->state != SCHED_READY || to->state != SCHED_READY || is_ahead(to, e)) {
        return; /* of one that has used up its slice, everybody is ahead */
    }
    swap_words(&e->budget, &to->budget);
    swap_words(&e->turn, &to->turn);
    swap_links(link_to(s, e), link_to(s, to));
    swap_links(&e->next, &to->next); /* right for neighbours too */
}

void sched_give_up(struct sched *s, struct sched_entity *e)
{
    if (e->state != SCHED_READY || e->budget == s->slice) {
        return;
    }
    *link_to(s, e) = e->next;
    e->budget = s->slice;
    enqueue(s, e, false);
}

void sched_remove(struct sched *s, struct sched_entity *e)
{
    if (s->quitter == e) {
        s->quitter = NULL;
    }
    if (e->state == SCHED_READY) {
        *link_to(s, e) = e->next;
        s->runnable--;
    }
    e->state = SCHED_BLOCKED;
}
