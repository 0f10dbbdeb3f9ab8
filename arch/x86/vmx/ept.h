/* Extended page tables: four levels, leaves of 2 MiB where alignment allows and of 4 KiB elsewhere, memory
 * type WB (SDM vol. 3, 29.3). Pure but for host_alloc_pages and host_phys; the caller invalidates cached
 * translations when told to. One writer at a time. */
#ifndef ARCH_X86_VMX_EPT_H
#define ARCH_X86_VMX_EPT_H

#include <stdbool.h>
#include <stdint.h>

struct ept {
    uint64_t *root;
    uint64_t linear; /* pages of host_alloc_pages lie at physical address + this */
    bool allow_2m;
};

/* False: memory is out. */
bool ept_init(struct ept *ept, bool allow_2m);
void ept_destroy(struct ept *ept);

/* Maps [gpa, gpa + length) on [hpa, ...), all multiples of 4 KiB, below 2^48; rights of NPT_*, not none (a
 * writable page is made readable: the other way is a misconfiguration). Pages mapped before are replaced.
 * False: memory is out; some pages may be mapped then. *stale is set when a translation that may be cached
 * has been changed. */
bool ept_map(struct ept *ept, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights, bool *stale);

/* Takes all rights to the range away. Where no memory is left to split a 2 MiB page, all of that page goes:
 * never too little. Returns true if a translation that may be cached has been changed. */
bool ept_unmap(struct ept *ept, uint64_t gpa, uint64_t length);

/* The leaf entry that translates gpa, 0 if none does; *page_size is that of the leaf. For tests and dumps. */
uint64_t ept_lookup(const struct ept *ept, uint64_t gpa, uint64_t *page_size);

#define EPT_LARGE   (1ull << 7)
#define EPT_TYPE_WB (6ull << 3)
#define EPT_RIGHTS  7ull /* read, write, execute: NPT_* */
#define EPT_ADDRESS 0x000ffffffffff000ull

#endif
