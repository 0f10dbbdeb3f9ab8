/* What makes nested page tables AMD's: a leaf's flags are a long-mode page's (APM vol. 2, 15.25.5). */
#ifndef ARCH_X86_SVM_NPT_H
#define ARCH_X86_SVM_NPT_H

#include <stdint.h>

#include "vmm/backend.h"

#define NPT_PTE_P  (1ull << 0)
#define NPT_PTE_W  (1ull << 1)
#define NPT_PTE_U  (1ull << 2) /* nested accesses are user accesses, whatever the guest's privilege */
#define NPT_PTE_NX (1ull << 63)

/* What is present can be read. The memory type is entry 0 of the host's PAT: write-back. */
static inline uint64_t npt_leaf_flags(unsigned int rights)
{
    return NPT_PTE_P | NPT_PTE_U | (rights & NPT_WRITE ? NPT_PTE_W : 0) |
           (rights & NPT_EXEC ? 0 : NPT_PTE_NX);
}

#endif
