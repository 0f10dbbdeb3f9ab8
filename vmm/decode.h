/* A decoder for the x86 instructions that reach memory-mapped devices, for string I/O, and for those that
 * exit by themselves, of which not every processor tells the length. Pure: bytes in, a neutral description
 * out. Hostile bytes are the normal case: it reads at most what it is given, and at most 15. */
#ifndef VMM_DECODE_H
#define VMM_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX_LENGTH 15

enum insn_op {
    OP_MOV,
    OP_MOVZX,
    OP_MOVSX,
    OP_STOS,
    OP_LODS,
    OP_MOVS,
    OP_ADD,
    OP_OR,
    OP_ADC,
    OP_SBB,
    OP_AND,
    OP_SUB,
    OP_XOR,
    OP_CMP, /* in the order of the opcode map's rows */
    OP_TEST,
    OP_NOT,
    OP_NEG,
    OP_INC,
    OP_DEC,
    OP_XCHG,
    OP_BT,
    OP_BTS,
    OP_BTR,
    OP_BTC,
    OP_INS,
    OP_OUTS,
    OP_PAUSE,
    OP_HLT,
    OP_CPUID,
    OP_RDTSC,
    OP_RDTSCP,
    OP_RDMSR,
    OP_WRMSR,
    OP_XSETBV,
    OP_VMMCALL,
    OP_INVD,
    OP_WBINVD,
    OP_CLTS,
    OP_LMSW,
    OP_SMSW,
    OP_MOV_FROM_CR,
    OP_MOV_TO_CR,
    INSN_OPS
};

enum operand_kind {
    OPERAND_NONE,
    OPERAND_MEM,  /* the ModRM or moffs memory operand, or the string's */
    OPERAND_REG,  /* gpr `reg` */
    OPERAND_HIGH, /* AH, CH, DH, BH: bits 15:8 of gpr `reg` */
    OPERAND_IMM,
    OPERAND_CR, /* control register `reg` */
};

struct operand {
    uint8_t kind;
    uint8_t reg;
};

#define INSN_NO_REG 0xff

struct insn {
    uint8_t length;
    uint8_t op;           /* enum insn_op */
    uint8_t size;         /* operand size in bytes: 1, 2, 4, 8 */
    uint8_t source_size;  /* MOVZX, MOVSX: of the source; else as size */
    uint8_t address_size; /* 2, 4, 8 */
    bool rep;             /* F3, or F2 with a string instruction */
    bool lock;
    struct operand dst, src;
    uint64_t imm; /* sign-extended */

    /* The memory operand: seg:[base + index * scale + disp], or RIP-relative (relative to the next
     * instruction). */
    uint8_t seg;         /* enum guest_seg, default or override */
    uint8_t base, index; /* gpr or INSN_NO_REG */
    uint8_t scale;       /* 1, 2, 4, 8 */
    bool rip_relative;
    uint64_t disp; /* sign-extended */
};

enum decode_result {
    DECODE_OK,
    DECODE_MORE,     /* the bytes end before the instruction does */
    DECODE_TOO_LONG, /* more than 15 bytes: #GP */
    DECODE_INVALID,  /* LOCK where the processor raises #UD */
    DECODE_UNKNOWN,  /* not one of the above */
};

/* mode: 16, 32 or 64, the code size. */
enum decode_result decode(const uint8_t *bytes, size_t n, unsigned int mode, struct insn *out);

#endif
