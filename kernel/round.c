/* Measured figures made round; see round.h. */
#include "kernel/round.h"

#include <stdbool.h>

uint64_t round_within(uint64_t lo, uint64_t hi)
{
    uint64_t middle = lo + (hi - lo) / 2;

    if (lo == 0)
        return 0; /* ends in zeros without end */
    for (uint64_t step = 10000000000000000000ull; step > 1; step /= 10) {
        uint64_t below = middle - middle % step;
        uint64_t above = below > UINT64_MAX - step ? 0 : below + step;
        bool has_below = below >= lo;
        bool has_above = above >= lo && above <= hi; /* lo > 0: a wrapped one is out */

        if (has_below && has_above)
            return middle - below <= above - middle ? below : above;
        if (has_below || has_above)
            return has_below ? below : above;
    }
    return middle;
}
