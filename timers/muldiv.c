#include "timers/muldiv.h"

/* A product of 192 bits: high * 2^64 + low. */
struct wide {
    vt_u128 high;
    uint64_t low;
};

/*@ logic integer wide(struct wide n) = val(n.high) * TWO64 + n.low; */

/*@ assigns \nothing;
    ensures wide(\result) == val(a) * b; */
static struct wide wide_mul(vt_u128 a, uint64_t b)
{
    vt_u128 low = vt_mul(vt_low(a), b);
    struct wide n = {vt_plus(vt_mul(vt_high(a), b), vt_high(low)), vt_low(low)};

    return n;
}

/*@ assigns \nothing;
    ensures \result <==> wide(a) <= wide(b); */
static bool wide_le(struct wide a, struct wide b)
{
    return vt_le(a.high, b.high) && (!vt_le(b.high, a.high) || a.low <= b.low);
}

uint64_t vt_div_portable(vt_u128 n, uint64_t d, uint64_t *rem)
{
    uint64_t high = vt_high(n);
    uint64_t low = vt_low(n);

    for (int i = 0; i < 64; i++) {
        bool carry = high >> 63;

        high = high << 1 | low >> 63;
        low <<= 1;
        if (carry || high >= d) {
            high -= d;
            low |= 1;
        }
    }
    *rem = high;
    return low;
}

uint64_t vt_mul3_div(uint64_t a, uint64_t b, uint64_t c, vt_u128 d)
{
    vt_u128 ab = vt_mul(a, b);
    struct wide n = wide_mul(ab, c);
    uint64_t result = 0;
    uint64_t rem;

    /* The ordinary case in the kernel: small rates, distances of seconds. It fits, so n.high is below d. */
    if (vt_high(n.high) == 0 && vt_high(d) == 0) {
        return vt_div(vt_join(vt_low(n.high), n.low), vt_low(d), &rem);
    }
    /* Bit by bit: the greatest result with result * d <= n. */
    /*@ loop invariant halves(bit);
        loop invariant result * val(d) <= wide(n) && result + step(bit) <= TWO64;
        loop invariant wide(n) < (result + step(bit)) * val(d);
        loop assigns bit, result;
        loop variant bit; */
    for (uint64_t bit = UINT64_C(1) << 63; bit != 0; bit >>= 1) {
        uint64_t trial = result + bit;

        /*@ assert trial == result + bit; */
        /*@ assert wide(n) < (trial + bit) * val(d); */
        if (wide_le(wide_mul(d, trial), n)) {
            result = trial;
        }
        /*@ assert wide(n) < (result + bit) * val(d); */
        /*@ assert bit == step(bit >> 1); */
    }
    return result;
}
