#include "vmm/decode.h"

#include "vmm/backend.h"
#include "vmm/string.h"
#include "vmm/vcpu.h"

/* Where an instruction's operands are (SDM vol. 2, 3.1.1.1 and appendix A). Only memory forms are of
 * interest: an instruction on registers alone cannot have caused a nested page fault. */
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
    FORM_GROUP,        /* ModRM.reg selects an entry of the group table `op` */
};

struct opcode {
    uint8_t form;
    uint8_t op;     /* enum insn_op, or enum group for FORM_GROUP */
    uint8_t size;   /* 0: the operand size; 1: a byte */
    uint8_t source; /* 0: as size; else bytes of the source */
    bool lockable;
    bool only64; /* another instruction outside 64-bit mode */
};

enum group {
    GROUP_1_BYTE,
    GROUP_1,
    GROUP_1_IMM8,
    GROUP_3_BYTE,
    GROUP_3,
    GROUP_4,
    GROUP_5,
    GROUP_8,
    GROUP_11_BYTE,
    GROUP_11,
    GROUPS
};

/* The four r/m forms of one arithmetic row of the opcode map. */
#define ALU_ROW(row, operation, lock)                                                                        \
    [(row)*8 + 0] = {.form = FORM_RM_R, .op = (operation), .size = 1, .lockable = (lock)},                   \
               [(row)*8 + 1] = {.form = FORM_RM_R, .op = (operation), .lockable = (lock)},                   \
               [(row)*8 + 2] = {.form = FORM_R_RM, .op = (operation), .size = 1},                            \
               [(row)*8 + 3] = {.form = FORM_R_RM, .op = (operation)}

static const struct opcode one_byte[256] = {
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
    [0xf6] = {.form = FORM_GROUP, .op = GROUP_3_BYTE},
    [0xf7] = {.form = FORM_GROUP, .op = GROUP_3},
    [0xfe] = {.form = FORM_GROUP, .op = GROUP_4},
    [0xff] = {.form = FORM_GROUP, .op = GROUP_5},
};

/* After 0Fh. */
static const struct opcode two_byte[256] = {
    [0xa3] = {.form = FORM_RM_R, .op = OP_BT},
    [0xab] = {.form = FORM_RM_R, .op = OP_BTS, .lockable = true},
    [0xb3] = {.form = FORM_RM_R, .op = OP_BTR, .lockable = true},
    [0xb6] = {.form = FORM_R_RM, .op = OP_MOVZX, .source = 1},
    [0xb7] = {.form = FORM_R_RM, .op = OP_MOVZX, .source = 2},
    [0xba] = {.form = FORM_GROUP, .op = GROUP_8},
    [0xbb] = {.form = FORM_RM_R, .op = OP_BTC, .lockable = true},
    [0xbe] = {.form = FORM_R_RM, .op = OP_MOVSX, .source = 1},
    [0xbf] = {.form = FORM_R_RM, .op = OP_MOVSX, .source = 2},
    [0xc3] = {.form = FORM_RM_R, .op = OP_MOV}, /* MOVNTI */
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
static const struct opcode groups[GROUPS][8] = {
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
    [GROUP_8] = {[4] = {.form = FORM_RM_IMM8, .op = OP_BT},
                 [5] = {.form = FORM_RM_IMM8, .op = OP_BTS, .lockable = true},
                 [6] = {.form = FORM_RM_IMM8, .op = OP_BTR, .lockable = true},
                 [7] = {.form = FORM_RM_IMM8, .op = OP_BTC, .lockable = true}},
    [GROUP_11_BYTE] = {[0] = {.form = FORM_RM_IMM, .op = OP_MOV, .size = 1}},
    [GROUP_11] = {[0] = {.form = FORM_RM_IMM, .op = OP_MOV}},
};

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

/* The bytes, how far they have been read, and what has been learnt on the way. The first error sticks; reads
 * after it give zeros, so that the code below needs no check after each byte. */
struct decoder {
    const uint8_t *bytes;
    size_t n;
    size_t pos;
    enum decode_result result;
    unsigned int mode;
    uint8_t rex;
    bool operand_prefix, address_prefix, repeat_prefix;
    uint8_t override; /* segment, or INSN_NO_REG */
    uint8_t modrm;
    bool have_modrm;
};

static void fail(struct decoder *d, enum decode_result result)
{
    if (d->result == DECODE_OK)
        d->result = result;
}

static uint8_t peek(struct decoder *d)
{
    if (d->pos >= INSN_MAX_LENGTH)
        fail(d, DECODE_TOO_LONG);
    else if (d->pos >= d->n)
        fail(d, DECODE_MORE);
    return d->result == DECODE_OK ? d->bytes[d->pos] : 0;
}

static uint8_t fetch(struct decoder *d)
{
    uint8_t byte = peek(d);
    d->pos++;
    return byte;
}

/* A little-endian number of 1, 2, 4 or 8 bytes, sign-extended. */
static uint64_t fetch_signed(struct decoder *d, unsigned int size)
{
    uint64_t value = 0;
    for (unsigned int i = 0; i < size; i++)
        value |= (uint64_t)fetch(d) << (8 * i);
    uint64_t sign = 1ull << (8 * size - 1);
    return (value ^ sign) - sign;
}

static bool legacy_prefix(struct decoder *d, struct insn *out, uint8_t byte)
{
    static const uint8_t segments[256] = {
        [0x26] = SEG_ES + 1, [0x2e] = SEG_CS + 1, [0x36] = SEG_SS + 1,
        [0x3e] = SEG_DS + 1, [0x64] = SEG_FS + 1, [0x65] = SEG_GS + 1,
    };

    if (segments[byte]) {
        uint8_t seg = (uint8_t)(segments[byte] - 1);
        if (d->mode != 64 || seg >= SEG_FS) /* the other four are ignored in 64-bit mode (vol. 1, 3.3.7.1) */
            d->override = seg;
        return true;
    }
    switch (byte) {
    case 0x66:
        d->operand_prefix = true;
        return true;
    case 0x67:
        d->address_prefix = true;
        return true;
    case 0xf0:
        out->lock = true;
        return true;
    case 0xf2:
    case 0xf3:
        d->repeat_prefix = true;
        return true;
    default:
        return false;
    }
}

/* A REX prefix counts only if the opcode follows at once (vol. 2, 2.2.1). */
static void decode_prefixes(struct decoder *d, struct insn *out)
{
    while (d->result == DECODE_OK) {
        uint8_t byte = peek(d);
        if (legacy_prefix(d, out, byte))
            d->rex = 0;
        else if (d->mode == 64 && (byte & 0xf0) == 0x40)
            d->rex = byte;
        else
            break;
        d->pos++;
    }
}

static uint8_t modrm(struct decoder *d)
{
    if (!d->have_modrm) {
        d->modrm = fetch(d);
        d->have_modrm = true;
    }
    return d->modrm;
}

static const struct opcode *decode_opcode(struct decoder *d)
{
    const struct opcode *map = one_byte;
    uint8_t byte = fetch(d);
    if (byte == 0x0f) {
        map = two_byte;
        byte = fetch(d);
    }
    const struct opcode *opcode = &map[byte];
    if (opcode->form == FORM_GROUP)
        opcode = &groups[opcode->op][(modrm(d) >> 3) & 7];
    return opcode;
}

static void decode_sizes(const struct decoder *d, const struct opcode *opcode, struct insn *out)
{
    bool small = (d->mode == 16) != d->operand_prefix;
    bool io = opcode->op == OP_INS || opcode->op == OP_OUTS;
    if (opcode->size)
        out->size = opcode->size;
    else if ((d->rex & REX_W) && !io) /* port input and output stay at 32 bits */
        out->size = 8;
    else
        out->size = small ? 2 : 4;
    out->source_size = opcode->source ? opcode->source : out->size;

    if (d->mode == 64)
        out->address_size = d->address_prefix ? 4 : 8;
    else
        out->address_size = (d->mode == 16) != d->address_prefix ? 2 : 4;
}

/* SDM vol. 2, table 2-1. */
static void decode_rm16(struct decoder *d, struct insn *out)
{
    static const struct {
        uint8_t base, index;
    } rm16[8] = {
        {GPR_RBX, GPR_RSI},     {GPR_RBX, GPR_RDI},     {GPR_RBP, GPR_RSI},     {GPR_RBP, GPR_RDI},
        {GPR_RSI, INSN_NO_REG}, {GPR_RDI, INSN_NO_REG}, {GPR_RBP, INSN_NO_REG}, {GPR_RBX, INSN_NO_REG},
    };
    unsigned int mod = d->modrm >> 6, rm = d->modrm & 7;

    if (mod == 0 && rm == 6) {
        out->disp = fetch_signed(d, 2);
        return;
    }
    out->base = rm16[rm].base;
    out->index = rm16[rm].index;
    if (out->base == GPR_RBP)
        out->seg = SEG_SS;
    if (mod)
        out->disp = fetch_signed(d, mod);
}

/* SDM vol. 2, table 2-3. */
static void decode_sib(struct decoder *d, struct insn *out)
{
    uint8_t sib = fetch(d);
    unsigned int base = (sib & 7u) | ((d->rex & REX_B) ? 8u : 0u);
    unsigned int index = ((sib >> 3) & 7u) | ((d->rex & REX_X) ? 8u : 0u);

    out->scale = (uint8_t)(1u << (sib >> 6));
    if (index != GPR_RSP)
        out->index = (uint8_t)index;
    if ((sib & 7) == 5 && d->modrm >> 6 == 0)
        out->disp = fetch_signed(d, 4);
    else
        out->base = (uint8_t)base;
}

/* SDM vol. 2, tables 2-2 and 2-7. */
static void decode_rm32(struct decoder *d, struct insn *out)
{
    unsigned int mod = d->modrm >> 6, rm = d->modrm & 7;

    if (rm == 4) {
        decode_sib(d, out);
    } else if (mod == 0 && rm == 5) {
        out->disp = fetch_signed(d, 4);
        out->rip_relative = d->mode == 64;
    } else {
        out->base = (uint8_t)(rm | ((d->rex & REX_B) ? 8u : 0u));
    }
    if (out->base == GPR_RSP || out->base == GPR_RBP)
        out->seg = SEG_SS;
    if (mod)
        out->disp = fetch_signed(d, mod == 1 ? 1 : 4);
}

static void decode_rm(struct decoder *d, struct insn *out)
{
    if (modrm(d) >> 6 == 3)
        fail(d, DECODE_UNKNOWN);
    else if (out->address_size == 2)
        decode_rm16(d, out);
    else
        decode_rm32(d, out);
}

/* The register of ModRM.reg; of the byte registers 4-7 are AH, CH, DH, BH unless there is a REX prefix. */
static struct operand reg_operand(const struct decoder *d, unsigned int size)
{
    unsigned int reg = (d->modrm >> 3) & 7;
    if (size == 1 && reg >= 4 && !d->rex)
        return (struct operand){OPERAND_HIGH, (uint8_t)(reg - 4)};
    return (struct operand){OPERAND_REG, (uint8_t)(reg | ((d->rex & REX_R) ? 8u : 0u))};
}

static void decode_string(enum form form, struct insn *out)
{
    const struct operand mem = {OPERAND_MEM, 0}, acc = {OPERAND_REG, GPR_RAX};
    out->dst = form == FORM_STRING_LOAD ? acc : mem;
    out->src = form == FORM_STRING_STORE ? acc : mem;
}

static void decode_operands(struct decoder *d, const struct opcode *opcode, struct insn *out)
{
    const struct operand mem = {OPERAND_MEM, 0}, acc = {OPERAND_REG, GPR_RAX}, imm = {OPERAND_IMM, 0};

    switch ((enum form)opcode->form) {
    case FORM_RM_R:
        decode_rm(d, out);
        out->dst = mem;
        out->src = reg_operand(d, out->size);
        break;
    case FORM_R_RM:
        decode_rm(d, out);
        out->dst = reg_operand(d, out->size);
        out->src = mem;
        break;
    case FORM_RM_IMM:
    case FORM_RM_IMM8:
        decode_rm(d, out);
        out->dst = mem;
        out->src = imm;
        out->imm = fetch_signed(d, opcode->form == FORM_RM_IMM8 ? 1u : out->size == 8 ? 4u : out->size);
        break;
    case FORM_RM:
        decode_rm(d, out);
        out->dst = mem;
        break;
    case FORM_ACC_MOFFS:
    case FORM_MOFFS_ACC:
        out->disp = fetch_signed(d, out->address_size);
        out->dst = opcode->form == FORM_ACC_MOFFS ? acc : mem;
        out->src = opcode->form == FORM_ACC_MOFFS ? mem : acc;
        break;
    case FORM_STRING_LOAD:
    case FORM_STRING_STORE:
    case FORM_STRING_MOVE:
        decode_string((enum form)opcode->form, out);
        out->rep = d->repeat_prefix;
        break;
    case FORM_NONE:
    case FORM_GROUP:
        fail(d, DECODE_UNKNOWN);
        break;
    }
}

enum decode_result decode(const uint8_t *bytes, size_t n, unsigned int mode, struct insn *out)
{
    struct decoder d = {.bytes = bytes, .n = n, .mode = mode, .override = INSN_NO_REG};

    memset(out, 0, sizeof(*out));
    out->base = out->index = INSN_NO_REG;
    out->scale = 1;
    out->seg = SEG_DS;

    decode_prefixes(&d, out);
    const struct opcode *opcode = decode_opcode(&d);
    if (opcode->only64 && mode != 64)
        fail(&d, DECODE_UNKNOWN);
    out->op = opcode->op;
    decode_sizes(&d, opcode, out);
    decode_operands(&d, opcode, out);
    if (d.override != INSN_NO_REG)
        out->seg = d.override;
    out->length = (uint8_t)d.pos;
    if (out->lock && !opcode->lockable)
        fail(&d, DECODE_INVALID);
    return d.result;
}
