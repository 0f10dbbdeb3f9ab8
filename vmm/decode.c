#include "vmm/decode.h"

#include "vmm/backend.h"
#include "vmm/decode_table.h"
#include "vmm/string.h"
#include "vmm/vcpu.h"

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
    uint8_t repeat;   /* the last of F2h and F3h */
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
        d->repeat = byte;
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
    const struct opcode *map = decode_one_byte;
    uint8_t byte = fetch(d);
    if (byte == 0x0f) {
        map = decode_two_byte;
        byte = fetch(d);
    }
    const struct opcode *opcode = &map[byte];
    if (opcode->form == FORM_GROUP)
        opcode = &decode_groups[opcode->op][(modrm(d) >> 3) & 7];
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
        out->size = small && !opcode->no16 ? 2 : 4;
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

static struct operand rm_register(const struct decoder *d)
{
    return (struct operand){OPERAND_REG, (uint8_t)((d->modrm & 7u) | ((d->rex & REX_B) ? 8u : 0u))};
}

/* MOV to and from control registers: both operands are registers whatever ModRM.mod says (vol. 2, MOV). */
static void decode_cr(struct decoder *d, enum form form, struct insn *out)
{
    const unsigned int number = (modrm(d) >> 3) & 7u;
    const struct operand cr = {OPERAND_CR, (uint8_t)(number | ((d->rex & REX_R) ? 8u : 0u))};
    out->dst = form == FORM_CR_LOAD ? cr : rm_register(d);
    out->src = form == FORM_CR_LOAD ? rm_register(d) : cr;
    out->size = out->source_size = d->mode == 64 ? 8 : 4;
}

/* LMSW and SMSW: 16 bits, but for a register that is stored to. */
static void decode_msw(struct decoder *d, enum form form, struct insn *out)
{
    const struct operand mem = {OPERAND_MEM, 0};
    const bool is_register = modrm(d) >> 6 == 3;
    if (!is_register)
        decode_rm(d, out);
    if (!is_register || form == FORM_MSW_LOAD)
        out->size = out->source_size = 2;
    struct operand *operand = form == FORM_MSW_LOAD ? &out->src : &out->dst;
    *operand = is_register ? rm_register(d) : mem;
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
    case FORM_PLAIN:
        break;
    case FORM_PLAIN_1:
        if ((modrm(d) & 0xc7) != 0xc1)
            fail(d, DECODE_UNKNOWN);
        break;
    case FORM_CR_LOAD:
    case FORM_CR_STORE:
        decode_cr(d, (enum form)opcode->form, out);
        break;
    case FORM_MSW_LOAD:
    case FORM_MSW_STORE:
        decode_msw(d, (enum form)opcode->form, out);
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
    if (out->op == OP_PAUSE && (d.repeat != 0xf3 || (d.rex & REX_B))) /* NOP, or XCHG with R8 */
        fail(&d, DECODE_UNKNOWN);
    return d.result;
}
