/* A VM with RAM and one virtual processor of the fake backend: what the loaders need, and no devices. */
#ifndef TESTS_LOAD_VM_H
#define TESTS_LOAD_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/support/fake_hv.h"
#include "vmm/vm.h"

/* RAM is filled with A5h, so that what a loader forgets to write shows. */
struct vm *load_vm_new(uint64_t mem);
void load_vm_free(struct vm *vm);

/* Loads an image (the VM has it no longer afterwards); the reason of a failure is in load_vm_why. */
bool load_vm_load(struct vm *vm, const uint8_t *image, size_t size);
extern char load_vm_why[VM_REASON_MAX];

/* Little-endian values in guest RAM; fails the test if they are not in RAM. */
uint8_t guest_u8(struct vm *vm, uint64_t gpa);
uint16_t guest_u16(struct vm *vm, uint64_t gpa);
uint32_t guest_u32(struct vm *vm, uint64_t gpa);
uint64_t guest_u64(struct vm *vm, uint64_t gpa);
const char *guest_string(struct vm *vm, uint64_t gpa);

/* The same into a buffer. */
void put_u16(uint8_t *p, uint16_t v);
void put_u32(uint8_t *p, uint32_t v);
void put_u64(uint8_t *p, uint64_t v);

/* True if the bytes add up to 0. */
bool sums_to_zero(const uint8_t *p, size_t n);

/* Loads `image` again and again with bytes flipped, overwritten by extreme values and cut off, from a fixed
 * seed. Whatever becomes of it: no sanitizer fault, and a reason of one line where it is refused. */
void load_vm_fuzz(uint64_t mem, const uint8_t *image, size_t size, size_t header, unsigned int rounds);

/* ELF images for the tests: a header, one program header for each segment, then the segments' bytes. */
struct test_segment {
    uint32_t type;
    uint64_t vaddr, paddr, memsz;
    const uint8_t *data;
    size_t size;
};
size_t build_elf(uint8_t *out, size_t room, bool is64, uint64_t entry, const struct test_segment *s,
                 unsigned int n);

#endif
