/* Exact wide arithmetic for the equations of time, on the 128-bit operations of u128.h. */
#ifndef TIMERS_MULDIV_H
#define TIMERS_MULDIV_H

#include "timers/u128.h"

/* floor(a * b / d); UINT64_MAX if that does not fit. d is not 0. */
static inline uint64_t vt_mul_div(uint64_t a, uint64_t b, uint64_t d)
{
    vt_u128 n = vt_mul(a, b);
    uint64_t rem;

    return vt_high(n) < d ? vt_div(n, d, &rem) : UINT64_MAX;
}

/* floor(a * b * c / d), which must be at most `most` (and d not 0): 192 by 128 bits. */
uint64_t vt_mul3_div(uint64_t a, uint64_t b, uint64_t c, vt_u128 d, uint64_t most);

/* a + b, UINT64_MAX if that does not fit. */
static inline uint64_t vt_add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

#endif
