/* The few 128-bit operations that the equations of time are made of. Everything wider than 64 bits goes
 * through these, so that a proof has one place to say what they do (docs/proof.md; the proof replaces this
 * file by contracts). The kernel links no compiler library, so nothing here divides a 128-bit number with the
 * C operator (that would call __udivti3); the rest is inlined by the compiler. */
#ifndef TIMERS_U128_H
#define TIMERS_U128_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 vt_u128;

static inline vt_u128 vt_mul(uint64_t a, uint64_t b)
{
    return (vt_u128)a * b;
}

/* a + b, for comparisons of sums that may pass 64 bits. */
static inline vt_u128 vt_sum(uint64_t a, uint64_t b)
{
    return (vt_u128)a + b;
}

static inline uint64_t vt_high(vt_u128 n)
{
    return (uint64_t)(n >> 64);
}

static inline uint64_t vt_low(vt_u128 n)
{
    return (uint64_t)n;
}

/* high * 2^64 + low */
static inline vt_u128 vt_join(uint64_t high, uint64_t low)
{
    return (vt_u128)high << 64 | low;
}

/* n + a and n - a, which must fit. */
static inline vt_u128 vt_plus(vt_u128 n, uint64_t a)
{
    return n + a;
}

static inline vt_u128 vt_minus(vt_u128 n, uint64_t a)
{
    return n - a;
}

/* n >> bits, modulo 2^64; bits is below 64. */
static inline uint64_t vt_shifted(vt_u128 n, unsigned int bits)
{
    return (uint64_t)(n >> bits);
}

/* a <= b. */
static inline bool vt_le(vt_u128 a, vt_u128 b)
{
    return a <= b;
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

#endif
