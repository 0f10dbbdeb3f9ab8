/* libraries: capstone */
/* The instruction decoder against capstone: length, operation, operands, memory address; and what we refuse
 * and capstone takes must be one of the refusals named below. SDM vol. 2, chapter 2 and appendix A. */
#include <capstone/capstone.h>

#include "tests/fuzz/decode_differences.h"
#include "tests/fuzz/bytes.h"
#include "vmm/backend.h"
#include "vmm/decode.h"
#include "vmm/vcpu.h"

static const struct meaning {
    unsigned int ids[4]; /* capstone's, one for each operand size where it has one for each */
} meanings[INSN_OPS] = {
    [OP_MOV] = {{X86_INS_MOV, X86_INS_MOVABS, X86_INS_MOVNTI}},
    [OP_MOVZX] = {{X86_INS_MOVZX}},
    [OP_MOVSX] = {{X86_INS_MOVSX, X86_INS_MOVSXD}},
    [OP_STOS] = {{X86_INS_STOSB, X86_INS_STOSW, X86_INS_STOSD, X86_INS_STOSQ}},
    [OP_LODS] = {{X86_INS_LODSB, X86_INS_LODSW, X86_INS_LODSD, X86_INS_LODSQ}},
    [OP_MOVS] = {{X86_INS_MOVSB, X86_INS_MOVSW, X86_INS_MOVSD, X86_INS_MOVSQ}},
    [OP_ADD] = {{X86_INS_ADD}},
    [OP_OR] = {{X86_INS_OR}},
    [OP_ADC] = {{X86_INS_ADC}},
    [OP_SBB] = {{X86_INS_SBB}},
    [OP_AND] = {{X86_INS_AND}},
    [OP_SUB] = {{X86_INS_SUB}},
    [OP_XOR] = {{X86_INS_XOR}},
    [OP_CMP] = {{X86_INS_CMP}},
    [OP_TEST] = {{X86_INS_TEST}},
    [OP_NOT] = {{X86_INS_NOT}},
    [OP_NEG] = {{X86_INS_NEG}},
    [OP_INC] = {{X86_INS_INC}},
    [OP_DEC] = {{X86_INS_DEC}},
    [OP_XCHG] = {{X86_INS_XCHG}},
    [OP_BT] = {{X86_INS_BT}},
    [OP_BTS] = {{X86_INS_BTS}},
    [OP_BTR] = {{X86_INS_BTR}},
    [OP_BTC] = {{X86_INS_BTC}},
    [OP_INS] = {{X86_INS_INSB, X86_INS_INSW, X86_INS_INSD}},
    [OP_OUTS] = {{X86_INS_OUTSB, X86_INS_OUTSW, X86_INS_OUTSD}},
    [OP_HLT] = {{X86_INS_HLT}},
    [OP_CPUID] = {{X86_INS_CPUID}},
    [OP_PAUSE] = {{X86_INS_PAUSE}},
    [OP_RDTSC] = {{X86_INS_RDTSC}},
    [OP_RDTSCP] = {{X86_INS_RDTSCP}},
    [OP_RDMSR] = {{X86_INS_RDMSR}},
    [OP_WRMSR] = {{X86_INS_WRMSR}},
    [OP_XSETBV] = {{X86_INS_XSETBV}},
    [OP_VMMCALL] = {{X86_INS_VMMCALL}},
    [OP_INVD] = {{X86_INS_INVD}},
    [OP_WBINVD] = {{X86_INS_WBINVD}},
    [OP_CLTS] = {{X86_INS_CLTS}},
    [OP_LMSW] = {{X86_INS_LMSW}},
    [OP_SMSW] = {{X86_INS_SMSW}},
    [OP_MOV_FROM_CR] = {{X86_INS_MOV}},
    [OP_MOV_TO_CR] = {{X86_INS_MOV}},
};

/* capstone's registers of one general register: 8, 16, 32, 64 bits; the last column is bits 15:8. */
static const unsigned int gpr_names[GPRS][5] = {
    {X86_REG_AL, X86_REG_AX, X86_REG_EAX, X86_REG_RAX, X86_REG_AH},
    {X86_REG_CL, X86_REG_CX, X86_REG_ECX, X86_REG_RCX, X86_REG_CH},
    {X86_REG_DL, X86_REG_DX, X86_REG_EDX, X86_REG_RDX, X86_REG_DH},
    {X86_REG_BL, X86_REG_BX, X86_REG_EBX, X86_REG_RBX, X86_REG_BH},
    {X86_REG_SPL, X86_REG_SP, X86_REG_ESP, X86_REG_RSP, 0},
    {X86_REG_BPL, X86_REG_BP, X86_REG_EBP, X86_REG_RBP, 0},
    {X86_REG_SIL, X86_REG_SI, X86_REG_ESI, X86_REG_RSI, 0},
    {X86_REG_DIL, X86_REG_DI, X86_REG_EDI, X86_REG_RDI, 0},
    {X86_REG_R8B, X86_REG_R8W, X86_REG_R8D, X86_REG_R8, 0},
    {X86_REG_R9B, X86_REG_R9W, X86_REG_R9D, X86_REG_R9, 0},
    {X86_REG_R10B, X86_REG_R10W, X86_REG_R10D, X86_REG_R10, 0},
    {X86_REG_R11B, X86_REG_R11W, X86_REG_R11D, X86_REG_R11, 0},
    {X86_REG_R12B, X86_REG_R12W, X86_REG_R12D, X86_REG_R12, 0},
    {X86_REG_R13B, X86_REG_R13W, X86_REG_R13D, X86_REG_R13, 0},
    {X86_REG_R14B, X86_REG_R14W, X86_REG_R14D, X86_REG_R14, 0},
    {X86_REG_R15B, X86_REG_R15W, X86_REG_R15D, X86_REG_R15, 0},
};

static csh handles[3];
static cs_insn *theirs;

static unsigned int column(unsigned int size)
{
    return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

static bool same_operation(unsigned int op, unsigned int id)
{
    for (unsigned int i = 0; i < 4; i++)
        if (meanings[op].ids[i] && meanings[op].ids[i] == id)
            return true;
    return false;
}

static bool is_string(const struct insn *insn)
{
    return (insn->op >= OP_STOS && insn->op <= OP_MOVS) || insn->op == OP_INS || insn->op == OP_OUTS;
}

static unsigned int register_name(struct operand operand, unsigned int size)
{
    return gpr_names[operand.reg][operand.kind == OPERAND_HIGH ? 4 : column(size)];
}

/* What we say of the operand is what capstone says. */
static void compare_memory(const struct insn *insn, const cs_x86_op *op)
{
    const x86_op_mem *mem = &op->mem;
    unsigned int wide = column(insn->address_size);
    unsigned int base = insn->base == INSN_NO_REG ? X86_REG_INVALID : gpr_names[insn->base][wide];
    unsigned int index = insn->index == INSN_NO_REG ? X86_REG_INVALID : gpr_names[insn->index][wide];
    uint64_t mask = insn->address_size == 8 ? UINT64_MAX : (1ull << (8 * insn->address_size)) - 1;

    if (insn->rip_relative)
        base = insn->address_size == 8 ? X86_REG_RIP : X86_REG_EIP;
    CHECK(mem->base == base, "base %u, capstone says %u", base, mem->base);
    /* riz and eiz: a SIB byte without an index */
    CHECK(mem->index == index ||
              (index == X86_REG_INVALID && (mem->index == X86_REG_RIZ || mem->index == X86_REG_EIZ)),
          "index %u, capstone says %u", index, mem->index);
    if (index != X86_REG_INVALID)
        CHECK((unsigned int)mem->scale == insn->scale, "scale %u, capstone says %d", insn->scale, mem->scale);
    CHECK(((uint64_t)mem->disp & mask) == (insn->disp & mask), "displacement %llx, capstone says %llx",
          (unsigned long long)insn->disp, (unsigned long long)mem->disp);
}

static void compare_segment(const struct insn *insn, const cs_x86_op *op, unsigned int mode)
{
    static const unsigned int segments[] = {
        [SEG_ES] = X86_REG_ES, [SEG_CS] = X86_REG_CS, [SEG_SS] = X86_REG_SS,
        [SEG_DS] = X86_REG_DS, [SEG_FS] = X86_REG_FS, [SEG_GS] = X86_REG_GS};

    /* capstone names a segment only where a prefix does, those that count for nothing in 64-bit mode too. */
    if (op->mem.segment != X86_REG_INVALID &&
        (mode != 64 || op->mem.segment == X86_REG_FS || op->mem.segment == X86_REG_GS))
        CHECK(op->mem.segment == segments[insn->seg], "segment %u, capstone says %u", insn->seg,
              op->mem.segment);
}

static void compare_operand(const struct insn *insn, struct operand operand, unsigned int size,
                            const cs_x86_op *op, unsigned int mode)
{
    uint64_t mask = insn->size == 8 ? UINT64_MAX : (1ull << (8 * insn->size)) - 1;

    switch (operand.kind) {
    case OPERAND_MEM:
        CHECK(op->type == X86_OP_MEM, "memory, capstone says %d", op->type);
        CHECK(op->size == size, "size %u, capstone says %u", size, op->size);
        compare_memory(insn, op);
        compare_segment(insn, op, mode);
        break;
    case OPERAND_REG:
    case OPERAND_HIGH:
        CHECK(op->type == X86_OP_REG && op->reg == register_name(operand, size),
              "register %u, capstone says %u", register_name(operand, size), op->reg);
        break;
    case OPERAND_IMM:
        if (insn->op >= OP_BT && insn->op <= OP_BTC) /* capstone does not extend the bit's number */
            mask = 0xff;
        CHECK(op->type == X86_OP_IMM && ((uint64_t)op->imm & mask) == (insn->imm & mask),
              "immediate %llx, capstone says %llx", (unsigned long long)insn->imm,
              (unsigned long long)op->imm);
        break;
    case OPERAND_CR:
        CHECK(op->type == X86_OP_REG && op->reg == X86_REG_CR0 + operand.reg, "cr%u, capstone says %u",
              operand.reg, op->reg);
        break;
    default:
        break;
    }
}

/* The string instructions' operands are implied: their sizes and the source's segment can be wrong. */
static void compare_string(const struct insn *insn, const cs_x86 *x, unsigned int mode)
{
    for (unsigned int i = 0; i < x->op_count; i++) {
        const cs_x86_op *op = &x->operands[i];
        if (op->type != X86_OP_MEM)
            continue;
        CHECK(op->size == insn->size, "size %u, capstone says %u", insn->size, op->size);
        if (op->mem.base != gpr_names[GPR_RDI][column(insn->address_size)])
            compare_segment(insn, op, mode);
    }
}

/* capstone calls PAUSE a NOP with its prefix twice, and with REX.W an exchange of RAX with itself. */
static bool is_nop(const cs_insn *cs)
{
    const cs_x86 *x = &cs->detail->x86;

    return cs->id == X86_INS_NOP ||
           (cs->id == X86_INS_XCHG && x->op_count == 2 && x->operands[0].reg == x->operands[1].reg);
}

static void compare(const struct insn *insn, const cs_insn *cs, unsigned int mode)
{
    const cs_x86 *x = &cs->detail->x86;

    CHECK(cs->size == insn->length, "length %u, capstone says %u (%s %s)", insn->length, cs->size,
          cs->mnemonic, cs->op_str);
    CHECK(same_operation(insn->op, cs->id) || (insn->op == OP_PAUSE && is_nop(cs)),
          "operation %u, capstone says %s", insn->op, cs->mnemonic);
    if (is_string(insn)) {
        compare_string(insn, x, mode);
        return;
    }
    unsigned int at = 0;
    if (insn->dst.kind != OPERAND_NONE && x->op_count > at)
        compare_operand(insn, insn->dst, insn->size, &x->operands[at++], mode);
    if (insn->src.kind != OPERAND_NONE && x->op_count > at)
        compare_operand(insn, insn->src, insn->source_size, &x->operands[at], mode);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};

    (void)argc;
    (void)argv;
    for (unsigned int i = 0; i < 3; i++) {
        CHECK(cs_open(CS_ARCH_X86, modes[i], &handles[i]) == CS_ERR_OK, "cs_open");
        cs_option(handles[i], CS_OPT_DETAIL, CS_OPT_ON);
    }
    theirs = cs_malloc(handles[0]);
    return 0;
}

static bool is_ours(unsigned int id)
{
    for (unsigned int op = 0; op < INSN_OPS; op++)
        if (same_operation(op, id))
            return true;
    return false;
}

static bool has_memory(const cs_x86 *x)
{
    for (unsigned int i = 0; i < x->op_count; i++)
        if (x->operands[i].type == X86_OP_MEM)
            return true;
    return false;
}

/* capstone's answer is in `theirs` if `known`. */
static void judge(const uint8_t *code, size_t n, unsigned int mode, enum decode_result result,
                  const struct insn *insn, bool known)
{
    struct prefixes p = prefixes_of(code, n, mode);

    if (result == DECODE_OK) {
        CHECK(insn->length > 0 && insn->length <= INSN_MAX_LENGTH && insn->length <= n, "length %u of %zu",
              insn->length, n);
        CHECK(insn->op < INSN_OPS, "operation %u", insn->op);
        CHECK(known || they_refuse(&p), "capstone knows no such instruction");
        if (known && !theirs_is_wrong(&p, insn))
            compare(insn, theirs, mode);
    } else if (known) {
        bool memory = has_memory(&theirs->detail->x86);
        CHECK(we_refuse(&p, result, is_ours(theirs->id), memory, theirs), "refused (%d), capstone says %s %s",
              result, theirs->mnemonic, theirs->op_str);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned int modes[] = {16, 32, 64};
    struct bytes in = {data, size};
    unsigned int mode = take8(&in) % 3;
    size_t n = in.left < INSN_MAX_LENGTH + 2 ? in.left : INSN_MAX_LENGTH + 2, left = n;
    uint8_t *exact = malloc(n ? n : 1); /* ASan sees a read behind its end */
    const uint8_t *at = exact;
    struct insn insn;
    uint64_t address = 0;

    CHECK(exact, "no memory");
    memcpy(exact, in.data, n);
    enum decode_result result = decode(exact, n, modes[mode], &insn);
    bool known = cs_disasm_iter(handles[mode], &at, &left, &address, theirs);
    judge(exact, n, modes[mode], result, &insn, known);
    free(exact);
    return 0;
}
