#include "arch/x86/madt.h"

#include <stdbool.h>
#include <stddef.h>

#include "vmm/string.h"

#define ENTRIES 44u /* after the header, the APICs' address and the flags (table 5.43) */

#define TYPE_LAPIC  0u /* 5.2.12.2: type, length 8, ACPI's id, APIC id, flags */
#define TYPE_X2APIC 9u /* 5.2.12.12: type, length 16, reserved (2), x2APIC id (4), flags, ACPI's id */
#define ENABLED     (1u << 0)

static uint32_t read32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* One entry; false: it is no enabled processor. */
static bool processor(const uint8_t *e, uint32_t *id)
{
    if (e[0] == TYPE_LAPIC && e[1] >= 8) {
        *id = e[3];
        return read32(e + 4) & ENABLED;
    }
    if (e[0] == TYPE_X2APIC && e[1] >= 16) {
        *id = read32(e + 4);
        return read32(e + 8) & ENABLED;
    }
    return false;
}

static bool is_in(const uint32_t *ids, unsigned int n, uint32_t id)
{
    for (unsigned int i = 0; i < n; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

unsigned int madt_processors(const void *table, uint32_t length, uint32_t *ids, unsigned int max)
{
    const uint8_t *t = table;
    unsigned int n = 0;
    uint32_t id;

    for (uint32_t at = ENTRIES; at + 2 <= length; at += t[at + 1]) {
        if (t[at + 1] < 2 || t[at + 1] > length - at)
            break;
        /* Firmware may list one under both kinds (5.2.12.12 forbids it, and it happens). */
        if (n < max && processor(t + at, &id) && !is_in(ids, n, id))
            ids[n++] = id;
    }
    return n;
}
