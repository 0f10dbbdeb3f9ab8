#include "timers/heap.h"

bool heap_before(const struct heap_node *a, const struct heap_node *b)
{
    if (a->at != b->at) {
        return a->at < b->at;
    }
    return a->rank != b->rank ? a->rank < b->rank : a->order < b->order;
}

static unsigned int reach(const struct heap_node *n)
{
    return n != NULL ? n->reach : 0;
}

/* Restores the balance from a node upwards whose children have changed: the shorter way to a missing child is
 * on the right. Ends where nothing changes any more; what it passes lies on right spines, so O(log n). */
static void settle(struct heap_node *n)
{
    for (; n != NULL; n = n->up) {
        if (reach(n->left) < reach(n->right)) {
            struct heap_node *swap = n->left;

            n->left = n->right;
            n->right = swap;
        }
        if (n->reach == reach(n->right) + 1) {
            return;
        }
        n->reach = reach(n->right) + 1;
    }
}

/* Merges the heaps a and b (which may be empty) along their right spines, and hangs the result into `slot`,
 * which is the root or a child of `up`. */
static void meld(struct heap_node **slot, struct heap_node *up, struct heap_node *a, struct heap_node *b)
{
    while (a != NULL && b != NULL) {
        if (heap_before(b, a)) {
            struct heap_node *swap = a;

            a = b;
            b = swap;
        }
        *slot = a;
        a->up = up;
        a->reach = 0; /* not right any more: settle() shall not stop before it */
        up = a;
        slot = &a->right;
        a = a->right;
    }
    a = a != NULL ? a : b;
    *slot = a;
    a->up = up;
    settle(up);
}

void heap_add(struct heap *h, struct heap_node *n)
{
    n->left = NULL;
    n->right = NULL;
    n->reach = 1;
    if (h->root == NULL) {
        n->up = NULL;
        h->root = n;
    } else {
        meld(&h->root, NULL, h->root, n);
    }
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *up = n->up;
    struct heap_node **slot = up == NULL ? &h->root : up->left == n ? &up->left : &up->right;

    if (n->left == NULL) { /* nor a right one: the only timer of many a guest */
        *slot = NULL;
        settle(up);
    } else {
        meld(slot, up, n->left, n->right);
    }
    n->reach = 0;
}

static bool within(const struct heap_node *n, uint64_t most)
{
    return n != NULL && n->at <= most;
}

const struct heap_node *heap_walk(const struct heap_node *n, uint64_t most)
{
    if (within(n->left, most)) {
        return n->left;
    }
    if (within(n->right, most)) {
        return n->right;
    }
    for (; n->up != NULL; n = n->up) {
        if (n == n->up->left && within(n->up->right, most)) {
            return n->up->right;
        }
    }
    return NULL;
}

static bool child_fits(const struct heap_node *n, const struct heap_node *child)
{
    return child == NULL || (child->up == n && heap_before(n, child));
}

bool heap_check(const struct heap *h)
{
    if (h->root != NULL && h->root->up != NULL) {
        return false;
    }
    for (const struct heap_node *n = h->root; n != NULL; n = heap_walk(n, UINT64_MAX)) {
        if (!child_fits(n, n->left) || !child_fits(n, n->right) || reach(n->left) < reach(n->right) ||
            n->reach != reach(n->right) + 1) {
            return false;
        }
    }
    return true;
}
