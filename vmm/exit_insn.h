/* The length of an instruction that exits, where the processor does not tell it. */
#ifndef VMM_EXIT_INSN_H
#define VMM_EXIT_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/exit.h"

struct vcpu;

#define EXIT_INSN_CACHE 16u /* a power of two */

/* Instructions met lately: decoding one takes a walk through the guest's page tables. An entry holds while
 * the bytes are what they were. */
struct exit_insn {
    uint64_t rip, cr3;
    const uint8_t *code; /* in the guest's RAM, four bytes at least; NULL: no entry */
    uint32_t bytes;      /* the first four, those that count: */
    uint32_t mask;
    uint8_t kind;      /* enum exit_kind of the exit */
    uint8_t real_kind; /* and what it is by the instruction */
    uint8_t length;
    uint8_t pad[21]; /* an index is a shift */
};

static inline uint32_t exit_insn_bytes(const uint8_t *code)
{
    return code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
}

static inline struct exit_insn *exit_insn_slot(struct exit_insn *cache, uint64_t rip)
{
    return &cache[(rip ^ rip >> 4) % EXIT_INSN_CACHE];
}

/* A guest that maps another page at the address of an instruction, with the same CR3, is told by the bytes as
 * well, unless it left the old ones where they were and put a longer form of the same instruction at the new
 * place: then it is that guest's RIP that comes out short. */
static inline bool exit_insn_holds(const struct exit_insn *e, uint64_t rip, const struct exit_record *exit)
{
    return e->rip == rip && e->cr3 == exit->cr3 && e->code && e->kind == exit->kind &&
           (exit_insn_bytes(e->code) & e->mask) == e->bytes;
}

/* Fills *e, which need not hold afterwards, and exit->insn_len; op (enum insn_op): what the instruction must
 * be, but that RDTSCP may come as EXIT_RDTSC and INVD as EXIT_WBINVD, which exit->kind is then corrected of
 * (defects of QEMU's).
 * False: it has been dealt with (a fault injected, or the VM ended); nothing more to do. */
bool exit_insn_find_out(struct vcpu *vcpu, struct exit_insn *e, struct exit_record *exit, unsigned int op);

#endif
