/* From a guest's logical address to its memory: segmentation, the guest's own page tables (SDM vol. 3,
 * chapters 3 and 4), and accesses by linear address that may cross pages and reach devices. */
#ifndef VMM_WALK_H
#define VMM_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/backend.h"

struct vcpu;
struct vm;

/* What an access is, as in a page fault's error code (SDM vol. 3, 4.7). */
#define ACCESS_WRITE (1u << 1)
#define ACCESS_USER  (1u << 2)
#define ACCESS_FETCH (1u << 4)

/* Bits of a page fault's error code. */
#define PF_PRESENT  (1u << 0)
#define PF_RESERVED (1u << 3)

/* A fault that the access raises: to be injected. */
struct fault {
    uint8_t vector; /* 12 #SS, 13 #GP, 14 #PF */
    uint32_t error;
    uint64_t address; /* #PF: goes into CR2 */
};

/* The registers that address translation depends on. */
struct walk_regs {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags; /* AC matters to SMAP */
    unsigned int phys_bits;
};

void walk_regs_get(struct vcpu *vcpu, struct walk_regs *regs);

/* Linear to guest-physical. Sets accessed and dirty flags as the processor does. False: *fault says which. */
bool walk(struct vm *vm, const struct walk_regs *regs, uint64_t linear, unsigned int access, uint64_t *gpa,
          struct fault *fault);

/* Copies between a buffer and guest memory by linear address; page by page, RAM or devices. Both pages are
 * checked before anything is done. length at most 4096. False: *fault. */
bool guest_read(struct vcpu *vcpu, uint64_t linear, void *buf, size_t length, unsigned int access,
                struct fault *fault);
bool guest_write(struct vcpu *vcpu, uint64_t linear, const void *buf, size_t length, unsigned int access,
                 struct fault *fault);

/* Would the access fault? Translates it (accessed and dirty flags are set) and does nothing else: for
 * instructions that must not touch a device before they know that the rest of them works. */
bool guest_probe(struct vcpu *vcpu, uint64_t linear, size_t length, unsigned int access, struct fault *fault);

/* Code size of the vCPU: 16, 32 or 64, from EFER.LMA and CS (SDM vol. 3, 3.4.5). */
unsigned int guest_mode(struct vcpu *vcpu);
/* ACCESS_USER if the vCPU runs at CPL 3, else 0. */
unsigned int guest_user(struct vcpu *vcpu);

/* Logical to linear, with the checks of limit, type and canonical form. False: *fault (#GP or #SS). */
bool guest_linear(struct vcpu *vcpu, enum guest_seg seg, uint64_t offset, unsigned int size, bool write,
                  uint64_t *linear, struct fault *fault);

/* Injects it, CR2 included. */
void fault_inject(struct vcpu *vcpu, const struct fault *fault);

#endif
