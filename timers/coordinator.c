/* A pairing heap of deadlines: setting is O(1), taking out is O(log n) amortised, nothing is allocated, and
 * no call recurses. `back` makes taking out from anywhere possible: the elder sibling, or the parent of the
 * eldest. */
#include "timers/coordinator.h"

#include <stddef.h>

static bool earlier(const struct deadline *a, const struct deadline *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

/* Joins two heaps (either may be empty); the later root becomes the earlier one's eldest child. */
static struct deadline *meld(struct deadline *a, struct deadline *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (earlier(b, a)) {
        struct deadline *swap = a;

        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next != NULL) {
        b->next->back = b;
    }
    b->back = a;
    a->child = b;
    a->next = NULL;
    a->back = NULL;
    return a;
}

/* Joins siblings: in pairs from the left, then the pairs from the right. */
static struct deadline *meld_siblings(struct deadline *first)
{
    struct deadline *pairs = NULL; /* a stack, linked by `next` */
    struct deadline *heap = NULL;

    while (first != NULL) {
        struct deadline *a = first;
        struct deadline *b = a->next;
        struct deadline *pair;

        first = b != NULL ? b->next : NULL;
        a->next = NULL;
        a->back = NULL;
        if (b != NULL) {
            b->next = NULL;
            b->back = NULL;
        }
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        struct deadline *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        heap = meld(heap, pair);
    }
    return heap;
}

static void take_out(struct coordinator *c, struct deadline *d)
{
    struct deadline *children = meld_siblings(d->child);

    d->child = NULL;
    if (d == c->root) {
        c->root = children;
    } else {
        if (d->back->child == d) {
            d->back->child = d->next;
        } else {
            d->back->next = d->next;
        }
        if (d->next != NULL) {
            d->next->back = d->back;
        }
        c->root = meld(c->root, children);
    }
    d->next = NULL;
    d->back = NULL;
    d->waits = false;
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

void deadline_init(struct deadline *d, void *owner)
{
    *d = (struct deadline){.at = RT_NEVER, .owner = owner};
}

void coordinator_set(struct coordinator *c, struct deadline *d, rt_t at)
{
    if (d->waits && d->at == at) {
        return;
    }
    if (d->waits) {
        take_out(c, d);
    }
    d->at = at;
    if (at != RT_NEVER) {
        d->waits = true;
        d->order = c->order++;
        c->root = meld(c->root, d);
    }
    arm(c);
}

void coordinator_clear(struct coordinator *c, struct deadline *d)
{
    coordinator_set(c, d, RT_NEVER);
}

struct deadline *coordinator_due(struct coordinator *c, rt_t now)
{
    struct deadline *d = c->root;

    if (d == NULL || d->at > now) {
        return NULL;
    }
    take_out(c, d);
    arm(c);
    return d;
}

rt_t coordinator_next(const struct coordinator *c)
{
    return c->root != NULL ? c->root->at : RT_NEVER;
}

bool deadline_waits(const struct deadline *d)
{
    return d->waits;
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

/* Walks the heap in preorder by its links alone; `back` leads from an eldest child to its parent. */
static const struct deadline *next_in_preorder(const struct deadline *d)
{
    if (d->child != NULL) {
        return d->child;
    }
    while (d != NULL && d->next == NULL) {
        while (d->back != NULL && d->back->child != d) {
            d = d->back; /* to the eldest */
        }
        d = d->back;
    }
    return d != NULL ? d->next : NULL;
}

bool coordinator_check(const struct coordinator *c)
{
    if (c->held == 0 && c->armed != coordinator_next(c)) {
        return false;
    }
    for (const struct deadline *d = c->root; d != NULL; d = next_in_preorder(d)) {
        if (!d->waits || d->at == RT_NEVER) {
            return false;
        }
        for (const struct deadline *child = d->child; child != NULL; child = child->next) {
            const struct deadline *back = child == d->child ? d : child->back;

            if (child->back != back || (child != d->child && back->next != child) || earlier(child, d)) {
                return false;
            }
        }
    }
    return true;
}
