/* What the instruction emulators share: fetching an instruction, its registers and its addresses. */
#ifndef VMM_INSN_H
#define VMM_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/decode.h"
#include "vmm/walk.h"

struct vcpu;

/* Fetches and decodes the instruction at RIP. False: it has been dealt with (a fault injected, or the VM
 * ended with the bytes that no one here knows); nothing more to do. */
bool insn_fetch(struct vcpu *vcpu, struct insn *insn);

/* The `length` bytes at RIP in the guest's RAM; NULL if they are not in one page of it. Injects nothing. */
const uint8_t *insn_code(struct vcpu *vcpu, size_t length);

/* Is the code at RIP these bytes? Reads no further than the first that differs; injects nothing. */
bool insn_is(struct vcpu *vcpu, const uint8_t *bytes, size_t length);

/* A register operand of 1, 2, 4 or 8 bytes. Writes of 4 bytes clear bits 63:32 (SDM vol. 1, 3.4.1.1). */
uint64_t insn_reg_read(const struct vcpu *vcpu, struct operand operand, unsigned int size);
void insn_reg_write(struct vcpu *vcpu, struct operand operand, unsigned int size, uint64_t value);

/* The offset part of the memory operand, cut to the address size. */
uint64_t insn_offset(const struct vcpu *vcpu, const struct insn *insn);

/* String instructions: the index register (GPR_RSI or GPR_RDI) cut to the address size, its step by the
 * operand size in the direction of RFLAGS.DF, and the repeat count (1 without REP; counting down writes rCX).
 */
uint64_t insn_string_offset(const struct vcpu *vcpu, const struct insn *insn, unsigned int reg);
void insn_string_step(struct vcpu *vcpu, const struct insn *insn, unsigned int reg);
uint64_t insn_repeats(const struct vcpu *vcpu, const struct insn *insn);
void insn_count_down(struct vcpu *vcpu, const struct insn *insn);
/* After it: with TF set each repetition has a single-step trap of its own (SDM vol. 3, 18.3.1.4). True: that
 * is due now, before the next one, and RIP stays. Behind the last it is vcpu_skip()'s. */
bool insn_trap_between(struct vcpu *vcpu, const struct insn *insn);

#endif
