#include "vmm/decode_table.h"

#include "vmm/decode.h"

/* The four r/m forms of one arithmetic row of the opcode map. */
#define ALU_ROW(row, operation, lock)                                                                        \
    [(row)*8 + 0] = {.form = FORM_RM_R, .op = (operation), .size = 1, .lockable = (lock)},                   \
               [(row)*8 + 1] = {.form = FORM_RM_R, .op = (operation), .lockable = (lock)},                   \
               [(row)*8 + 2] = {.form = FORM_R_RM, .op = (operation), .size = 1},                            \
               [(row)*8 + 3] = {.form = FORM_R_RM, .op = (operation)}

const struct opcode decode_one_byte[256] = {
    ALU_ROW(0, OP_ADD, true),
    ALU_ROW(1, OP_OR, true),
    ALU_ROW(2, OP_ADC, true),
    ALU_ROW(3, OP_SBB, true),
    ALU_ROW(4, OP_AND, true),
    ALU_ROW(5, OP_SUB, true),
    ALU_ROW(6, OP_XOR, true),
    ALU_ROW(7, OP_CMP, false),
    [0x63] = {.form = FORM_R_RM, .op = OP_MOVSX, .source = 4, .only64 = true},
    [0x6c] = {.form = FORM_STRING_STORE, .op = OP_INS, .size = 1},
    [0x6d] = {.form = FORM_STRING_STORE, .op = OP_INS},
    [0x6e] = {.form = FORM_STRING_LOAD, .op = OP_OUTS, .size = 1},
    [0x6f] = {.form = FORM_STRING_LOAD, .op = OP_OUTS},
    [0x80] = {.form = FORM_GROUP, .op = GROUP_1_BYTE},
    [0x81] = {.form = FORM_GROUP, .op = GROUP_1},
    [0x82] = {.form = FORM_NONE}, /* an alias of 80h outside 64-bit mode that no assembler emits */
    [0x83] = {.form = FORM_GROUP, .op = GROUP_1_IMM8},
    [0x84] = {.form = FORM_RM_R, .op = OP_TEST, .size = 1},
    [0x85] = {.form = FORM_RM_R, .op = OP_TEST},
    [0x86] = {.form = FORM_RM_R, .op = OP_XCHG, .size = 1, .lockable = true},
    [0x87] = {.form = FORM_RM_R, .op = OP_XCHG, .lockable = true},
    [0x88] = {.form = FORM_RM_R, .op = OP_MOV, .size = 1},
    [0x89] = {.form = FORM_RM_R, .op = OP_MOV},
    [0x8a] = {.form = FORM_R_RM, .op = OP_MOV, .size = 1},
    [0x8b] = {.form = FORM_R_RM, .op = OP_MOV},
    [0x90] = {.form = FORM_PLAIN, .op = OP_PAUSE}, /* with F3h; NOP, which is never met, without */
    [0xa0] = {.form = FORM_ACC_MOFFS, .op = OP_MOV, .size = 1},
    [0xa1] = {.form = FORM_ACC_MOFFS, .op = OP_MOV},
    [0xa2] = {.form = FORM_MOFFS_ACC, .op = OP_MOV, .size = 1},
    [0xa3] = {.form = FORM_MOFFS_ACC, .op = OP_MOV},
    [0xa4] = {.form = FORM_STRING_MOVE, .op = OP_MOVS, .size = 1},
    [0xa5] = {.form = FORM_STRING_MOVE, .op = OP_MOVS},
    [0xaa] = {.form = FORM_STRING_STORE, .op = OP_STOS, .size = 1},
    [0xab] = {.form = FORM_STRING_STORE, .op = OP_STOS},
    [0xac] = {.form = FORM_STRING_LOAD, .op = OP_LODS, .size = 1},
    [0xad] = {.form = FORM_STRING_LOAD, .op = OP_LODS},
    [0xc6] = {.form = FORM_GROUP, .op = GROUP_11_BYTE},
    [0xc7] = {.form = FORM_GROUP, .op = GROUP_11},
    [0xf4] = {.form = FORM_PLAIN, .op = OP_HLT},
    [0xf6] = {.form = FORM_GROUP, .op = GROUP_3_BYTE},
    [0xf7] = {.form = FORM_GROUP, .op = GROUP_3},
    [0xfe] = {.form = FORM_GROUP, .op = GROUP_4},
    [0xff] = {.form = FORM_GROUP, .op = GROUP_5},
};

/* After 0Fh. */
const struct opcode decode_two_byte[256] = {
    [0x01] = {.form = FORM_GROUP, .op = GROUP_7},
    [0x06] = {.form = FORM_PLAIN, .op = OP_CLTS},
    [0x08] = {.form = FORM_PLAIN, .op = OP_INVD},
    [0x09] = {.form = FORM_PLAIN, .op = OP_WBINVD},
    /* LOCK makes CR8 of CR0 on some processors (APM vol. 3, MOV CRn). */
    [0x20] = {.form = FORM_CR_STORE, .op = OP_MOV_FROM_CR, .lockable = true},
    [0x22] = {.form = FORM_CR_LOAD, .op = OP_MOV_TO_CR, .lockable = true},
    [0x30] = {.form = FORM_PLAIN, .op = OP_WRMSR},
    [0x31] = {.form = FORM_PLAIN, .op = OP_RDTSC},
    [0x32] = {.form = FORM_PLAIN, .op = OP_RDMSR},
    [0xa2] = {.form = FORM_PLAIN, .op = OP_CPUID},
    [0xa3] = {.form = FORM_RM_R, .op = OP_BT},
    [0xab] = {.form = FORM_RM_R, .op = OP_BTS, .lockable = true},
    [0xb3] = {.form = FORM_RM_R, .op = OP_BTR, .lockable = true},
    [0xb6] = {.form = FORM_R_RM, .op = OP_MOVZX, .source = 1},
    [0xb7] = {.form = FORM_R_RM, .op = OP_MOVZX, .source = 2},
    [0xba] = {.form = FORM_GROUP, .op = GROUP_8},
    [0xbb] = {.form = FORM_RM_R, .op = OP_BTC, .lockable = true},
    [0xbe] = {.form = FORM_R_RM, .op = OP_MOVSX, .source = 1},
    [0xbf] = {.form = FORM_R_RM, .op = OP_MOVSX, .source = 2},
    [0xc3] = {.form = FORM_RM_R, .op = OP_MOV, .no16 = true}, /* MOVNTI */
};

#define GROUP_1_ROW(f, s)                                                                                    \
    {                                                                                                        \
        [0] = {.form = (f), .op = OP_ADD, .size = (s), .lockable = true},                                    \
        [1] = {.form = (f), .op = OP_OR, .size = (s), .lockable = true},                                     \
        [2] = {.form = (f), .op = OP_ADC, .size = (s), .lockable = true},                                    \
        [3] = {.form = (f), .op = OP_SBB, .size = (s), .lockable = true},                                    \
        [4] = {.form = (f), .op = OP_AND, .size = (s), .lockable = true},                                    \
        [5] = {.form = (f), .op = OP_SUB, .size = (s), .lockable = true},                                    \
        [6] = {.form = (f), .op = OP_XOR, .size = (s), .lockable = true},                                    \
        [7] = {.form = (f), .op = OP_CMP, .size = (s)},                                                      \
    }

/* SDM vol. 2, table A-6. */
const struct opcode decode_groups[GROUPS][8] = {
    [GROUP_1_BYTE] = GROUP_1_ROW(FORM_RM_IMM, 1),
    [GROUP_1] = GROUP_1_ROW(FORM_RM_IMM, 0),
    [GROUP_1_IMM8] = GROUP_1_ROW(FORM_RM_IMM8, 0),
    [GROUP_3_BYTE] = {[0] = {.form = FORM_RM_IMM, .op = OP_TEST, .size = 1},
                      [2] = {.form = FORM_RM, .op = OP_NOT, .size = 1, .lockable = true},
                      [3] = {.form = FORM_RM, .op = OP_NEG, .size = 1, .lockable = true}},
    [GROUP_3] = {[0] = {.form = FORM_RM_IMM, .op = OP_TEST},
                 [2] = {.form = FORM_RM, .op = OP_NOT, .lockable = true},
                 [3] = {.form = FORM_RM, .op = OP_NEG, .lockable = true}},
    [GROUP_4] = {[0] = {.form = FORM_RM, .op = OP_INC, .size = 1, .lockable = true},
                 [1] = {.form = FORM_RM, .op = OP_DEC, .size = 1, .lockable = true}},
    [GROUP_5] = {[0] = {.form = FORM_RM, .op = OP_INC, .lockable = true},
                 [1] = {.form = FORM_RM, .op = OP_DEC, .lockable = true}},
    [GROUP_7] = {[2] = {.form = FORM_PLAIN_1, .op = OP_XSETBV},
                 [3] = {.form = FORM_PLAIN_1, .op = OP_VMMCALL},
                 [4] = {.form = FORM_MSW_STORE, .op = OP_SMSW},
                 [6] = {.form = FORM_MSW_LOAD, .op = OP_LMSW},
                 [7] = {.form = FORM_PLAIN_1, .op = OP_RDTSCP}},
    [GROUP_8] = {[4] = {.form = FORM_RM_IMM8, .op = OP_BT},
                 [5] = {.form = FORM_RM_IMM8, .op = OP_BTS, .lockable = true},
                 [6] = {.form = FORM_RM_IMM8, .op = OP_BTR, .lockable = true},
                 [7] = {.form = FORM_RM_IMM8, .op = OP_BTC, .lockable = true}},
    [GROUP_11_BYTE] = {[0] = {.form = FORM_RM_IMM, .op = OP_MOV, .size = 1}},
    [GROUP_11] = {[0] = {.form = FORM_RM_IMM, .op = OP_MOV}},
};
