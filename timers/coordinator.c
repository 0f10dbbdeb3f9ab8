#include "timers/coordinator.h"

#include <stddef.h>

#include "timers/muldiv.h"

static struct deadline *deadline_of(const struct heap_node *n)
{
    return n != NULL ? (struct deadline *)((uintptr_t)n - offsetof(struct deadline, entry)) : NULL;
}

void coordinator_init(struct coordinator *c, const struct coordinator_alarm_ops *ops, void *ctx)
{
    *c = (struct coordinator){.ops = ops, .ctx = ctx, .armed = RT_NEVER};
}

void coordinator_poll(struct coordinator *c, rt_t period)
{
    c->poll = period;
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
    return d;
}

static rt_t polled(rt_t at, rt_t period)
{
    return at % period == 0 || at == RT_NEVER ? at : vt_add(at, period - at % period);
}

rt_t coordinator_next(const struct coordinator *c, rt_t own)
{
    const struct heap_node *first = c->heap.root;
    rt_t at = first != NULL && first->at < own ? first->at : own;

    return c->poll == 0 ? at : polled(at, c->poll);
}

rt_t coordinator_arm(struct coordinator *c, rt_t own)
{
    rt_t next = coordinator_next(c, own);

    if (next != c->armed) {
        c->armed = next;
        c->arms++;
        c->ops->arm(c->ctx, next);
    }
    return next;
}

bool coordinator_check(const struct coordinator *c)
{
    if (!heap_check(&c->heap)) {
        return false;
    }
    for (const struct heap_node *n = c->heap.root; n != NULL; n = heap_walk(n, UINT64_MAX)) {
        if (deadline_of(n)->at != n->at || n->at == RT_NEVER) {
            return false;
        }
    }
    return true;
}
