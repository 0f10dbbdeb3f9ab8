/* The hypervisor's own page tables: a direct map of all RAM, the kernel's image with W^X, and MMIO.
 *
 * Virtual layout:
 *   ffff800000000000  direct map: physical address p is at DIRECT_MAP + p (RAM and mapped firmware tables; no
 * execute) ffffc00000000000  MMIO: device page p is at MMIO_MAP + p, uncached ffffffff80200000  the kernel's
 * image, wherever it lies physically */
#ifndef ARCH_X86_PAGING_H
#define ARCH_X86_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/multiboot.h"

#define DIRECT_MAP  0xffff800000000000ull
#define MMIO_MAP    0xffffc00000000000ull
#define KERNEL_BASE 0xffffffff80200000ull
#define PAGE_SIZE   4096ull
#define PAGE_2M     0x200000ull

/* Physical address of KERNEL_BASE, a multiple of 2 MiB. Set by entry.asm. */
extern uint64_t kernel_phys_base;

static inline void *phys_to_virt(uint64_t phys)
{
    return (void *)(DIRECT_MAP + phys);
}

/* Physical address of anything in the direct map or in the kernel's image. */
uint64_t virt_to_phys(const void *p);

/* Builds and loads the final tables. Before it the early ones of entry.asm hold: identity and direct map of
 * the first 4 GiB. Needs pages_init(). Direct map: RAM and ACPI memory of the boot map, in 2 MiB pages; the
 * kernel's text and read-only data are read-only there too. Panics when memory is out. */
void paging_init(const struct boot_info *boot);

/* Maps device registers uncached; returns their address. Start-up only. Panics when memory is out. */
volatile void *map_mmio(uint64_t phys, uint64_t size);

/* Makes firmware tables readable in the direct map, wherever they are (reserved memory too); NULL for an
 * address that is beyond the processor's width. Start-up only. */
const void *map_firmware(uint64_t phys, uint64_t size);

/* Nothing is at v's page any more (of a whole mapping of ours): a stack's guard. Start-up only, before
 * another processor could use it. */
void paging_unmap_page(uint64_t v);

/* Bytes of page tables in use. */
uint64_t paging_bytes(void);

#endif
