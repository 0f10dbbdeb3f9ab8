/* Exceptions and interrupts: an IDT, one handler for each vector. */
#ifndef GUESTS_LIB_TRAPS_H
#define GUESTS_LIB_TRAPS_H

#include <stdbool.h>
#include <stdint.h>

#define TRAP_GP 13

/* What traps.asm pushes, lowest address first. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*trap_handler)(struct trap_frame *frame);

/* Loads the IDT. A vector without a handler prints its frame and ends the machine with EXIT_TRAP. */
void traps_init(void);
/* The same IDT for a further processor. */
void traps_load(void);
void traps_set(uint8_t vector, trap_handler handler);
/* The processor itself goes to `entry`, which ends in IRETQ: for whoever must be the first instruction. */
void traps_gate(uint8_t vector, const void *entry);

/* These answer false where the processor raised #GP. */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);
bool write_cr0_safe(uint64_t value);
bool write_cr3_safe(uint64_t value);
bool write_cr4_safe(uint64_t value);
bool write_cr8_safe(uint64_t value);
bool xsetbv_safe(uint32_t index, uint64_t value); /* only where CR4.OSXSAVE is set */

#endif
