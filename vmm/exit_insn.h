/* The length of an instruction that exits, where the processor does not tell it. */
#ifndef VMM_EXIT_INSN_H
#define VMM_EXIT_INSN_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct exit_record;

#define EXIT_INSN_CACHE 16u /* a power of two */

/* Instructions met lately: decoding one takes a walk through the guest's page tables. An entry holds while
 * the bytes are what they were. */
struct exit_insn {
    uint64_t rip, cr3;
    const uint8_t *code; /* in the guest's RAM; NULL: no entry */
    uint32_t bytes;      /* its bytes, no more than four */
    uint8_t kind;        /* enum exit_kind of the exit */
    uint8_t real_kind;   /* and what it is by the instruction */
    uint8_t length;
};

/* Fills exit->insn_len; op (enum insn_op): what the instruction must be, but that RDTSCP may come as
 * EXIT_RDTSC, which exit->kind is then corrected of (a defect of QEMU's). False: it has been dealt with (a
 * fault injected, or the VM ended); nothing more to do. */
bool exit_insn_length(struct vcpu *vcpu, struct exit_record *exit, unsigned int op);

#endif
