/* The arithmetic of the emulated instructions, with their flags (SDM vol. 1, 3.4.3.1; vol. 2). Pure. */
#ifndef VMM_ALU_H
#define VMM_ALU_H

#include <stdint.h>

#include "vmm/decode.h"

/* a OP b for operands of `size` bytes; the result, and *rflags with the status flags that the instruction
 * changes. Takes ADD OR ADC SBB AND SUB XOR CMP TEST, and NOT NEG INC DEC (b unused). Flags that the manual
 * leaves undefined (AF of the logical ones) are cleared. CMP and TEST return a. */
uint64_t alu(enum insn_op op, unsigned int size, uint64_t a, uint64_t b, uint64_t *rflags);

/* BT, BTS, BTR, BTC of bit `bit` (less than the operand's width): CF is the old bit, the others stay. */
uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned int bit, uint64_t *rflags);

#endif
