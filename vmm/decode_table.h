/* The opcode maps of the decoder (vmm/decode.c), as data. */
#ifndef VMM_DECODE_TABLE_H
#define VMM_DECODE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* Where an instruction's operands are (SDM vol. 2, 3.1.1.1 and appendix A). Mostly memory forms alone are of
 * interest: an instruction on registers cannot have caused a nested page fault. */
enum form {
    FORM_NONE,
    FORM_RM_R,      /* r/m, register */
    FORM_R_RM,      /* register, r/m */
    FORM_RM_IMM,    /* r/m, immediate of operand size (at most 32 bits) */
    FORM_RM_IMM8,   /* r/m, sign-extended byte */
    FORM_RM,        /* r/m alone */
    FORM_ACC_MOFFS, /* accumulator, absolute offset */
    FORM_MOFFS_ACC,
    FORM_STRING_LOAD,  /* accumulator or port, seg:rSI */
    FORM_STRING_STORE, /* ES:rDI, accumulator or port */
    FORM_STRING_MOVE,  /* ES:rDI, seg:rSI */
    FORM_PLAIN,        /* no operands */
    FORM_PLAIN_1,      /* none either: ModRM is a register form with r/m 1 */
    FORM_CR_LOAD,      /* control register, r/m; always taken for a register form */
    FORM_CR_STORE,     /* r/m, control register */
    FORM_MSW_LOAD,     /* r/m of 16 bits, register or memory */
    FORM_MSW_STORE,    /* the same; a register is stored in whole */
    FORM_GROUP,        /* ModRM.reg selects an entry of the group table `op` */
};

struct opcode {
    uint8_t form;
    uint8_t op;     /* enum insn_op, or enum group for FORM_GROUP */
    uint8_t size;   /* 0: the operand size; 1: a byte */
    uint8_t source; /* 0: as size; else bytes of the source */
    bool lockable;
    bool only64; /* another instruction outside 64-bit mode */
    bool no16;   /* 32 bits where others have 16 */
};

enum group {
    GROUP_1_BYTE,
    GROUP_1,
    GROUP_1_IMM8,
    GROUP_3_BYTE,
    GROUP_3,
    GROUP_4,
    GROUP_5,
    GROUP_7,
    GROUP_8,
    GROUP_11_BYTE,
    GROUP_11,
    GROUPS
};

extern const struct opcode decode_one_byte[256];
extern const struct opcode decode_two_byte[256]; /* after 0Fh */
extern const struct opcode decode_groups[GROUPS][8];

#endif
