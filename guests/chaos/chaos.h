/* Random instructions: one attempt after another, for ever (main.c). */
#ifndef GUESTS_CHAOS_CHAOS_H
#define GUESTS_CHAOS_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#define CODE_BYTES 64u

/* Selectors of the GDT in machine.c. */
#define SEL_CODE64      0x08
#define SEL_DATA        0x10
#define SEL_CODE32      0x18
#define SEL_CODE16      0x20
#define SEL_DATA16      0x28
#define SEL_CODE64_USER 0x33
#define SEL_CODE32_USER 0x3b
#define SEL_CODE16_USER 0x43
#define SEL_DATA_USER   0x4b
#define SEL_DATA16_USER 0x53
#define SEL_TSS         0x58

/* What enter.asm loads: general registers in the order of their encoding, then what IRETQ takes, then DS and
 * ES. */
struct start {
    uint64_t gpr[16];
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t data;
};

/* Goes there; comes back when machine.c's handler says so. */
void chaos_enter(const struct start *start);
/* Where the handler sends the machine back to: the end of chaos_enter. */
void chaos_return(void);

/* Own GDT, TSS, interrupt stacks, user pages, handlers; the PIT as a watchdog by NMI. `code` is CODE_BYTES
 * long. */
/* all: what is no RAM is mapped, too. */
void machine_take(uint8_t *code, bool all);
/* Anew what random instructions may have changed. */
void machine_restore(void);

/* One attempt; counts in `tally`. */
void machine_try(const struct start *start);

struct tally {
    uint64_t attempts;
    uint64_t vectors[256]; /* exceptions and interrupts, by vector */
};
extern struct tally tally;

/* Fills the code, and registers to begin with. */
void random_seed(uint64_t seed);
uint64_t random_next(void);
void random_code(uint8_t *code);
/* Only moves and arithmetic on memory, which the hypervisor carries out where a device is. */
void random_moves(uint8_t *code);
uint64_t random_register(uint64_t scratch);

#endif
