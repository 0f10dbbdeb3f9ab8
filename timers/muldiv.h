/* Exact wide arithmetic for the equations of time. The kernel links no compiler library, so nothing here
 * divides a 128-bit number with the C operator (that would call __udivti3); multiplication is inlined by the
 * compiler. */
#ifndef TIMERS_MULDIV_H
#define TIMERS_MULDIV_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 vt_u128;

static inline vt_u128 vt_mul(uint64_t a, uint64_t b)
{
    return (vt_u128)a * b;
}

/* n / d and its remainder, for a quotient that fits: the high half of n must be less than d (so d is not 0).
 * The portable form, bit by bit; always compiled, so that the tests can hold it against the other. */
uint64_t vt_div_portable(vt_u128 n, uint64_t d, uint64_t *rem);

static inline uint64_t vt_div(vt_u128 n, uint64_t d, uint64_t *rem)
{
#if defined(__x86_64__)
    uint64_t quotient;

    __asm__("divq %4"
            : "=a"(quotient), "=d"(*rem)
            : "a"((uint64_t)n), "d"((uint64_t)(n >> 64)), "r"(d)
            : "cc");
    return quotient;
#else
    return vt_div_portable(n, d, rem);
#endif
}

/* floor(a * b / d); UINT64_MAX if that does not fit. d is not 0. */
static inline uint64_t vt_mul_div(uint64_t a, uint64_t b, uint64_t d)
{
    vt_u128 n = vt_mul(a, b);
    uint64_t rem;

    return (uint64_t)(n >> 64) < d ? vt_div(n, d, &rem) : UINT64_MAX;
}

/* floor(a * b * c / d), which must be at most `most` (and d not 0): 192 by 128 bits. */
uint64_t vt_mul3_div(uint64_t a, uint64_t b, uint64_t c, vt_u128 d, uint64_t most);

/* a + b, UINT64_MAX if that does not fit. */
static inline uint64_t vt_add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

#endif
