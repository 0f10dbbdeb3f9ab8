/* Physical memory in 4 KiB pages. Pure: it deals in addresses and touches no memory (host_alloc_pages,
 * kernel/host.c, zeroes).
 *
 * Free memory is a sorted array of ranges; an allocation takes the lowest place that fits, so the same calls
 * give the same addresses. Callers serialise; interrupt handlers do not allocate. */
#ifndef KERNEL_PAGES_H
#define KERNEL_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/multiboot.h"

#define PAGES_NONE UINT64_MAX

/* Everything that the boot map calls RAM and nothing else calls otherwise, from 1 MiB up, without the
 * kernel's image [kernel_start, kernel_end) and the modules. */
void pages_init(const struct boot_info *boot, uint64_t kernel_start, uint64_t kernel_end);

/* n > 0 pages at a multiple of align (a power of two, at least 4096), the end not above limit. PAGES_NONE:
 * memory is out. */
uint64_t pages_alloc(size_t n, uint64_t align, uint64_t limit);
void pages_free(uint64_t phys, size_t n);

uint64_t pages_total(void); /* bytes there were at start */
uint64_t pages_free_bytes(void);
uint64_t pages_largest(uint64_t align); /* most bytes that pages_alloc() could give at once */
uint64_t pages_lost(void);              /* bytes given up because the array of ranges was full */

#endif
