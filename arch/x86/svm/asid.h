/* Address space identifiers: tags of a guest's translations in the processor (APM vol. 2, 15.16). Each
 * processor hands out its own; a vCPU whose translations are stale simply takes another one, and when all
 * have been given the whole TLB is flushed and they are given anew. Pure. */
#ifndef ARCH_X86_SVM_ASID_H
#define ARCH_X86_SVM_ASID_H

#include <stdbool.h>
#include <stdint.h>

/* One processor's. */
struct asid_pool {
    uint32_t end;  /* one more than the last */
    uint32_t next; /* to be given; 0 is the host's */
    uint64_t generation;
};

/* Whose a vCPU's is. */
struct asid_tag {
    const struct asid_pool *pool; /* NULL: none */
    uint64_t generation;
    uint32_t asid;
};

/* count: as CPUID says, 2 at least; it counts the host's. */
void asid_pool_init(struct asid_pool *pool, uint32_t count);

/* The tag is still this vCPU's alone on this processor. */
static inline bool asid_valid(const struct asid_pool *pool, const struct asid_tag *tag)
{
    return tag->pool == pool && tag->generation == pool->generation;
}

/* Gives it another one. True: the whole TLB must be flushed at its next entry. */
bool asid_take(struct asid_pool *pool, struct asid_tag *tag);

#endif
