/* Touches guest-physical addresses where no RAM is: holes, devices, everything above. */
#include "guests/hostile/hostile.h"

#include "guests/lib/print.h"
#include "guests/lib/string.h"

#define FIRST 0x08000000ull /* the tests give this guest less RAM */
#define LAST  0xFFFFFFFFull
#define STEP  0x00FFF123ull /* odd: all alignments, and accesses across pages */

int hostile_memory(const struct plan *plan)
{
    uint64_t touched = 0, ones = 0;

    for (uint64_t at = FIRST; at + 8 < LAST; at += STEP) {
        volatile uint64_t *p = (volatile uint64_t *)at;
        uint64_t old = *p;

        *p = ~old;
        ones += old == UINT64_MAX;
        touched++;
    }
    /* A block that ends in a hole, by one instruction. */
    memset((void *)0xA0000, 0xCC, 0x20000);
    printf("hostile: memory touched=%lu all_ones=%lu\n", touched, ones);
    return (int)plan->exit;
}
