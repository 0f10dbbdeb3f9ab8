/* The instruction by which drivers reach device registers, a 32-bit MOV, carried out without decoding it each
 * time. */
#ifndef VMM_MMIO_MOVE_H
#define VMM_MMIO_MOVE_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct exit_record;
struct insn;

#define MMIO_MOVES 16u /* a power of two */

/* One met lately. Its operand's address is not kept: the exit tells it. An entry holds while the bytes are
 * what they were. */
struct mmio_move {
    uint64_t rip, cr3;
    const uint8_t *code; /* in the guest's RAM, sixteen bytes at least; NULL: no entry */
    uint64_t bytes[2];   /* the first sixteen, those that count: */
    uint64_t mask[2];
    uint64_t access; /* of the exit, CS with it: the same bytes are another instruction in another mode */
    uint8_t length;
    bool write;
    bool immediate; /* what is written: imm, or gpr */
    uint8_t gpr;
    uint32_t imm;
    uint32_t pad[14]; /* an index is a shift */
};
_Static_assert(sizeof(struct mmio_move) == 128, "an index is a shift");

/* The instruction of a nested page fault, if it is a move met before; else NULL. */
const struct mmio_move *mmio_move_find(struct vcpu *vcpu, const struct exit_record *exit);

/* Carries it out. */
void mmio_move(struct vcpu *vcpu, const struct exit_record *exit, const struct mmio_move *move);

/* Remembers an instruction at RIP that has just been decoded and will have worked, if it is such a move. */
void mmio_move_remember(struct vcpu *vcpu, const struct exit_record *exit, const struct insn *insn);

#endif
