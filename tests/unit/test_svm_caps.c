/* links: arch/x86/svm/caps.c arch/x86/svm/asid.c */
/* What SVM must be able to do (APM vol. 2, 15.3, 15.4, 15.30.1), and address space identifiers (15.16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/msr.h"
#include "arch/x86/svm/asid.h"
#include "arch/x86/svm/caps.h"
#include "arch/x86/svm/vmcb.h"

#define SVM  (1u << 2)
#define NP   (1u << 0)
#define NRIP (1u << 3)

/* QEMU's qemu64,+npt: nested paging and nothing else. */
static const struct svm_leaves plain = {.ext_ecx = SVM, .ext_edx = 1u << 27, .svm_ebx = 16, .svm_edx = NP};

static struct svm_caps caps;
static char why[96];

static bool resolve(const struct svm_leaves *leaves)
{
    why[0] = '\0';
    memset(&caps, 0xff, sizeof(caps));
    return svm_caps_resolve(leaves, &caps, why, sizeof(why));
}

static void nested_paging_is_enough(void **state)
{
    (void)state;
    assert_true(resolve(&plain));
    assert_int_equal(caps.asids, 16);
    assert_int_equal(caps.clean, 0);
    assert_false(caps.next_rip || caps.decode_assists || caps.flush_by_asid || caps.lbr || caps.tsc_ratio);
    assert_true(caps.rdtscp && caps.checks_addresses);
}

/* QEMU's TCG takes every address that WRMSR gives it: we look at them there. */
static void an_emulator_that_does_not_look(void **state)
{
    struct svm_leaves l = plain;
    struct svm_caps other;

    (void)state;
    assert_true(resolve(&plain));
    other = caps;
    l.tcg = true;
    assert_true(resolve(&l));
    assert_false(caps.checks_addresses);
    assert_false(svm_caps_same(&caps, &other));
}

static void what_there_is_is_used(void **state)
{
    struct svm_leaves l = plain;
    (void)state;
    l.svm_edx = NP | 1u << 1 | NRIP | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 10;
    l.ext_edx = 0;
    assert_true(resolve(&l));
    assert_true(caps.pause_filter && !caps.pause_threshold);
    assert_true(caps.next_rip && caps.decode_assists && caps.flush_by_asid && caps.lbr && caps.tsc_ratio);
    assert_int_equal(caps.clean, CLEAN_ALL);
    assert_false(caps.rdtscp);
}

static void refusals_name_the_remedy(void **state)
{
    struct svm_leaves l = {0};
    (void)state;
    assert_false(resolve(&l));
    assert_non_null(strstr(why, "no SVM"));
    l = plain;
    l.svm_edx = NRIP;
    assert_false(resolve(&l));
    assert_non_null(strstr(why, "-cpu qemu64,+npt"));
    l = plain;
    l.svm_ebx = 1;
    assert_false(resolve(&l));
    assert_non_null(strstr(why, "address space identifiers"));
}

/* VM_CR.SVMDIS counts when it is locked; otherwise it is cleared (15.30.1). */
static void locked_by_the_firmware(void **state)
{
    struct svm_leaves l = plain;
    (void)state;
    l.vm_cr = VM_CR_SVMDIS | VM_CR_LOCK;
    assert_false(resolve(&l));
    assert_non_null(strstr(why, "firmware has locked it off"));
    l.vm_cr = VM_CR_SVMDIS;
    assert_true(resolve(&l));
    l.vm_cr = VM_CR_LOCK;
    assert_true(resolve(&l));
}

/* VMRUN refuses a VMCB without its own intercept (15.5.1); host interrupts and shutdowns always exit; and so
 * does every instruction of SVM. */
static void what_always_exits(void **state)
{
    (void)state;
    assert_true(resolve(&plain));
    const uint32_t first = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SHUTDOWN | INTERCEPT_IOIO |
                           INTERCEPT_MSR | INTERCEPT_HLT | INTERCEPT_CPUID | INTERCEPT_INVLPGA |
                           INTERCEPT_CR0_SELECTIVE;
    const uint32_t second = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE |
                            INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_XSETBV;
    assert_int_equal(caps.intercepts[0] & first, first);
    assert_int_equal(caps.intercepts[1] & second, second);
    /* Windows are opened on demand. */
    assert_int_equal(caps.intercepts[0] & (INTERCEPT_VINTR | INTERCEPT_IRET), 0);
}

static void later_instructions_where_they_exist(void **state)
{
    struct svm_leaves l = plain;
    (void)state;
    assert_true(resolve(&l));
    assert_int_equal(caps.intercepts[1] & INTERCEPT_RDPRU, 0);
    assert_int_equal(caps.intercepts[2], 0);
    l.more_ebx = 1u << 3 | 1u << 4 | 1u << 8;
    assert_true(resolve(&l));
    assert_int_equal(caps.intercepts[1] & INTERCEPT_RDPRU, INTERCEPT_RDPRU);
    assert_int_equal(caps.intercepts[2],
                     INTERCEPT_INVLPGB | INTERCEPT_INVLPGB_ILLEGAL | INTERCEPT_MCOMMIT | INTERCEPT_TLBSYNC);
    l = plain;
    l.leaf7_ebx = 1u << 10;
    assert_true(resolve(&l));
    assert_int_equal(caps.intercepts[2], INTERCEPT_INVPCID);
}

/* ---- address space identifiers ---- */

static void asids_are_distinct_until_all_are_given(void **state)
{
    struct asid_pool pool;
    struct asid_tag a = {0}, b = {0}, c = {0}, d = {0};
    (void)state;
    asid_pool_init(&pool, 4);
    assert_false(asid_valid(&pool, &a));
    assert_true(asid_take(&pool, &a)); /* the first one of all flushes what was there before us */
    assert_false(asid_take(&pool, &b));
    assert_false(asid_take(&pool, &c));
    assert_int_equal(a.asid, 1);
    assert_int_equal(b.asid, 2);
    assert_int_equal(c.asid, 3);
    assert_true(asid_valid(&pool, &a) && asid_valid(&pool, &c));
    /* All given: the fourth begins a new round, in which the others are no longer valid. */
    assert_true(asid_take(&pool, &d));
    assert_int_equal(d.asid, 1);
    assert_true(asid_valid(&pool, &d));
    assert_false(asid_valid(&pool, &a) || asid_valid(&pool, &b) || asid_valid(&pool, &c));
}

static void asids_are_each_processors_own(void **state)
{
    struct asid_pool here, there;
    struct asid_tag a = {0};
    (void)state;
    asid_pool_init(&here, 16);
    asid_pool_init(&there, 16);
    asid_take(&here, &a);
    assert_true(asid_valid(&here, &a));
    assert_false(asid_valid(&there, &a));
}

/* The fewest that a processor may have: one for guests, so each entry after another's flushes. */
static void one_asid_for_all(void **state)
{
    struct asid_pool pool;
    struct asid_tag a = {0}, b = {0};
    (void)state;
    asid_pool_init(&pool, 2);
    assert_true(asid_take(&pool, &a));
    assert_true(asid_take(&pool, &b));
    assert_int_equal(b.asid, 1);
    assert_false(asid_valid(&pool, &a));
}

/* A difference in any byte of any member, and in none of the padding, of which there is only at the end. */
static void all_members_are_compared(void **state)
{
    const size_t end = offsetof(struct svm_caps, tsc_ratio) + 1;
    union {
        struct svm_caps caps;
        uint8_t bytes[sizeof(struct svm_caps)];
    } a = {0}, b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(b.bytes); i++) {
        b.bytes[i] = 1;
        assert_true(svm_caps_same(&a.caps, &b.caps) == (i >= end));
        assert_true(svm_caps_same(&b.caps, &b.caps));
        b.bytes[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_paging_is_enough),
        cmocka_unit_test(an_emulator_that_does_not_look),
        cmocka_unit_test(what_there_is_is_used),
        cmocka_unit_test(refusals_name_the_remedy),
        cmocka_unit_test(locked_by_the_firmware),
        cmocka_unit_test(what_always_exits),
        cmocka_unit_test(later_instructions_where_they_exist),
        cmocka_unit_test(asids_are_distinct_until_all_are_given),
        cmocka_unit_test(asids_are_each_processors_own),
        cmocka_unit_test(one_asid_for_all),
        cmocka_unit_test(all_members_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
