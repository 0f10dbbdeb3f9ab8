#include "arch/x86/nested.h"

#include <stddef.h>

#include "vmm/backend.h"
#include "vmm/host.h"

#define ENTRIES 512u
#define LEVELS  4u
#define SIZE_4K 0x1000ull
#define SIZE_2M 0x200000ull

/* An entry of level L (1: page table ... 4: root) covers this much. */
/*@ requires 1 <= level <= LEVELS;
    assigns \nothing;
    ensures level == 1 ==> \result == SIZE_4K;
    ensures level == 2 ==> \result == SIZE_2M;
    ensures level == 3 ==> \result == 0x40000000;
    ensures level == 4 ==> \result == 0x8000000000; */
static uint64_t span(unsigned int level)
{
    return SIZE_4K << (9 * (level - 1));
}

/* Within the table, whatever the address. */
/*@ requires 1 <= level <= LEVELS && \valid(table + (0 .. ENTRIES - 1));
    assigns \nothing;
    ensures \exists integer i; 0 <= i < ENTRIES && \result == table + i; */
static uint64_t *entry_at(uint64_t *table, uint64_t gpa, unsigned int level)
{
    return &table[gpa / span(level) % ENTRIES];
}

static uint64_t *table_of(const struct nested *nested, uint64_t entry)
{
    return (uint64_t *)(uintptr_t)((entry & NESTED_ADDRESS) + nested->linear);
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
    return level == 1 || (entry & NESTED_LARGE);
}

static uint64_t *new_table(void)
{
    return host_alloc_pages(1, SIZE_4K);
}

bool nested_init(struct nested *nested, bool allow_2m, uint64_t (*leaf_flags)(unsigned int rights))
{
    nested->root = new_table();
    nested->allow_2m = allow_2m;
    nested->leaf_flags = leaf_flags;
    if (!nested->root)
        return false;
    nested->linear = (uint64_t)(uintptr_t)nested->root - host_phys(nested->root);
    return true;
}

static void free_table(const struct nested *nested, uint64_t *table, unsigned int level)
{
    for (unsigned int i = 0; level > 1 && i < ENTRIES; i++)
        if (table[i] && !is_leaf(table[i], level))
            free_table(nested, table_of(nested, table[i]), level - 1);
    host_free_pages(table, 1);
}

void nested_destroy(struct nested *nested)
{
    if (nested->root)
        free_table(nested, nested->root, LEVELS);
    nested->root = NULL;
}

/* Turns the 2 MiB page of *entry into 512 pages of 4 KiB with the same translation. False: memory is out. */
static bool split(uint64_t *entry)
{
    uint64_t *table = new_table();
    if (!table)
        return false;
    for (unsigned int i = 0; i < ENTRIES; i++)
        table[i] = (*entry & ~NESTED_LARGE) + i * SIZE_4K;
    *entry = host_phys(table) | NESTED_RIGHTS;
    return true;
}

/* The entry of `level` for gpa; tables on the way are made, pages on the way split. NULL: memory is out. */
static uint64_t *descend(const struct nested *nested, uint64_t gpa, unsigned int level)
{
    uint64_t *table = nested->root;
    for (unsigned int l = LEVELS; l > level; l--) {
        uint64_t *entry = entry_at(table, gpa, l);
        if (!*entry) {
            const uint64_t *below = new_table();
            if (!below)
                return NULL;
            *entry = host_phys(below) | NESTED_RIGHTS;
        } else if (is_leaf(*entry, l) && !split(entry)) {
            return NULL;
        }
        table = table_of(nested, *entry);
    }
    return entry_at(table, gpa, level);
}

static void replace(const struct nested *nested, uint64_t *entry, unsigned int level, uint64_t value,
                    bool *stale)
{
    const uint64_t old = *entry;
    *entry = value;
    if (old)
        *stale = true;
    if (old && !is_leaf(old, level))
        free_table(nested, table_of(nested, old), level - 1);
}

bool nested_map(struct nested *nested, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights,
                bool *stale)
{
    ASSERT(((gpa | hpa | length) & (SIZE_4K - 1)) == 0 && (rights & NESTED_RIGHTS) != 0);
    const uint64_t flags = nested->leaf_flags(rights);
    const uint64_t end = gpa + length;
    while (gpa < end) {
        const bool large = nested->allow_2m && ((gpa | hpa) & (SIZE_2M - 1)) == 0 && end - gpa >= SIZE_2M;
        const unsigned int level = large ? 2 : 1;
        uint64_t *entry = descend(nested, gpa, level);
        if (!entry)
            return false;
        replace(nested, entry, level, hpa | flags | (large ? NESTED_LARGE : 0), stale);
        gpa += span(level);
        hpa += span(level);
    }
    return true;
}

/* The lowest entry that there is for gpa, and its level. */
static uint64_t *find(const struct nested *nested, uint64_t gpa, unsigned int *level)
{
    uint64_t *table = nested->root;
    unsigned int l = LEVELS;
    for (;; l--) {
        uint64_t *entry = entry_at(table, gpa, l);
        *level = l;
        if (!*entry || is_leaf(*entry, l))
            return entry;
        table = table_of(nested, *entry);
    }
}

bool nested_unmap(struct nested *nested, uint64_t gpa, uint64_t length)
{
    ASSERT(((gpa | length) & (SIZE_4K - 1)) == 0);
    const uint64_t end = gpa + length;
    bool stale = false;
    while (gpa < end) {
        unsigned int level;
        uint64_t *entry = find(nested, gpa, &level);
        const bool partial = *entry && level > 1 && ((gpa & (span(level) - 1)) || end - gpa < span(level));
        if (partial && split(entry))
            continue;
        if (*entry)
            replace(nested, entry, level, 0, &stale);
        gpa = (gpa / span(level) + 1) * span(level);
    }
    return stale;
}

uint64_t nested_lookup(const struct nested *nested, uint64_t gpa, uint64_t *page_size)
{
    unsigned int level;
    const uint64_t *entry = find(nested, gpa, &level);
    *page_size = span(level);
    return *entry;
}
