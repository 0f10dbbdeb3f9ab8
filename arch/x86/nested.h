/* Nested page tables, the second translation from a guest's physical addresses to the machine's: four levels,
 * leaves of 2 MiB where alignment allows and of 4 KiB elsewhere. Extended page tables (SDM vol. 3, 29.3) and
 * AMD's nested ones, which are ordinary long-mode tables (APM vol. 2, 15.25.5), differ in the flags of a leaf
 * alone: address, large-page bit and the three rights of an upper entry are the same bits. Pure but for
 * host_alloc_pages and host_phys; the caller invalidates cached translations when told to. One writer at a
 * time. */
#ifndef ARCH_X86_NESTED_H
#define ARCH_X86_NESTED_H

#include <stdbool.h>
#include <stdint.h>

#define NESTED_RIGHTS  7ull /* upper levels: read, write, execute; present, writable, user */
#define NESTED_LARGE   (1ull << 7)
#define NESTED_ADDRESS 0x000ffffffffff000ull

struct nested {
    uint64_t *root;
    uint64_t linear; /* pages of host_alloc_pages lie at physical address + this */
    bool allow_2m;
    /* The flags of a leaf with these rights (NPT_*): never 0. */
    uint64_t (*leaf_flags)(unsigned int rights);
};

/* False: memory is out. */
bool nested_init(struct nested *nested, bool allow_2m, uint64_t (*leaf_flags)(unsigned int rights));
void nested_destroy(struct nested *nested);

/* Maps [gpa, gpa + length) on [hpa, ...), all multiples of 4 KiB, below 2^48; rights of NPT_*, not none.
 * Pages mapped before are replaced. False: memory is out; some pages may be mapped then. *stale is set when a
 * translation that may be cached has been changed. */
bool nested_map(struct nested *nested, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights,
                bool *stale);

/* Takes all rights to the range away. Where no memory is left to split a 2 MiB page, all of that page goes:
 * never too little. Returns true if a translation that may be cached has been changed. */
bool nested_unmap(struct nested *nested, uint64_t gpa, uint64_t length);

/* The leaf entry that translates gpa, 0 if none does; *page_size is that of the leaf. For tests and dumps. */
uint64_t nested_lookup(const struct nested *nested, uint64_t gpa, uint64_t *page_size);

#endif
