/* Measured figures made round. Pure. */
#ifndef KERNEL_ROUND_H
#define KERNEL_ROUND_H

#include <stdint.h>

/* The number in [lo, hi], lo <= hi, that ends in the most decimal zeros; of several the one nearest to the
 * middle. */
uint64_t round_within(uint64_t lo, uint64_t hi);

#endif
