/* Arithmetic and flags of emulated instructions: SDM vol. 1, 3.4.3.1. On an x86 host the processor itself is
 * the referee, for random operands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/alu.h"
#include "vmm/cr.h"

#define STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static void known_results(void **state)
{
    uint64_t flags = 0;

    (void)state;
    assert_int_equal(alu(OP_ADD, 1, 0xff, 1, &flags), 0);
    assert_int_equal(flags, RFLAGS_CF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF);
    assert_int_equal(alu(OP_ADC, 1, 0x7f, 0, &flags), 0x80);
    assert_int_equal(flags, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF);
    assert_int_equal(alu(OP_SUB, 4, 0, 1, &flags), 0xffffffff);
    assert_int_equal(flags, RFLAGS_CF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF);
    assert_int_equal(alu(OP_INC, 2, 0xffff, 0, &flags), 0);
    assert_true(flags & RFLAGS_CF); /* INC leaves it alone */
    assert_int_equal(alu(OP_AND, 8, 0xf0, 0x0f, &flags), 0);
    assert_int_equal(flags, RFLAGS_ZF | RFLAGS_PF);
    flags = STATUS;
    assert_int_equal(alu(OP_NOT, 1, 0x0f, 0, &flags), 0xf0);
    assert_int_equal(flags, STATUS);
}

static void bits(void **state)
{
    uint64_t flags = RFLAGS_ZF;

    (void)state;
    assert_int_equal(alu_bit(OP_BTS, 0, 31, &flags), 0x80000000u);
    assert_int_equal(flags, RFLAGS_ZF);
    assert_int_equal(alu_bit(OP_BTR, 0xff, 3, &flags), 0xf7);
    assert_int_equal(flags, RFLAGS_ZF | RFLAGS_CF);
    assert_int_equal(alu_bit(OP_BTC, 1ull << 63, 63, &flags), 0);
    assert_int_equal(alu_bit(OP_BT, 5, 1, &flags), 5);
    assert_int_equal(flags, RFLAGS_ZF);
}

#if defined(__x86_64__)
#define NATIVE(name, insn, type)                                                                             \
    static uint64_t name(uint64_t a, uint64_t b, uint64_t *flags)                                            \
    {                                                                                                        \
        type value = (type)a;                                                                                \
        uint64_t out;                                                                                        \
        __asm__("subq $128, %%rsp; pushq %3; popfq; " insn " %2, %0; pushfq; popq %1; addq $128, %%rsp"      \
                : "+r"(value), "=&r"(out)                                                                    \
                : "r"((type)b), "r"((*flags & STATUS) | 2)                                                   \
                : "cc", "memory");                                                                           \
        *flags = out & STATUS;                                                                               \
        return (type)value;                                                                                  \
    }
#define NATIVE_SIZES(op)                                                                                     \
    NATIVE(op##8, #op "b", uint8_t)                                                                          \
    NATIVE(op##16, #op "w", uint16_t) NATIVE(op##32, #op "l", uint32_t) NATIVE(op##64, #op "q", uint64_t)

NATIVE_SIZES(add)
NATIVE_SIZES(adc)
NATIVE_SIZES(sub)
NATIVE_SIZES(sbb)
NATIVE_SIZES(cmp)
NATIVE_SIZES(and)
NATIVE_SIZES(or)
NATIVE_SIZES(xor)
NATIVE_SIZES(test)

typedef uint64_t (*native_fn)(uint64_t a, uint64_t b, uint64_t *flags);

static const struct {
    enum insn_op op;
    native_fn by_size[4];
    uint64_t defined; /* AF of the logical ones is undefined */
} natives[] = {
    {OP_ADD, {add8, add16, add32, add64}, STATUS},
    {OP_ADC, {adc8, adc16, adc32, adc64}, STATUS},
    {OP_SUB, {sub8, sub16, sub32, sub64}, STATUS},
    {OP_SBB, {sbb8, sbb16, sbb32, sbb64}, STATUS},
    {OP_CMP, {cmp8, cmp16, cmp32, cmp64}, STATUS},
    {OP_AND, {and8, and16, and32, and64}, STATUS & ~RFLAGS_AF},
    {OP_OR, {or8, or16, or32, or64}, STATUS & ~RFLAGS_AF},
    {OP_XOR, {xor8, xor16, xor32, xor64}, STATUS & ~RFLAGS_AF},
    {OP_TEST, {test8, test16, test32, test64}, STATUS & ~RFLAGS_AF},
};

/* Values near the edges come up often. */
static uint64_t operand(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t value = *seed >> 7, edge = 1ull << (*seed >> 58);
    return *seed >> 40 & 1 ? value : edge - (*seed >> 41 & 1);
}

static void the_processor_agrees(void **state)
{
    uint64_t seed = 42;

    (void)state;
    for (unsigned int round = 0; round < 200000; round++) {
        unsigned int n = round % (sizeof natives / sizeof natives[0]), s = round / 9 % 4;
        uint64_t a = operand(&seed), b = operand(&seed), flags = operand(&seed) & STATUS, ours = flags;
        uint64_t want = natives[n].by_size[s](a, b, &flags);
        uint64_t got = alu(natives[n].op, 1u << s, a, b, &ours);

        if (got != want || ((ours ^ flags) & natives[n].defined))
            fail_msg("op %d size %u: %llx, %llx: %llx flags %llx, want %llx flags %llx", natives[n].op,
                     1u << s, (unsigned long long)a, (unsigned long long)b, (unsigned long long)got,
                     (unsigned long long)ours, (unsigned long long)want, (unsigned long long)flags);
    }
}
#else
static void the_processor_agrees(void **state)
{
    (void)state;
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_results),
        cmocka_unit_test(bits),
        cmocka_unit_test(the_processor_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
