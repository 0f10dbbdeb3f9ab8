/* links: arch/x86/mitigations.c */
/* Which mitigations are chosen for which processor (SDM vol. 4, IA32_ARCH_CAPABILITIES; APM vol. 2, 3.2.9),
 * and the words for it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/mitigations.h"

#define MD_CLEAR  (1u << 10)
#define IBRS_IBPB (1u << 26)
#define L1D_FLUSH (1u << 28)

static const struct processor {
    const char *name;
    struct mitigation_leaves leaves;
    enum mitigation_setting setting;
    const char *words;
} processors[] = {
    {"QEMU's qemu64", {.intel = false}, MITIGATIONS_AUTO, "none"},
    {"an Intel of 2014 as it was sold",
     {.intel = true},
     MITIGATIONS_AUTO,
     "none (not in this microcode: IBPB, L1D flush, VERW)"},
    {"the same with the last microcode",
     {.intel = true, .leaf7_edx = MD_CLEAR | IBRS_IBPB | L1D_FLUSH},
     MITIGATIONS_AUTO,
     "IBPB, RSB filling, IBRS, L1D flush, VERW"},
    {"Cascade Lake: RDCL_NO, IBRS_ALL, SKIP_L1DFL, MDS_NO, but TAA",
     {.intel = true,
      .leaf7_ebx = 1u << 11,
      .leaf7_edx = MD_CLEAR | IBRS_IBPB | L1D_FLUSH,
      .arch_capabilities = 0x2b},
     MITIGATIONS_AUTO,
     "IBPB, RSB filling, enhanced IBRS, VERW"},
    {"Sapphire Rapids: all of the NO bits",
     {.intel = true, .leaf7_edx = MD_CLEAR | IBRS_IBPB | L1D_FLUSH, .arch_capabilities = 0xe16b},
     MITIGATIONS_AUTO,
     "IBPB, RSB filling, enhanced IBRS"},
    {"an Atom that leaks its register file (RFDS_CLEAR)",
     {.intel = true, .leaf7_edx = MD_CLEAR | IBRS_IBPB, .arch_capabilities = 0x6b | 1ull << 28},
     MITIGATIONS_AUTO,
     "IBPB, RSB filling, enhanced IBRS, VERW"},
    {"Zen 2: IBPB, IBRS", {.ext8_ebx = 1u << 12 | 1u << 14}, MITIGATIONS_AUTO, "IBPB, RSB filling, IBRS"},
    {"Zen 4: automatic IBRS",
     {.ext8_ebx = 1u << 12 | 1u << 14, .ext21_eax = 1u << 8},
     MITIGATIONS_AUTO,
     "IBPB, RSB filling, automatic IBRS"},
    {"off is off", {.intel = true, .leaf7_edx = MD_CLEAR | IBRS_IBPB | L1D_FLUSH}, MITIGATIONS_OFF, "none"},
    {"all, where nothing is offered: what every processor executes",
     {.intel = false},
     MITIGATIONS_ALL,
     "RSB filling, VERW"},
    {"all, where the flush is there and not asked for",
     {.intel = true, .leaf7_edx = MD_CLEAR | IBRS_IBPB | L1D_FLUSH, .arch_capabilities = 0xe16b},
     MITIGATIONS_ALL,
     "IBPB, RSB filling, enhanced IBRS, L1D flush, VERW"},
};

static void each_processor(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof processors / sizeof processors[0]; i++) {
        struct mitigations m;
        char text[160];

        mitigations_choose(&processors[i].leaves, processors[i].setting, &m);
        mitigations_describe(&m, text, sizeof text);
        print_message("%s\n", processors[i].name);
        assert_string_equal(text, processors[i].words);
    }
}

/* Never both: IBRS once on a processor that has to be told at each exit protects nothing. */
static void one_kind_of_ibrs(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < 64; bits++) {
        const struct mitigation_leaves cpu = {.intel = bits & 1,
                                              .leaf7_edx = bits & 2 ? IBRS_IBPB : 0,
                                              .arch_capabilities = bits & 4 ? 2 : 0,
                                              .ext8_ebx =
                                                  (bits & 8 ? 1u << 12 : 0) | (bits & 16 ? 1u << 14 : 0),
                                              .ext21_eax = bits & 32 ? 1u << 8 : 0};
        struct mitigations m;

        mitigations_choose(&cpu, MITIGATIONS_AUTO, &m);
        assert_true(m.ibrs_once + m.auto_ibrs + m.ibrs_exit <= 1);
        assert_int_equal(m.ibpb, m.rsb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_processor),
        cmocka_unit_test(one_kind_of_ibrs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
