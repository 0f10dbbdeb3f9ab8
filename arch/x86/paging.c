/* The final page tables (SDM vol. 3, chapter 4, 4-level paging). */
#include "arch/x86/paging.h"

#include <stddef.h>

#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "kernel/pages.h"
#include "kernel/panic.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define PTE_P    (1ull << 0)
#define PTE_W    (1ull << 1)
#define PTE_PWT  (1ull << 3)
#define PTE_PCD  (1ull << 4)
#define PTE_PS   (1ull << 7)
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

#define PTE_RX PTE_P
#define PTE_RO (PTE_P | PTE_NX)
#define PTE_RW (PTE_P | PTE_W | PTE_NX)
/* PAT entry 3, UC, whatever the MTRRs say (PAT as after reset; SDM vol. 3, 12.12.3). */
#define PTE_MMIO (PTE_RW | PTE_PCD | PTE_PWT)

#define ENTRIES       512
#define EARLY_LIMIT   (1ull << 32) /* the early tables reach as far */
#define ROUND_UP(x)   (((x) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
#define ROUND_DOWN(x) ((x) & ~(PAGE_SIZE - 1))

uint64_t kernel_phys_base;

/* From linker.ld. */
extern const uint8_t text_start[], text_end[], rodata_end[], image_end[];

static uint64_t *root;
static uint64_t tables;   /* pages of them */
static uint64_t max_phys; /* first address that the processor has no pins for */

uint64_t virt_to_phys(const void *p)
{
    uint64_t v = (uint64_t)p;

    if (v >= KERNEL_BASE)
        return v - KERNEL_BASE + kernel_phys_base;
    ASSERT(v >= DIRECT_MAP && v < MMIO_MAP);
    return v - DIRECT_MAP;
}

/* Below 4 GiB, where the early tables make it visible while the final ones are being built. */
static uint64_t *new_table(void)
{
    uint64_t phys = pages_alloc(1, PAGE_SIZE, EARLY_LIMIT);

    if (phys == PAGES_NONE)
        panic("no memory below 4 GiB for page tables: give the machine more");
    tables++;
    return memset(phys_to_virt(phys), 0, PAGE_SIZE);
}

/* A 2 MiB page becomes 512 small ones with the same rights. */
static uint64_t split(uint64_t large)
{
    uint64_t *table = new_table();

    for (unsigned int i = 0; i < ENTRIES; i++)
        table[i] = (large & ~PTE_PS) + i * PAGE_SIZE;
    return virt_to_phys(table) | PTE_P | PTE_W;
}

/* The entry of v at a level (1: 4 KiB, 2: 2 MiB), with what is missing above it made. Rights are the last
 * level's matter: the upper ones allow everything. */
static uint64_t *entry_of(uint64_t v, unsigned int level)
{
    uint64_t *table = root;

    for (unsigned int l = 4;; l--) {
        uint64_t *e = &table[v >> (12 + 9 * (l - 1)) & (ENTRIES - 1)];

        if (l == level)
            return e;
        if (!(*e & PTE_P))
            *e = virt_to_phys(new_table()) | PTE_P | PTE_W;
        else if (*e & PTE_PS)
            *e = split(*e);
        table = phys_to_virt(*e & PTE_ADDR);
    }
}

/* All multiples of 4 KiB. */
static void map(uint64_t v, uint64_t phys, uint64_t length, uint64_t rights)
{
    while (length) {
        bool large = ((v | phys) & (PAGE_2M - 1)) == 0 && length >= PAGE_2M;
        uint64_t step = large ? PAGE_2M : PAGE_SIZE;

        *entry_of(v, large ? 2 : 1) = phys | rights | (large ? PTE_PS : 0);
        v += step;
        phys += step;
        length -= step;
    }
}

static void map_ram(const struct boot_info *boot)
{
    for (unsigned int i = 0; i < boot->nranges; i++) {
        const struct boot_range *r = &boot->ranges[i];
        uint64_t start = ROUND_UP(r->base);
        uint64_t end = ROUND_DOWN(r->base + r->length);

        if (end > max_phys)
            end = max_phys;
        if (r->type == BOOT_MEM_RAM && start < end)
            map(DIRECT_MAP + start, start, end - start, PTE_RW);
    }
}

/* The image at KERNEL_BASE, and the rights of its text and constants in the direct map: no writable way to
 * code. */
static void map_image(void)
{
    uint64_t text = (uint64_t)text_start;
    uint64_t rodata = (uint64_t)text_end;
    uint64_t data = (uint64_t)rodata_end;

    map(text, virt_to_phys(text_start), rodata - text, PTE_RX);
    map(rodata, virt_to_phys(text_end), data - rodata, PTE_RO);
    map(data, virt_to_phys(rodata_end), (uint64_t)image_end - data, PTE_RW);
    map(DIRECT_MAP + virt_to_phys(text_start), virt_to_phys(text_start), data - text, PTE_RO);

    for (unsigned int stack = 0; stack <= IST_STACKS; stack++)
        *entry_of(percpu_guard(0, stack), 1) = 0;
}

void paging_unmap_page(uint64_t v)
{
    *entry_of(v, 1) = 0;
    invlpg((void *)v);
}

void paging_init(const struct boot_info *boot)
{
    struct cpuid_regs r = cpuid(0x80000000, 0);
    unsigned int bits = 36;

    if (r.eax >= 0x80000008)
        bits = cpuid(0x80000008, 0).eax & 0xff;
    if (bits > 46) /* the direct map's room */
        bits = 46;
    max_phys = 1ull << bits;
    root = new_table();
    map_ram(boot);
    map_image();
    write_cr0(read_cr0() | CR0_WP);
    write_cr3(virt_to_phys(root));
}

volatile void *map_mmio(uint64_t phys, uint64_t size)
{
    uint64_t start = ROUND_DOWN(phys);
    uint64_t end = ROUND_UP(phys + size);

    ASSERT(end > start && end <= max_phys);
    for (uint64_t p = start; p < end; p += PAGE_SIZE) {
        *entry_of(MMIO_MAP + p, 1) = p | PTE_MMIO;
        invlpg((void *)(MMIO_MAP + p));
    }
    return (volatile void *)(MMIO_MAP + phys);
}

const void *map_firmware(uint64_t phys, uint64_t size)
{
    if (size > max_phys || phys > max_phys - size)
        return NULL;
    for (uint64_t p = ROUND_DOWN(phys); p < phys + size; p += PAGE_SIZE) {
        uint64_t *large = entry_of(DIRECT_MAP + p, 2);
        uint64_t *small;

        if (*large & PTE_PS)
            continue; /* RAM */
        small = entry_of(DIRECT_MAP + p, 1);
        if (*small & PTE_P)
            continue;
        *small = p | PTE_RO;
        invlpg(phys_to_virt(p));
    }
    return phys_to_virt(phys);
}

uint64_t paging_bytes(void)
{
    return tables * PAGE_SIZE;
}
