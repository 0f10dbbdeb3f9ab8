/* Memory that was given back and is to be cleared before anybody has it again. A VM's RAM takes milliseconds
 * to clear, in which nobody would run: it is done in steps. Pure: it touches nothing but that memory, whose
 * first bytes hold what there is to know of it meanwhile, so the queue is never full.
 *
 * Callers serialise; interrupt handlers call nothing of this. */
#ifndef KERNEL_SCRUB_H
#define KERNEL_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

struct scrub_piece;

struct scrub {
    struct scrub_piece *first; /* NULL: all is clear; zeroed memory is an empty queue */
};

/* `pages` > 0 pages of 4 KiB at p, page-aligned: they belong to the queue until they come out of a step. */
void scrub_add(struct scrub *s, void *p, size_t pages);

/* A piece that is all zero now, and no more the queue's. */
struct scrubbed {
    void *p; /* NULL: none */
    size_t pages;
};

/* Clears at most `pages` > 0 pages, of one piece, the last that was added. */
struct scrubbed scrub_step(struct scrub *s, size_t pages);

static inline bool scrub_is_done(const struct scrub *s)
{
    return s->first == NULL;
}

#endif
