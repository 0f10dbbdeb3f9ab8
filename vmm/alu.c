#include "vmm/alu.h"

#include <stdbool.h>

#include "vmm/cr.h"
#include "vmm/host.h"

#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t width_mask(unsigned int size)
{
    return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static uint64_t flag(bool on, uint64_t mask)
{
    return on ? mask : 0;
}

static bool even_parity(uint64_t value)
{
    value &= 0xff;
    value ^= value >> 4;
    value ^= value >> 2;
    value ^= value >> 1;
    return !(value & 1);
}

/* SF, ZF and PF of a result. */
static uint64_t result_flags(unsigned int size, uint64_t r)
{
    return flag(r == 0, RFLAGS_ZF) | flag(r >> (8 * size - 1) & 1, RFLAGS_SF) |
           flag(even_parity(r), RFLAGS_PF);
}

/* The carries out of each bit position tell CF, AF and OF at once. */
static uint64_t carry_flags(unsigned int size, uint64_t carries)
{
    unsigned int top = 8 * size - 1;
    bool out = carries >> top & 1, into = carries >> (top - 1) & 1;
    return flag(out, RFLAGS_CF) | flag(out != into, RFLAGS_OF) | flag(carries >> 3 & 1, RFLAGS_AF);
}

static uint64_t add(unsigned int size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *status)
{
    uint64_t r = (a + b + carry) & width_mask(size);
    *status = result_flags(size, r) | carry_flags(size, (a & b) | ((a | b) & ~r));
    return r;
}

static uint64_t subtract(unsigned int size, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *status)
{
    uint64_t r = (a - b - borrow) & width_mask(size);
    *status = result_flags(size, r) | carry_flags(size, (~a & b) | ((~a | b) & r));
    return r;
}

static uint64_t logical(unsigned int size, uint64_t r, uint64_t *status)
{
    *status = result_flags(size, r);
    return r;
}

uint64_t alu(enum insn_op op, unsigned int size, uint64_t a, uint64_t b, uint64_t *rflags)
{
    uint64_t carry = *rflags & RFLAGS_CF ? 1 : 0, changed = RFLAGS_STATUS, status = 0, r;

    a &= width_mask(size);
    b &= width_mask(size);
    r = a;
    switch (op) {
    case OP_ADD:
        r = add(size, a, b, 0, &status);
        break;
    case OP_ADC:
        r = add(size, a, b, carry, &status);
        break;
    case OP_SUB:
        r = subtract(size, a, b, 0, &status);
        break;
    case OP_SBB:
        r = subtract(size, a, b, carry, &status);
        break;
    case OP_CMP:
        subtract(size, a, b, 0, &status);
        break;
    case OP_NEG:
        r = subtract(size, 0, a, 0, &status);
        break;
    case OP_INC:
        r = add(size, a, 1, 0, &status);
        changed &= ~RFLAGS_CF;
        break;
    case OP_DEC:
        r = subtract(size, a, 1, 0, &status);
        changed &= ~RFLAGS_CF;
        break;
    case OP_OR:
        r = logical(size, a | b, &status);
        break;
    case OP_AND:
        r = logical(size, a & b, &status);
        break;
    case OP_XOR:
        r = logical(size, a ^ b, &status);
        break;
    case OP_TEST:
        logical(size, a & b, &status);
        break;
    case OP_NOT:
        r = ~a & width_mask(size);
        changed = 0;
        break;
    default:
        ASSERT(op == OP_NOT); /* nothing else is arithmetic */
        break;
    }
    *rflags = (*rflags & ~changed) | (status & changed);
    return r;
}

uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned int bit, uint64_t *rflags)
{
    uint64_t mask = 1ull << bit;

    *rflags = (*rflags & ~RFLAGS_CF) | (a & mask ? RFLAGS_CF : 0);
    switch (op) {
    case OP_BTS:
        return a | mask;
    case OP_BTR:
        return a & ~mask;
    case OP_BTC:
        return a ^ mask;
    default:
        return a;
    }
}
