/* Where capstone 4 and the decoder differ, each with its reason. Part of fuzz_decode.c. */
#ifndef TESTS_FUZZ_DECODE_DIFFERENCES_H
#define TESTS_FUZZ_DECODE_DIFFERENCES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <capstone/capstone.h>

#include "vmm/decode.h"

/* The prefixes that stand before an opcode, and the opcode: read anew, simply. */
struct prefixes {
    bool lock, repeat, operand, address, wide;
    uint8_t opcode[2]; /* 0Fh and the one behind it, or the one */
};

static inline struct prefixes prefixes_of(const uint8_t *code, size_t n, unsigned int mode)
{
    struct prefixes p = {0};
    size_t i = 0;

    for (; i < n; i++) {
        uint8_t byte = code[i];
        bool rex = mode == 64 && (byte & 0xf0) == 0x40;

        if (!rex && (byte == 0 || !memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", byte, 11)))
            break;
        p.lock |= byte == 0xf0;
        p.repeat |= byte == 0xf2 || byte == 0xf3;
        p.operand |= byte == 0x66;
        p.address |= byte == 0x67;
        p.wide = rex && (byte & 8);
    }
    for (size_t k = 0; k < 2 && i + k < n; k++)
        p.opcode[k] = code[i + k];
    return p;
}

/* What capstone 4.0.2 gets wrong; objdump (tests/unit/test_decode.c) and the manual agree with us. */
static inline bool theirs_is_wrong(const struct prefixes *p, const struct insn *insn)
{
    /* Of F2h or F3h and 66h it takes the first for part of the opcode, and the operand stays at 32 bits. */
    if (p->repeat && p->operand)
        return true;
    /* REX.W and 67h make 16-bit port I/O of INS and OUTS; it is 32-bit. */
    if ((insn->op == OP_INS || insn->op == OP_OUTS) && p->address && p->wide)
        return true;
    /* The destination of MOVSXD without REX.W is no 64-bit register. */
    return p->opcode[0] == 0x63 && !p->wide;
}

/* What capstone does not know. */
static inline bool they_refuse(const struct prefixes *p)
{
    /* AMD's LOCK MOV CRn (APM vol. 3). */
    if (p->lock && p->opcode[0] == 0x0f && (p->opcode[1] == 0x20 || p->opcode[1] == 0x22))
        return true;
    /* As above: it looks for another instruction then. */
    return p->repeat && p->operand;
}

/* The documented refusals (docs/reliability.md). ours: the operation is one of enum insn_op. memory: an
 * operand is in memory. */
static inline bool we_refuse(const struct prefixes *p, enum decode_result result, bool ours, bool memory,
                             const cs_insn *cs)
{
    if (result == DECODE_INVALID) /* capstone lets LOCK pass where the processor raises #UD */
        return p->lock;
    if (result != DECODE_UNKNOWN)
        return false;
    if (!ours || !memory) /* on registers it causes no nested page fault */
        return true;
    if (cs->id == X86_INS_MOVSD) /* that of SSE */
        return p->opcode[0] == 0x0f;
    switch (p->opcode[0]) {
    case 0x82: /* an alias of 80h */
    case 0x8c: /* MOV from and to segment registers */
    case 0x8e:
        return true;
    case 0xf6: /* TEST's alias /1 */
    case 0xf7:
        return cs->id == X86_INS_TEST && (cs->detail->x86.modrm >> 3 & 7) == 1;
    default:
        return false;
    }
}

#endif
