/* What the loaders share: one attempt to load a VM's images (vmm/load.c starts it), and the kinds of image.
 */
#ifndef VMM_LOAD_KINDS_H
#define VMM_LOAD_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/load_space.h"

struct vm;

#define LOAD_NAME_MAX 64u

struct load {
    struct vm *vm;
    char name[LOAD_NAME_MAX]; /* of the image, for error texts */
    const uint8_t *image;
    uint64_t size;
    struct load_space space;
    char *why; /* why it failed */
    size_t n;
};

/* A kind of image: is it one of these, and its loader. `is` may be asked of any bytes. */
bool linux_is(const struct load *l);
bool linux_load(struct load *l);
bool multiboot_is(const struct load *l);
bool multiboot_load(struct load *l);
bool pvh_is(const struct load *l);
bool pvh_load(struct load *l);
bool flat_is(const struct load *l);
bool flat_load(struct load *l);

/* Little-endian values at an offset that the caller has checked. */
uint16_t get_u16(const uint8_t *p);
uint32_t get_u32(const uint8_t *p);
uint64_t get_u64(const uint8_t *p);

/* Is [offset, offset + size) inside the image? */
bool load_in_image(const struct load *l, uint64_t offset, uint64_t size);
/* Puts a piece of an image at gpa: size bytes from data, zeros up to memory bytes. Marks it as taken. False,
 * with the reason: that is not RAM, or the pieces are too many. */
bool load_piece(struct load *l, uint64_t gpa, const uint8_t *data, uint64_t size, uint64_t memory);
/* A module's copy at the lowest free page-aligned place from `from` on below 4 GiB. */
bool load_module(struct load *l, uint64_t from, const uint8_t *data, uint64_t size, uint64_t *gpa);
/* The guest's RAM there, zeroed and taken, for a loader's own structures; in conventional memory if there is
 * room. NULL, with the reason: memory is too small. */
uint8_t *load_scratch(struct load *l, uint64_t size, uint64_t *gpa);
/* False, with the reason, if the VM has an initrd or modules that this kind of image knows no way to get. */
bool load_no_initrd(struct load *l, const char *kind);
bool load_no_modules(struct load *l, const char *kind);

/* The states in which boot protocols enter a guest, vcpus[0]'s (vmm/load_cpu.c). */

/* 64-bit, RAM below 4 GiB mapped to itself, CS=10h, others 18h, interrupts off (Linux x86 boot protocol,
 * "64-bit boot protocol"). */
void load_cpu_long(struct vm *vm, uint64_t rip, uint64_t rsi);
/* Protected mode, paging off, flat segments of 4 GiB, interrupts off (multiboot 1, 3.2; PVH). */
void load_cpu_flat32(struct vm *vm, uint32_t eip, uint32_t eax, uint32_t ebx);
/* Real mode at 0000:ip, stack below it, interrupts off (a boot sector). */
void load_cpu_real(struct vm *vm, uint16_t ip, uint32_t edx);

#endif
