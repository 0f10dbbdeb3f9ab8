#include "arch/x86/svm/asid.h"

/* The first round begins with a flush as well: of what firmware or an earlier hypervisor left. */
void asid_pool_init(struct asid_pool *pool, uint32_t count)
{
    *pool = (struct asid_pool){.end = count, .next = count};
}

bool asid_take(struct asid_pool *pool, struct asid_tag *tag)
{
    const bool all_given = pool->next >= pool->end;
    if (all_given) {
        pool->next = 1;
        pool->generation++;
    }
    *tag = (struct asid_tag){.pool = pool, .generation = pool->generation, .asid = pool->next++};
    return all_given;
}
