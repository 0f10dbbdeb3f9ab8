/* Do the TSCs of two processors agree? They read them in turns: each reading happens after the other's last
 * one, so it must not be smaller (DESIGN.md 2: real time is common to all processors). What they disagree by
 * is at least what a step backwards shows. */
#ifndef ARCH_X86_WARP_H
#define ARCH_X86_WARP_H

#include <stdbool.h>
#include <stdint.h>

#define WARP_TURNS 2000u /* readings, of both together */

struct warp {
    uint32_t turn;      /* readings so far; the next is the leader's if it is even. Shared: atomic */
    uint64_t last;      /* the reading before */
    uint64_t backwards; /* the largest step back, ticks */
};

/* Before both. */
void warp_init(struct warp *w);

/* One reading, `tsc`, by whose turn it is; counts it. */
void warp_note(struct warp *w, uint64_t tsc);

/* One processor's part; both call it, one of them as the leader. False: the other one did not take its turn
 * for `patience` looks. */
bool warp_run(struct warp *w, bool leader, uint64_t patience);

#endif
