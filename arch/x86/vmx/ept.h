/* What makes nested page tables extended ones: the flags of a leaf (SDM vol. 3, tables 29-6 and 29-7). */
#ifndef ARCH_X86_VMX_EPT_H
#define ARCH_X86_VMX_EPT_H

#include <stdint.h>

#include "vmm/backend.h"

#define EPT_TYPE_WB (6ull << 3)

/* A writable page is made readable: the other way is a misconfiguration (29.3.3.1). */
static inline uint64_t ept_leaf_flags(unsigned int rights)
{
    return (rights & (NPT_READ | NPT_WRITE | NPT_EXEC)) | (rights & NPT_WRITE ? NPT_READ : 0) | EPT_TYPE_WB;
}

#endif
