/* The instruction decoder: SDM vol. 2, chapter 2 (instruction format) and appendix A (opcode maps). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/backend.h"
#include "vmm/decode.h"
#include "vmm/vcpu.h"

#define NONE INSN_NO_REG

struct expected {
    unsigned int mode;
    uint8_t bytes[INSN_MAX_LENGTH];
    uint8_t length, op, size, source_size, address_size;
    struct operand dst, src;
    uint8_t seg, base, index, scale;
    int64_t disp;
    uint64_t imm;
};

#define MEM                                                                                                  \
    {                                                                                                        \
        OPERAND_MEM, 0                                                                                       \
    }
#define REG(r)                                                                                               \
    {                                                                                                        \
        OPERAND_REG, r                                                                                       \
    }
#define HIGH(r)                                                                                              \
    {                                                                                                        \
        OPERAND_HIGH, r                                                                                      \
    }
#define IMM                                                                                                  \
    {                                                                                                        \
        OPERAND_IMM, 0                                                                                       \
    }

static const struct expected cases[] = {
    /* mov %eax,(%rdi) */
    {64, {0x89, 0x07}, 2, OP_MOV, 4, 4, 8, MEM, REG(GPR_RAX), SEG_DS, GPR_RDI, NONE, 1, 0, 0},
    /* mov %ah,(%rdi), and with REX the same number is SPL */
    {64, {0x88, 0x27}, 2, OP_MOV, 1, 1, 8, MEM, HIGH(GPR_RAX), SEG_DS, GPR_RDI, NONE, 1, 0, 0},
    {64, {0x40, 0x88, 0x27}, 3, OP_MOV, 1, 1, 8, MEM, REG(GPR_RSP), SEG_DS, GPR_RDI, NONE, 1, 0, 0},
    /* mov 0x20(%r13,%r12,8),%r9 */
    {64,
     {0x4f, 0x8b, 0x4c, 0xe5, 0x20},
     5,
     OP_MOV,
     8,
     8,
     8,
     REG(GPR_R9),
     MEM,
     SEG_DS,
     GPR_R13,
     GPR_R12,
     8,
     0x20,
     0},
    /* mov -4(%rbp),%cx: the stack segment by default */
    {64, {0x66, 0x8b, 0x4d, 0xfc}, 4, OP_MOV, 2, 2, 8, REG(GPR_RCX), MEM, SEG_SS, GPR_RBP, NONE, 1, -4, 0},
    /* mov %gs:0x10,%eax (SIB without base and index) */
    {64,
     {0x65, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0},
     8,
     OP_MOV,
     4,
     4,
     8,
     REG(GPR_RAX),
     MEM,
     SEG_GS,
     NONE,
     NONE,
     1,
     0x10,
     0},
    /* cs prefix in 64-bit mode: ignored */
    {64, {0x2e, 0x89, 0x07}, 3, OP_MOV, 4, 4, 8, MEM, REG(GPR_RAX), SEG_DS, GPR_RDI, NONE, 1, 0, 0},
    /* movl $0xffffffff,(%rax); movq sign-extends */
    {64,
     {0xc7, 0x00, 0xff, 0xff, 0xff, 0xff},
     6,
     OP_MOV,
     4,
     4,
     8,
     MEM,
     IMM,
     SEG_DS,
     GPR_RAX,
     NONE,
     1,
     0,
     UINT64_MAX},
    {64,
     {0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff},
     7,
     OP_MOV,
     8,
     8,
     8,
     MEM,
     IMM,
     SEG_DS,
     GPR_RAX,
     NONE,
     1,
     0,
     UINT64_MAX - 1},
    {64, {0xc6, 0x40, 0x01, 0x7f}, 4, OP_MOV, 1, 1, 8, MEM, IMM, SEG_DS, GPR_RAX, NONE, 1, 1, 0x7f},
    /* movabs 0x1122334455667788,%al; mov %eax,moffs in 32-bit mode */
    {64,
     {0xa0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11},
     9,
     OP_MOV,
     1,
     1,
     8,
     REG(GPR_RAX),
     MEM,
     SEG_DS,
     NONE,
     NONE,
     1,
     0x1122334455667788,
     0},
    {32,
     {0xa3, 0x00, 0x00, 0xe0, 0xfe},
     5,
     OP_MOV,
     4,
     4,
     4,
     MEM,
     REG(GPR_RAX),
     SEG_DS,
     NONE,
     NONE,
     1,
     -0x1200000,
     0},
    /* movzbl (%rsi),%eax; movswq; movslq */
    {64, {0x0f, 0xb6, 0x06}, 3, OP_MOVZX, 4, 1, 8, REG(GPR_RAX), MEM, SEG_DS, GPR_RSI, NONE, 1, 0, 0},
    {64, {0x48, 0x0f, 0xbf, 0x06}, 4, OP_MOVSX, 8, 2, 8, REG(GPR_RAX), MEM, SEG_DS, GPR_RSI, NONE, 1, 0, 0},
    {64, {0x48, 0x63, 0x06}, 3, OP_MOVSX, 8, 4, 8, REG(GPR_RAX), MEM, SEG_DS, GPR_RSI, NONE, 1, 0, 0},
    /* lock orl $1,8(%rax); testb; notl; incw */
    {64, {0xf0, 0x83, 0x48, 0x08, 0x01}, 5, OP_OR, 4, 4, 8, MEM, IMM, SEG_DS, GPR_RAX, NONE, 1, 8, 1},
    {64,
     {0xf6, 0x00, 0x80},
     3,
     OP_TEST,
     1,
     1,
     8,
     MEM,
     IMM,
     SEG_DS,
     GPR_RAX,
     NONE,
     1,
     0,
     0xffffffffffffff80ull},
    {64, {0xf7, 0x10}, 2, OP_NOT, 4, 4, 8, MEM, {0}, SEG_DS, GPR_RAX, NONE, 1, 0, 0},
    {64, {0x66, 0xff, 0x00}, 3, OP_INC, 2, 2, 8, MEM, {0}, SEG_DS, GPR_RAX, NONE, 1, 0, 0},
    /* xchg %ecx,(%rdx); btsl $5,(%rax); bt %eax,(%rax) */
    {64, {0x87, 0x0a}, 2, OP_XCHG, 4, 4, 8, MEM, REG(GPR_RCX), SEG_DS, GPR_RDX, NONE, 1, 0, 0},
    {64, {0x0f, 0xba, 0x28, 0x05}, 4, OP_BTS, 4, 4, 8, MEM, IMM, SEG_DS, GPR_RAX, NONE, 1, 0, 5},
    {64, {0x0f, 0xa3, 0x00}, 3, OP_BT, 4, 4, 8, MEM, REG(GPR_RAX), SEG_DS, GPR_RAX, NONE, 1, 0, 0},
    /* 16-bit addressing: mov %al,0x10(%bp,%di); disp16 alone; an operand and address prefix */
    {16, {0x88, 0x43, 0x10}, 3, OP_MOV, 1, 1, 2, MEM, REG(GPR_RAX), SEG_SS, GPR_RBP, GPR_RDI, 1, 0x10, 0},
    {16, {0x8b, 0x0e, 0x34, 0x12}, 4, OP_MOV, 2, 2, 2, REG(GPR_RCX), MEM, SEG_DS, NONE, NONE, 1, 0x1234, 0},
    {16,
     {0x66, 0x67, 0x26, 0x89, 0x18},
     5,
     OP_MOV,
     4,
     4,
     4,
     MEM,
     REG(GPR_RBX),
     SEG_ES,
     GPR_RAX,
     NONE,
     1,
     0,
     0},
    /* rep stosb, movsw with an override, rep insl, outsb */
    {64, {0xf3, 0xaa}, 2, OP_STOS, 1, 1, 8, MEM, REG(GPR_RAX), SEG_DS, NONE, NONE, 1, 0, 0},
    {16, {0x2e, 0xa5}, 2, OP_MOVS, 2, 2, 2, MEM, MEM, SEG_CS, NONE, NONE, 1, 0, 0},
    {64, {0xf3, 0x48, 0x6d}, 3, OP_INS, 4, 4, 8, MEM, REG(GPR_RAX), SEG_DS, NONE, NONE, 1, 0, 0},
    {32, {0x6e}, 1, OP_OUTS, 1, 1, 4, REG(GPR_RAX), MEM, SEG_DS, NONE, NONE, 1, 0, 0},
};

static void same_operand(const struct operand *a, const struct operand *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->reg, b->reg);
}

static void decodes_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct expected *e = &cases[i];
        struct insn insn;

        print_message("case %zu\n", i);
        assert_int_equal(decode(e->bytes, INSN_MAX_LENGTH, e->mode, &insn), DECODE_OK);
        assert_int_equal(insn.length, e->length);
        assert_int_equal(insn.op, e->op);
        assert_int_equal(insn.size, e->size);
        assert_int_equal(insn.source_size, e->source_size);
        assert_int_equal(insn.address_size, e->address_size);
        same_operand(&insn.dst, &e->dst);
        same_operand(&insn.src, &e->src);
        assert_int_equal(insn.seg, e->seg);
        assert_int_equal(insn.base, e->base);
        assert_int_equal(insn.index, e->index);
        assert_int_equal(insn.scale, e->scale);
        assert_true(insn.disp == (uint64_t)e->disp);
        assert_true(insn.imm == e->imm);
    }
}

/* SDM vol. 2, 2.2.1.6: with mod 0, r/m 5 is RIP-relative in 64-bit mode only. */
static void rip_relative_in_64_bit_mode_only(void **state)
{
    const uint8_t code[] = {0x8b, 0x05, 0x10, 0, 0, 0};
    struct insn insn;

    (void)state;
    assert_int_equal(decode(code, sizeof code, 64, &insn), DECODE_OK);
    assert_true(insn.rip_relative);
    assert_int_equal(decode(code, sizeof code, 32, &insn), DECODE_OK);
    assert_false(insn.rip_relative);
}

/* SDM vol. 2, LOCK: #UD unless the destination is memory of one of the listed instructions. */
static void lock_only_where_it_is_allowed(void **state)
{
    const uint8_t mov[] = {0xf0, 0x89, 0x07}, cmp[] = {0xf0, 0x39, 0x07}, load[] = {0xf0, 0x03, 0x07},
                  add[] = {0xf0, 0x01, 0x07};
    struct insn insn;

    (void)state;
    assert_int_equal(decode(mov, sizeof mov, 64, &insn), DECODE_INVALID);
    assert_int_equal(decode(cmp, sizeof cmp, 64, &insn), DECODE_INVALID);
    assert_int_equal(decode(load, sizeof load, 64, &insn), DECODE_INVALID);
    assert_int_equal(decode(add, sizeof add, 64, &insn), DECODE_OK);
    assert_true(insn.lock);
}

/* Register operands, and what is not in the table: not ours. A REX prefix before a legacy one does not count
 * (2.2.1). */
static void refuses_what_it_does_not_know(void **state)
{
    const uint8_t reg[] = {0x89, 0xc7}, fxsave[] = {0x0f, 0xae, 0x07}, call[] = {0xff, 0x17},
                  arpl[] = {0x63, 0x06}, stale_rex[] = {0x48, 0x66, 0x89, 0x07};
    struct insn insn;

    (void)state;
    assert_int_equal(decode(reg, sizeof reg, 64, &insn), DECODE_UNKNOWN);
    assert_int_equal(decode(fxsave, sizeof fxsave, 64, &insn), DECODE_UNKNOWN);
    assert_int_equal(decode(call, sizeof call, 64, &insn), DECODE_UNKNOWN);
    assert_int_equal(decode(arpl, sizeof arpl, 32, &insn), DECODE_UNKNOWN);
    assert_int_equal(decode(stale_rex, sizeof stale_rex, 64, &insn), DECODE_OK);
    assert_int_equal(insn.size, 2);
}

/* SDM vol. 2, MOVNTI: m32 or m64, in 16-bit code too. */
static void movnti_has_no_16_bit_operand(void **state)
{
    const uint8_t movnti[] = {0x0f, 0xc3, 0x07}, wide[] = {0x48, 0x0f, 0xc3, 0x07};
    struct insn insn;

    (void)state;
    assert_int_equal(decode(movnti, sizeof movnti, 16, &insn), DECODE_OK);
    assert_int_equal(insn.size, 4);
    assert_int_equal(decode(movnti, sizeof movnti, 32, &insn), DECODE_OK);
    assert_int_equal(insn.size, 4);
    assert_int_equal(decode(wide, sizeof wide, 64, &insn), DECODE_OK);
    assert_int_equal(insn.size, 8);
}

/* SDM vol. 2, PAUSE and XCHG: F3 90 whatever other prefixes say, but R8 makes an exchange of 90h, which is
 * none of ours; and without F3h it is a NOP. */
static void pause_is_a_nop_with_its_prefix(void **state)
{
    static const uint8_t plain[] = {0xf3, 0x90}, wide[] = {0xf3, 0x48, 0x90}, twice[] = {0xf3, 0xf3, 0x90};
    static const uint8_t exchange[] = {0xf3, 0x41, 0x90}, nop[] = {0x48, 0x90};
    struct insn insn;

    (void)state;
    assert_int_equal(decode(plain, sizeof plain, 16, &insn), DECODE_OK);
    assert_true(insn.op == OP_PAUSE && insn.length == 2);
    assert_int_equal(decode(wide, sizeof wide, 64, &insn), DECODE_OK);
    assert_true(insn.op == OP_PAUSE && insn.length == 3);
    assert_int_equal(decode(twice, sizeof twice, 32, &insn), DECODE_OK);
    assert_true(insn.op == OP_PAUSE && insn.length == 3);
    assert_int_equal(decode(exchange, sizeof exchange, 64, &insn), DECODE_UNKNOWN);
    assert_int_equal(decode(nop, sizeof nop, 64, &insn), DECODE_UNKNOWN);
}

/* SDM vol. 2, MOV to and from control registers: 64 bits in 64-bit mode, else 32, whatever the prefixes say.
 */
static void control_registers_have_one_size(void **state)
{
    const uint8_t load[] = {0x66, 0x0f, 0x22, 0xd8};
    struct insn insn;

    (void)state;
    assert_int_equal(decode(load, sizeof load, 32, &insn), DECODE_OK);
    assert_int_equal(insn.size, 4);
    assert_int_equal(insn.source_size, 4);
    assert_int_equal(decode(load, sizeof load, 64, &insn), DECODE_OK);
    assert_int_equal(insn.size, 8);
    assert_int_equal(insn.source_size, 8);
}

/* SDM vol. 3, 6.15, #GP: "attempting to execute an instruction longer than 15 bytes". */
static void fifteen_bytes_and_no_more(void **state)
{
    uint8_t code[20];
    struct insn insn;

    (void)state;
    memset(code, 0x66, sizeof code);
    assert_int_equal(decode(code, sizeof code, 64, &insn), DECODE_TOO_LONG);
    code[13] = 0x89;
    code[14] = 0x07;
    assert_int_equal(decode(code, 15, 64, &insn), DECODE_OK);
    assert_int_equal(insn.length, 15);
    code[13] = 0x66;
    code[14] = 0x89;
    code[15] = 0x07;
    assert_int_equal(decode(code, sizeof code, 64, &insn), DECODE_TOO_LONG);
}

/* Every prefix of every case: more bytes are asked for, and (under ASan) none beyond the end is read. */
static void cut_off_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t n = 0; n < cases[i].length; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            struct insn insn;

            memcpy(exact, cases[i].bytes, n);
            assert_int_equal(decode(exact, n, cases[i].mode, &insn), DECODE_MORE);
            free(exact);
        }
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*seed >> 33);
}

/* ---- objdump as the referee: the same length, and a mnemonic that fits ---- */

#define SLOTS 4000u
#define SLOT  16u

static const char *const mnemonics[INSN_OPS] = {
    [OP_MOV] = "mov",
    [OP_MOVZX] = "movz",
    [OP_MOVSX] = "movs",
    [OP_STOS] = "stos",
    [OP_LODS] = "lods",
    [OP_MOVS] = "movs",
    [OP_ADD] = "add",
    [OP_OR] = "or",
    [OP_ADC] = "adc",
    [OP_SBB] = "sbb",
    [OP_AND] = "and",
    [OP_SUB] = "sub",
    [OP_XOR] = "xor",
    [OP_CMP] = "cmp",
    [OP_TEST] = "test",
    [OP_NOT] = "not",
    [OP_NEG] = "neg",
    [OP_INC] = "inc",
    [OP_DEC] = "dec",
    [OP_XCHG] = "xchg",
    [OP_BT] = "bt",
    [OP_BTS] = "bts",
    [OP_BTR] = "btr",
    [OP_BTC] = "btc",
    [OP_INS] = "ins",
    [OP_OUTS] = "outs",
    [OP_HLT] = "hlt",
    [OP_PAUSE] = "pause",
    [OP_CPUID] = "cpuid",
    [OP_RDTSC] = "rdtsc",
    [OP_RDTSCP] = "rdtscp",
    [OP_RDMSR] = "rdmsr",
    [OP_WRMSR] = "wrmsr",
    [OP_XSETBV] = "xsetbv",
    [OP_INVD] = "invd",
    [OP_WBINVD] = "wb",
    /* wbinvd, wbnoinvd */[OP_CLTS] = "clts",
    [OP_LMSW] = "lmsw",
    [OP_SMSW] = "smsw",
    [OP_MOV_FROM_CR] = "mov",
    [OP_MOV_TO_CR] = "mov",
    [OP_VMMCALL] = "vmmcall",
};

/* Prefixes are rare in code and common here. */
static void random_bytes(uint64_t *seed, uint8_t bytes[INSN_MAX_LENGTH])
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0x2e, 0x64, 0xf0, 0xf3, 0x48, 0x41, 0x4f, 0x0f};

    for (unsigned int i = 0; i < INSN_MAX_LENGTH; i++)
        bytes[i] = (uint8_t)next_random(seed);
    if (next_random(seed) % 2)
        bytes[0] = prefixes[next_random(seed) % sizeof prefixes];
}

/* objdump shows a REX prefix that does not count as an instruction of its own. */
static bool has_stale_rex(const uint8_t *bytes, unsigned int length)
{
    for (unsigned int i = 0; i + 1 < length; i++)
        if ((bytes[i] & 0xf0) == 0x40 &&
            (memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", bytes[i + 1], 11) ||
             (bytes[i + 1] & 0xf0) == 0x40))
            return true;
    return false;
}

/* Each decoded instruction in a slot of its own, filled up with NOPs: a wrong length puts the next one
 * elsewhere. */
static void fill_slots(uint64_t seed, unsigned int mode, uint8_t *slots, struct insn *insns)
{
    memset(slots, 0x90, SLOTS * SLOT);
    for (unsigned int n = 0; n < SLOTS;) {
        uint8_t bytes[INSN_MAX_LENGTH];

        random_bytes(&seed, bytes);
        if (decode(bytes, sizeof bytes, mode, &insns[n]) != DECODE_OK)
            continue;
        if (mode == 64 && has_stale_rex(bytes, insns[n].length))
            continue;
        memcpy(slots + n * SLOT, bytes, insns[n].length);
        n++;
    }
}

/* Reads a line "  ADDRESS:\tHEX...\tTEXT" of objdump. */
static bool parse_line(char *line, unsigned long *address, char **text)
{
    char *end, *tab;

    *address = strtoul(line, &end, 16);
    if (end == line || *end != ':')
        return false;
    tab = strchr(end + 2, '\t');
    *text = tab ? tab + 1 : end;
    return true;
}

static void check_slots(FILE *listing, const struct insn *insns)
{
    char line[512], *text;
    unsigned long address;
    unsigned int checked = 0, slot = 0;
    bool expect_end = false;

    while (fgets(line, sizeof line, listing)) {
        if (!parse_line(line, &address, &text))
            continue;
        if (expect_end) {
            if (address != slot * SLOT + insns[slot].length)
                fail_msg("slot %u: length %u, objdump goes on at %lx", slot, insns[slot].length,
                         address - slot * SLOT);
            expect_end = false;
            checked++;
        }
        if (address % SLOT == 0) {
            slot = (unsigned int)(address / SLOT);
            expect_end = true;
            if (!strstr(text, mnemonics[insns[slot].op]))
                fail_msg("slot %u: op %u, objdump says %s", slot, insns[slot].op, text);
        }
    }
    assert_in_range(checked, SLOTS - 1, SLOTS);
}

static void objdump_agrees(unsigned int mode, const char *machine)
{
    static uint8_t slots[SLOTS * SLOT];
    static struct insn insns[SLOTS];
    char path[] = "/tmp/decodeXXXXXX", command[160];
    int fd;

    if (system("command -v objdump >/dev/null") != 0)
        skip();
    fill_slots(mode, mode, slots, insns);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, slots, sizeof slots), sizeof slots);
    close(fd);
    snprintf(command, sizeof command, "objdump -D -z -w -b binary -m %s %s", machine, path);
    FILE *listing = popen(command, "r");
    assert_non_null(listing);
    check_slots(listing, insns);
    assert_int_equal(pclose(listing), 0);
    unlink(path);
}

static void objdump_agrees_64(void **state)
{
    (void)state;
    objdump_agrees(64, "i386:x86-64");
}

static void objdump_agrees_32(void **state)
{
    (void)state;
    objdump_agrees(32, "i386");
}

static void objdump_agrees_16(void **state)
{
    (void)state;
    objdump_agrees(16, "i8086");
}

/* Any bytes at all: no read outside them, and never a length beyond them. */
static void random_bytes_are_harmless(void **state)
{
    uint64_t seed = 1;
    const unsigned int modes[] = {16, 32, 64};

    (void)state;
    for (unsigned int round = 0; round < 300000; round++) {
        size_t n = next_random(&seed) % 21;
        uint8_t *exact = malloc(n ? n : 1);
        struct insn insn;

        for (size_t i = 0; i < n; i++)
            exact[i] = (uint8_t)next_random(&seed);
        if (decode(exact, n, modes[round % 3], &insn) == DECODE_OK) {
            assert_in_range(insn.length, 1, n < INSN_MAX_LENGTH ? n : INSN_MAX_LENGTH);
            assert_true(insn.op < INSN_OPS);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_every_form),
        cmocka_unit_test(rip_relative_in_64_bit_mode_only),
        cmocka_unit_test(lock_only_where_it_is_allowed),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(movnti_has_no_16_bit_operand),
        cmocka_unit_test(pause_is_a_nop_with_its_prefix),
        cmocka_unit_test(control_registers_have_one_size),
        cmocka_unit_test(fifteen_bytes_and_no_more),
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(objdump_agrees_64),
        cmocka_unit_test(objdump_agrees_32),
        cmocka_unit_test(objdump_agrees_16),
        cmocka_unit_test(random_bytes_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
