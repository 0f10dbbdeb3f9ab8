/* host_cpuid() of native tests: see fake_cpuid.h. */
#include "tests/unit/support/fake_cpuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host.h"

#define MAX_OVERRIDES 16

struct leaf {
    uint32_t leaf, sub, out[4];
};

/* Leaves without an entry are zeros. */
static const struct leaf machine[] = {
    {0x0, 0, {0x16, 0x756e6547, 0x6c65746e, 0x49656e69}}, /* GenuineIntel */
    {0x1, 0, {0x000306d4, 0x03100800, 0xffffffff, 0xffffffff}},
    {0x2, 0, {0x76036301, 0x00f0b5ff, 0x00000000, 0x00c30000}},
    {0x4, 0, {0x1c004121, 0x01c0003f, 0x0000003f, 0x00000000}},
    {0x4, 1, {0x1c004122, 0x01c0003f, 0x0000003f, 0x00000000}},
    {0x4, 2, {0x1c004143, 0x01c0003f, 0x000001ff, 0x00000000}},
    {0x4, 3, {0x1c03c163, 0x02c0003f, 0x00000fff, 0x00000006}},
    {0x5, 0, {0x40, 0x40, 0x3, 0x11142120}},
    {0x6, 0, {0x77, 0x2, 0x9, 0x0}},
    {0x7, 0, {0x1, 0xffffffff, 0xffffffff, 0xffffffff}},
    {0xa, 0, {0x07300403, 0, 0, 0x603}},
    {0xb, 0, {0x1, 0x2, 0x100, 0x3}},
    {0xb, 1, {0x4, 0x8, 0x201, 0x3}},
    {0xd, 0, {0x000002ff, 0x00000a88, 0x00000a88, 0}},
    {0xd, 1, {0xf, 0x340, 0x100, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 9, {0x8, 0xa80, 0, 0}},
    {0x14, 0, {0x1, 0xf, 0x7, 0}},
    {0x15, 0, {2, 168, 24000000, 0}},
    {0x16, 0, {0x834, 0xdac, 0x64, 0}},
    {0x80000000, 0, {0x8000001f, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0xffffffff, 0xffffffff}},
    {0x80000002, 0, {0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865}},
    {0x80000006, 0, {0, 0, 0x01006040, 0}},
    {0x80000007, 0, {0, 0, 0, 0x101}},
    {0x80000008, 0, {0x00303027, 0x1234, 0x3007, 0}},
};

static struct leaf overrides[MAX_OVERRIDES];
static size_t noverrides;

static const struct leaf *find(const struct leaf *table, size_t n, uint32_t leaf, uint32_t sub)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].leaf == leaf && table[i].sub == sub)
            return &table[i];
    return NULL;
}

void host_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct leaf *found = find(overrides, noverrides, leaf, sub);
    if (!found)
        found = find(machine, sizeof machine / sizeof machine[0], leaf, sub);
    memset(out, 0, 4 * sizeof out[0]);
    if (found)
        memcpy(out, found->out, sizeof found->out);
}

void fake_cpuid_set(uint32_t leaf, uint32_t sub, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    if (noverrides == MAX_OVERRIDES) {
        fprintf(stderr, "fake_cpuid: no room for another leaf\n");
        abort();
    }
    overrides[noverrides++] = (struct leaf){leaf, sub, {eax, ebx, ecx, edx}};
}

void fake_cpuid_reset(void)
{
    noverrides = 0;
}
