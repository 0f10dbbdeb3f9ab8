/* Where in guest RAM a loader may put things: the RAM of the VM's memory map, less what it has put there
 * already. */
#ifndef VMM_LOAD_SPACE_H
#define VMM_LOAD_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/firmware.h"

#define LOAD_SPANS 64u

struct load_span {
    uint64_t base;
    uint64_t end;
};

struct load_space {
    struct memmap map;
    struct load_span taken[LOAD_SPANS];
    unsigned int n;
};

/* Nothing taken but the first page: real-mode vectors and the BIOS data area. */
void space_init(struct load_space *s, const struct vm *vm);

/* All addresses and sizes may be any values. */

/* Is [base, base + size) RAM that a guest may use? */
bool space_is_ram(const struct load_space *s, uint64_t base, uint64_t size);
/* Marks a piece as taken, whatever it overlaps. False: too many pieces. */
bool space_mark(struct load_space *s, uint64_t base, uint64_t size);
/* Takes the lowest free place in [min, limit) for size bytes (a size of 0 takes one byte's place), aligned to
 * a power of two. False: there is none. */
bool space_take_low(struct load_space *s, uint64_t min, uint64_t limit, uint64_t size, uint64_t align,
                    uint64_t *out);
/* The same from the top of the RAM below limit. */
bool space_take_high(struct load_space *s, uint64_t limit, uint64_t size, uint64_t align, uint64_t *out);

#endif
