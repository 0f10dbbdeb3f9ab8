#include "timers/coordinator.h"

#include <stddef.h>

#include "timers/muldiv.h"

static struct deadline *deadline_of(const struct heap_node *n)
{
    return n != NULL ? (struct deadline *)((uintptr_t)n - offsetof(struct deadline, entry)) : NULL;
}

/* [0087]-[0088]: the hardware is set only if the earliest deadline has changed. */
static void arm(struct coordinator *c)
{
    rt_t next = coordinator_next(c);

    if (c->held == 0 && next != c->armed) {
        c->armed = next;
        c->arms++;
        c->ops->arm(c->ctx, next);
    }
}

void coordinator_init(struct coordinator *c, const struct coordinator_alarm_ops *ops, void *ctx)
{
    *c = (struct coordinator){.ops = ops, .ctx = ctx, .armed = RT_NEVER};
}

void coordinator_poll(struct coordinator *c, rt_t period)
{
    c->poll = period;
    arm(c);
}

void deadline_init(struct deadline *d, void *owner)
{
    *d = (struct deadline){.at = RT_NEVER, .owner = owner};
}

void coordinator_set(struct coordinator *c, struct deadline *d, rt_t at)
{
    if (deadline_waits(d) && d->at == at) {
        return;
    }
    if (deadline_waits(d)) {
        heap_remove(&c->heap, &d->entry);
    }
    d->at = at;
    if (at != RT_NEVER) {
        d->entry.at = at;
        d->entry.order = c->order++;
        heap_add(&c->heap, &d->entry);
    }
    arm(c);
}

void coordinator_clear(struct coordinator *c, struct deadline *d)
{
    coordinator_set(c, d, RT_NEVER);
}

struct deadline *coordinator_due(struct coordinator *c, rt_t now)
{
    struct deadline *d = deadline_of(c->heap.root);

    if (d == NULL || d->at > now) {
        return NULL;
    }
    heap_remove(&c->heap, &d->entry);
    arm(c);
    return d;
}

rt_t coordinator_next(const struct coordinator *c)
{
    rt_t at = c->heap.root != NULL ? c->heap.root->at : RT_NEVER;

    if (c->poll == 0 || at % c->poll == 0 || at == RT_NEVER) {
        return at;
    }
    return vt_add(at, c->poll - at % c->poll);
}

bool deadline_waits(const struct deadline *d)
{
    return heap_has(&d->entry);
}

void coordinator_fired(struct coordinator *c)
{
    c->armed = RT_NEVER;
    arm(c);
}

void coordinator_hold(struct coordinator *c)
{
    c->held++;
}

void coordinator_release(struct coordinator *c)
{
    c->held--;
    arm(c);
}

bool coordinator_check(const struct coordinator *c)
{
    if ((c->held == 0 && c->armed != coordinator_next(c)) || !heap_check(&c->heap)) {
        return false;
    }
    for (const struct heap_node *n = c->heap.root; n != NULL; n = heap_walk(n, UINT64_MAX)) {
        if (deadline_of(n)->at != n->at || n->at == RT_NEVER) {
            return false;
        }
    }
    return true;
}
