#include "timers/muldiv.h"

/* A product of 192 bits: hi * 2^64 + lo. */
struct wide {
    vt_u128 hi;
    uint64_t lo;
};

static struct wide wide_mul(vt_u128 a, uint64_t b)
{
    vt_u128 low = vt_mul((uint64_t)a, b);

    return (struct wide){vt_mul((uint64_t)(a >> 64), b) + (low >> 64), (uint64_t)low};
}

static bool wide_le(struct wide a, struct wide b)
{
    return a.hi != b.hi ? a.hi < b.hi : a.lo <= b.lo;
}

uint64_t vt_div_portable(vt_u128 n, uint64_t d, uint64_t *rem)
{
    uint64_t high = (uint64_t)(n >> 64);
    uint64_t low = (uint64_t)n;

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

uint64_t vt_mul3_div(uint64_t a, uint64_t b, uint64_t c, vt_u128 d, uint64_t most)
{
    vt_u128 ab = vt_mul(a, b);
    struct wide n = wide_mul(ab, c);
    uint64_t result = 0;
    uint64_t rem;

    /* The ordinary case in the kernel: small rates, distances of seconds. */
    if (n.hi >> 64 == 0 && d >> 64 == 0 && (uint64_t)n.hi < (uint64_t)d) {
        return vt_div((n.hi << 64) | n.lo, (uint64_t)d, &rem);
    }
    /* Bit by bit: the greatest result with result * d <= n. */
    for (uint64_t bit = UINT64_C(1) << 63; bit != 0; bit >>= 1) {
        uint64_t trial = result | bit;

        if (trial <= most && wide_le(wide_mul(d, trial), n)) {
            result = trial;
        }
    }
    return result;
}
