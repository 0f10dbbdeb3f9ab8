/* Exact wide arithmetic for the equations of time, on the 128-bit operations of u128.h. */
#ifndef TIMERS_MULDIV_H
#define TIMERS_MULDIV_H

#include "timers/u128.h"

/* floor(a * b / d); UINT64_MAX if that does not fit. d is not 0. */
/*@ requires d > 0;
    assigns \nothing;
    ensures a * b < d * TWO64 ==> \result * d <= a * b < (\result + 1) * d;
    ensures a * b >= d * TWO64 ==> \result == UINT64_MAX; */
static inline uint64_t vt_mul_div(uint64_t a, uint64_t b, uint64_t d)
{
    vt_u128 n = vt_mul(a, b);
    uint64_t rem;

    return vt_high(n) < d ? vt_div(n, d, &rem) : UINT64_MAX;
}

/* floor(a * b * c / d), which must fit 64 bits (so d is not 0): 192 by 128 bits. */
/*@ requires a * b * c < TWO64 * val(d);
    assigns \nothing;
    ensures \result * val(d) <= a * b * c < (\result + 1) * val(d); */
uint64_t vt_mul3_div(uint64_t a, uint64_t b, uint64_t c, vt_u128 d);

/* a + b, UINT64_MAX if that does not fit. */
/*@ assigns \nothing;
    ensures \result == (a + b < TWO64 ? a + b : UINT64_MAX); */
static inline uint64_t vt_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

#endif
