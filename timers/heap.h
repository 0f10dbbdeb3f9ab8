/* A heap of moments, shared by a VM's timer event queue (timers/queue.c) and the coordinator's deadlines
 * (timers/coordinator.c): a leftist heap, whose nodes are embedded in their owners. Nothing is allocated and
 * nothing recurses; adding and taking out, from anywhere, cost O(log n) at the worst, and the earliest is at
 * the root. Two nodes never compare equal, so that no address decides anything. */
#ifndef TIMERS_HEAP_H
#define TIMERS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t at;    /* the moment; equal ones come */
    int64_t rank;   /* in order of this, */
    uint64_t order; /* and then of this, which the owner never gives twice */
    /* The rest is heap.c's own. */
    struct heap_node *left;
    struct heap_node *right;
    struct heap_node *up;
    unsigned int
        reach; /* nodes from here down to the nearest missing child, itself included; 0: in no heap */
};

struct heap {
    struct heap_node *root;
};

/* True if a comes before b. */
bool heap_before(const struct heap_node *a, const struct heap_node *b);

/* Adds a node that is in no heap, with its three keys set. They must not change while it is in. */
void heap_add(struct heap *h, struct heap_node *n);

/* Takes a node out of the heap that it is in. */
void heap_remove(struct heap *h, struct heap_node *n);

/* True if the node is in a heap (a new one must be zeroed). */
/*@ requires \valid_read(n);
    assigns \nothing; */
static inline bool heap_has(const struct heap_node *n)
{
    return n->reach != 0;
}

/* True if the heap is not empty, and no other node is at its root's moment. */
static inline bool heap_alone(const struct heap *h)
{
    const struct heap_node *n = h->root;

    return n != NULL && (n->left == NULL || n->left->at != n->at) &&
           (n->right == NULL || n->right->at != n->at);
}

/* Walks all nodes that are not after `most`, in no useful order: start at the root (if that is not after it),
 * then the one after n; NULL at the end. Costs O(1) for each node there is. */
const struct heap_node *heap_walk(const struct heap_node *n, uint64_t most);

/* Checks order, links and balance: for assertions and tests. O(n). */
bool heap_check(const struct heap *h);

#endif
