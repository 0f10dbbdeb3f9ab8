/* The line that a processor's own time-stamp counter keeps to, between two changes of AT's slope (DESIGN.md
 * 2.10):
 *
 *     AT = floor(RT * ratio / 2^bits) + offset        modulo 2^64
 *
 * Source: Intel SDM vol. 3, 25.3 (RDTSC with a TSC multiplier: 48 bits of fraction); AMD APM vol. 2, 15.30.5
 * (TSC_RATIO: 32 bits). A processor that only adds an offset has no bits, and 1 for a ratio. */
#ifndef TIMERS_SCALED_H
#define TIMERS_SCALED_H

#include <stdbool.h>

#include "timers/types.h"
#include "timers/u128.h"

/* What ratios a processor has; bits is below 64. */
struct vt_scaling {
    unsigned int bits; /* of a ratio's fraction; 0: slope one is the only one */
    uint64_t below;    /* ratios are less than this, a whole number of at most 2^(64 - bits) */
};

/* ratio 0: there is no line. */
struct vt_tsc_line {
    uint64_t ratio;
    uint64_t offset;
};

/* Where the line is at `rt`. */
/*@ requires scaling.bits < 64;
    assigns \nothing; */
static inline at_t vt_tsc_line_at(struct vt_scaling scaling, struct vt_tsc_line line, rt_t rt)
{
    return vt_shifted(vt_mul(rt, line.ratio), scaling.bits) + line.offset;
}

static inline bool vt_same_line(struct vt_tsc_line a, struct vt_tsc_line b)
{
    return a.ratio == b.ratio && a.offset == b.offset;
}

/* The ratio of slope one. */
/*@ requires scaling.bits < 64;
    assigns \nothing; */
static inline uint64_t vt_ratio_one(struct vt_scaling scaling)
{
    return UINT64_C(1) << scaling.bits;
}

#endif
