/* ELF32 and ELF64 images for x86, read with every field checked (System V ABI, chapters 4 and 5). */
#ifndef VMM_LOAD_ELF_H
#define VMM_LOAD_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/load_kinds.h"

#define PT_LOAD 1u
#define PT_NOTE 4u

#define SHT_NULL   0u
#define SHT_NOBITS 8u

struct elf {
    const struct load *load;
    bool is64;
    uint64_t entry; /* virtual */
    uint64_t phoff;
    uint64_t shoff;
    uint16_t phentsize, phnum;
    uint16_t shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type;
    uint64_t offset, vaddr, paddr, filesz, memsz;
};

struct elf_section {
    uint32_t type;
    uint64_t addr, offset, size;
};

/* Does the image begin as an ELF file does? */
bool elf_is(const struct load *l);
/* Reads and checks the header and that the program headers are in the file. False, with the reason. */
bool elf_open(struct elf *e, struct load *l);
/* Program header i < phnum. Its offset and sizes are not checked. */
void elf_segment(const struct elf *e, unsigned int i, struct elf_segment *out);
/* Loads all PT_LOAD segments to their physical addresses and clears their bss. *end: behind the highest byte.
 */
bool elf_load(const struct elf *e, struct load *l, uint64_t *end);
/* The physical address of the ELF entry point, which is a virtual or (where no segment has that) a physical
 * address. False, with the reason. */
bool elf_entry(const struct elf *e, struct load *l, uint32_t *out);
/* Is physical address p in a loaded segment and below 4 GiB? False, with the reason. */
bool elf_physical_entry(const struct elf *e, struct load *l, uint64_t p, uint32_t *out);

/* True if there is a section header table and it is in the file. */
bool elf_has_sections(const struct elf *e);
/* Section header i < shnum. */
void elf_section(const struct elf *e, unsigned int i, struct elf_section *out);
/* Sets the sh_addr of a section header (a copy in memory). */
void elf_set_section_addr(const struct elf *e, uint8_t *header, uint64_t addr);

#endif
