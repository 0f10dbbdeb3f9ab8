/* What a proof takes the 128-bit operations of timers/u128.h to do: a pair of halves with contracts, in place
 * of the compiler's __int128 and the DIV instruction. These contracts are assumed, not proved; docs/proof.md
 * says what stands for them. */
#ifndef TIMERS_U128_H
#define TIMERS_U128_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t high;
    uint64_t low;
} vt_u128;

/*@ logic integer TWO64 = 0x10000000000000000;
    logic integer val(vt_u128 n) = n.high * TWO64 + n.low; */

/*@ assigns \nothing;
    ensures val(\result) == a * b; */
vt_u128 vt_mul(uint64_t a, uint64_t b);

/*@ assigns \nothing;
    ensures val(\result) == a + b; */
vt_u128 vt_sum(uint64_t a, uint64_t b);

/*@ assigns \nothing;
    ensures \result == n.high;
    ensures \result == val(n) / TWO64; */
uint64_t vt_high(vt_u128 n);

/*@ assigns \nothing;
    ensures \result == n.low; */
uint64_t vt_low(vt_u128 n);

/*@ assigns \nothing;
    ensures \result.high == high && \result.low == low; */
vt_u128 vt_join(uint64_t high, uint64_t low);

/*@ requires fits: val(n) + a < TWO64 * TWO64;
    assigns \nothing;
    ensures val(\result) == val(n) + a; */
vt_u128 vt_plus(vt_u128 n, uint64_t a);

/*@ requires fits: val(n) >= a;
    assigns \nothing;
    ensures val(\result) == val(n) - a; */
vt_u128 vt_minus(vt_u128 n, uint64_t a);

/*@ requires bits < 64;
    assigns \nothing; */
uint64_t vt_shifted(vt_u128 n, unsigned int bits);

/*@ assigns \nothing;
    ensures \result <==> val(a) <= val(b); */
bool vt_le(vt_u128 a, vt_u128 b);

/* DIV (SDM vol. 2): #DE unless the quotient fits. */
/*@ requires fits: val(n) < d * TWO64;
    requires \valid(rem);
    assigns *rem;
    ensures val(n) == \result * d + *rem;
    ensures 0 <= *rem < d; */
uint64_t vt_div(vt_u128 n, uint64_t d, uint64_t *rem);

/* The values of a bit that is shifted down from 2^63, and what it was just before. */
/*@ predicate halves(integer b) =
      b == 0 || b == 0x1 || b == 0x2 || b == 0x4 || b == 0x8 || b == 0x10 || b == 0x20 || b == 0x40 || b
      == 0x80 || b == 0x100 || b == 0x200 || b == 0x400 || b == 0x800 || b == 0x1000 || b == 0x2000 || b
      == 0x4000 || b == 0x8000 || b == 0x10000 || b == 0x20000 || b == 0x40000 || b == 0x80000 || b ==
      0x100000 || b == 0x200000 || b == 0x400000 || b == 0x800000 || b == 0x1000000 || b == 0x2000000 || b
      == 0x4000000 || b == 0x8000000 || b == 0x10000000 || b == 0x20000000 || b == 0x40000000 || b ==
      0x80000000 || b == 0x100000000 || b == 0x200000000 || b == 0x400000000 || b == 0x800000000 || b ==
      0x1000000000 || b == 0x2000000000 || b == 0x4000000000 || b == 0x8000000000 || b == 0x10000000000 ||
      b == 0x20000000000 || b == 0x40000000000 || b == 0x80000000000 || b == 0x100000000000 || b ==
      0x200000000000 || b == 0x400000000000 || b == 0x800000000000 || b == 0x1000000000000 || b ==
      0x2000000000000 || b == 0x4000000000000 || b == 0x8000000000000 || b == 0x10000000000000 || b ==
      0x20000000000000 || b == 0x40000000000000 || b == 0x80000000000000 || b == 0x100000000000000 || b ==
      0x200000000000000 || b == 0x400000000000000 || b == 0x800000000000000 || b == 0x1000000000000000 ||
      b == 0x2000000000000000 || b == 0x4000000000000000 || b == 0x8000000000000000;
    logic integer step(integer b) = b == 0 ? 1 : 2 * b; */

uint64_t vt_div_portable(vt_u128 n, uint64_t d, uint64_t *rem);

#endif
