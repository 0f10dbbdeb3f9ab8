/* Random code and registers, the same for the same seed. */
#include "guests/chaos/chaos.h"

#include "guests/lib/string.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
    state = seed * 0x9E3779B97F4A7C15u + 1;
}

/* Marsaglia's xorshift64*. */
uint64_t random_next(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

/* Beginnings of instructions that leave the guest, or change how the next ones run; what follows them is
 * random. */
static const struct start_of {
    uint8_t length, bytes[4];
} interesting[] = {
    {2, {0x0F, 0xA2}},       /* CPUID */
    {3, {0x0F, 0x01, 0xC1}}, /* VMCALL */
    {3, {0x0F, 0x01, 0xD9}}, /* VMMCALL */
    {3, {0x0F, 0x01, 0xD8}}, /* VMRUN */
    {3, {0x0F, 0x01, 0xC4}}, /* VMXOFF */
    {3, {0x0F, 0x01, 0xD1}}, /* XSETBV */
    {3, {0x0F, 0x01, 0xF9}}, /* RDTSCP */
    {2, {0x0F, 0x01}},       /* LGDT, LIDT, LMSW, INVLPG, ... */
    {2, {0x0F, 0x00}},       /* LLDT, LTR, VERR, ... */
    {2, {0x0F, 0x31}},       /* RDTSC */
    {2, {0x0F, 0x32}},       /* RDMSR */
    {2, {0x0F, 0x33}},       /* RDPMC */
    {2, {0x0F, 0x20}},       /* MOV from CR */
    {2, {0x0F, 0x21}},       /* MOV from DR */
    {2, {0x0F, 0x23}},       /* MOV to DR */
    {2, {0x0F, 0x06}},       /* CLTS */
    {2, {0x0F, 0x08}},       /* INVD */
    {2, {0x0F, 0x09}},       /* WBINVD */
    {2, {0x0F, 0xC7}},       /* CMPXCHG8B, VMPTRLD, RDRAND, XRSTORS */
    {2, {0x0F, 0xAE}},       /* FXSAVE, XSAVE, CLFLUSH, fences */
    {2, {0x0F, 0xB1}},       /* CMPXCHG */
    {2, {0x0F, 0xC1}},       /* XADD */
    {3, {0x0F, 0x38, 0x82}}, /* INVPCID */
    {1, {0xEC}},
    {1, {0xEE}},
    {1, {0xEF}},
    {1, {0xE4}},
    {1, {0xE5}},
    {1, {0xE6}}, /* IN, OUT */
    {2, {0xF3, 0x6C}},
    {2, {0xF3, 0x6E}},
    {3, {0x66, 0xF3, 0x6D}},
    {1, {0x6F}}, /* INS, OUTS */
    {2, {0xF3, 0xA4}},
    {2, {0xF3, 0xAB}},
    {2, {0xF3, 0xA6}},
    {3, {0xF3, 0x48, 0xA5}},
    {1, {0x8B}},
    {1, {0x89}},
    {1, {0x88}},
    {2, {0x48, 0x8B}},
    {1, {0x0B}},
    {1, {0x21}},
    {1, {0x80}},
    {1, {0x81}},
    {2, {0xF0, 0x01}},
    {2, {0xF0, 0x87}},
    {2, {0x0F, 0xB6}},
    {2, {0x0F, 0xBF}},
    {1, {0xC6}},
    {1, {0xF6}},
    {1, {0xFF}},
    {1, {0xF4}},
    {1, {0xFA}},
    {1, {0xFB}},
    {1, {0x9D}},
    {1, {0xCF}},
    {1, {0xCD}},
    {1, {0xF1}},
    {1, {0x8E}},
    {2, {0x0F, 0x05}},
    {2, {0x0F, 0x34}},
    {1, {0x0F}},
    {1, {0xC4}},
    {1, {0xC5}},
    {1, {0x62}},
    {1, {0xF0}},
    {1, {0x67}},
    {4, {0x67, 0x66, 0xF2, 0x6D}},
};

#define INTERESTING (sizeof(interesting) / sizeof(interesting[0]))

/* Left out is what takes the machine away at once, for there are tests of their own for it: OUT to F4h and
 * 64h, LGDT, LIDT; and LTR, whose null selector QEMU takes, and aborts at the next exception ("invalid tss").
 */
static void spare(uint8_t *code)
{
    for (unsigned int i = 0; i + 2 < CODE_BYTES; i++) {
        uint8_t next = code[i + 1], reg = code[i + 2] >> 3 & 7;

        if ((code[i] & 0xFE) == 0xE6 && ((next >= 0xF1 && next <= 0xF7) || (next >= 0x61 && next <= 0x64) ||
                                         (next >= 0x8F && next <= 0x92))) {
            code[i + 1] = 0x80;
        } else if (code[i] == 0x0F &&
                   ((next == 0 && reg == 3) || (next == 1 && (reg == 2 || reg == 3) && code[i + 2] < 0xC0))) {
            code[i + 1] = 0x31;
        }
    }
}

void random_code(uint8_t *code)
{
    unsigned int at = 0;

    for (unsigned int i = 0; i < CODE_BYTES; i += 8) {
        uint64_t bytes = random_next();

        memcpy(code + i, &bytes, 8);
    }
    while (at + 9 < CODE_BYTES) {
        uint64_t r = random_next();
        const struct start_of *s = &interesting[(r >> 8) % INTERESTING];

        if (r & 1) {
            memcpy(code + at, s->bytes, s->length);
        }
        at += 1 + (unsigned int)(r >> 32) % 8;
    }
    spare(code);
}

/* One instruction, whole: prefixes, opcode, ModRM without displacement, one byte of immediate where there is
 * one. What follows the first byte is an instruction of the same kind. */
static unsigned int one_move(uint8_t *at)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65};
    static const uint8_t rex[] = {0x48, 0x4C, 0x41, 0x45};
    static const uint8_t strings[] = {0xA4, 0xA5, 0xAA, 0xAB, 0xAC, 0xAD};
    static const uint8_t extend[] = {0xB6, 0xB7, 0xBE, 0xBF};
    static const uint8_t others[] = {0x88, 0x89, 0x8A, 0x8B, 0x00, 0x01, 0x09, 0x0B, 0x11,
                                     0x13, 0x19, 0x21, 0x23, 0x29, 0x31, 0x33, 0x39, 0x3B,
                                     0x84, 0x85, 0x86, 0x87, 0xC6, 0x80, 0x83};
    uint64_t r = random_next();
    unsigned int n = 0;
    uint8_t opcode;

    for (; (r & 1) && n < 3; r = random_next()) {
        at[n++] = prefixes[(r >> 8) % sizeof(prefixes)];
    }
    if ((r >> 40 & 3) == 0) {
        at[n++] = rex[(r >> 44) % sizeof(rex)]; /* INC or DEC outside 64-bit mode */
    }
    if ((r & 14) == 0) {
        at[n++] = strings[(r >> 8) % sizeof(strings)];
        return n;
    }
    if ((r & 14) == 2) {
        at[n++] = 0x0F;
        opcode = extend[(r >> 8) % sizeof(extend)];
    } else {
        opcode = others[(r >> 8) % sizeof(others)];
    }
    at[n++] = opcode;
    at[n++] = (uint8_t)(r >> 16 & (opcode == 0xC6 ? 0x03 : 0x3B));
    if (opcode == 0xC6 || opcode == 0x80 || opcode == 0x83) {
        at[n++] = (uint8_t)(r >> 24 & 0x3B);
    }
    return n;
}

void random_moves(uint8_t *code)
{
    unsigned int at = 0;

    while (at + 8 < CODE_BYTES) {
        at += one_move(code + at);
    }
    memset(code + at, 0xCC, CODE_BYTES - at);
}

/* Numbers that point somewhere: to the scratch pages, to a device, to where nothing is, to an edge; or any.
 */
uint64_t random_register(uint64_t scratch)
{
    static const uint64_t places[] = {
        0xFEE00000,
        0xFEE00300,
        0xFEE00FFE,
        0xFEC00000,
        0xFEC00010,
        0xFED00000,
        0xFED000F0,
        0xFED00108,
        0xB8000,
        0xBFFFE,
        0xA0000,
        0xC0000,
        0xE0000,
        0xB0000000,
        0xFFFFFFFC,
        0xFFF,
        0x174,
        0xC0000080,
        0x1B,
        0x6E0,
        0x277,
        0x40,
        0x43,
        0x70,
        0x3F8,
        0xCF8,
        0x20,
        0,
        1,
        UINT64_MAX,
        1ull << 63,
        0x00007FFFFFFFFFF8,
        0xFFFF800000000000,
        0x4B564D01,
    };
    uint64_t r = random_next();

    switch (r & 3) {
    case 0:
        return scratch + (r >> 32) % 0x4000;
    case 1:
        return places[(r >> 8) % (sizeof(places) / sizeof(places[0]))];
    case 2:
        return r >> 48;
    default:
        return r;
    }
}
