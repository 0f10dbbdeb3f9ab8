/* The multiboot 1 information structure (Multiboot specification 0.6.96, 3.3). */
#ifndef VMM_LOAD_MBINFO_H
#define VMM_LOAD_MBINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/load_elf.h"
#include "vmm/load_kinds.h"

/* Loads the VM's modules above the image and writes the information structure: memory sizes, command line,
 * modules, memory map, loader name; the ELF section headers (elf != NULL, as far as they are sound and fit);
 * the text screen, if the image asked for video information. *gpa: where it is. False, with the reason:
 * memory is too small. */
bool mbinfo_write(struct load *l, uint64_t image_end, const struct elf *elf, bool video, uint32_t *gpa);

#endif
