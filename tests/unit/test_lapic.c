/* The local APIC's interrupt logic against SDM vol. 3, chapter 10 (section numbers of the edition where it is
 * chapter 10). */
#include "tests/unit/support/lapic_rig.h"

/* 10.8.4 */
static void accept_take_end(void **state)
{
    (void)state;
    assert_int_equal(lapic_accept(&b.l, 0x31, false), APIC_ACCEPTED);
    assert_int_equal(lapic_accept(&b.l, 0x31, false), APIC_MERGED);
    assert_int_equal(in(LAPIC_IRR + 0x10), 1u << 0x11);
    assert_true(lapic_waiting(&b.l, 0x31));
    assert_int_equal(take(), 0x31);
    assert_false(lapic_waiting(&b.l, 0x31));
    assert_int_equal(in(LAPIC_IRR + 0x10), 0);
    assert_int_equal(in(LAPIC_ISR + 0x10), 1u << 0x11);
    assert_int_equal(lapic_accept(&b.l, 0x31, false), APIC_ACCEPTED); /* one more behind it */
    assert_int_equal(take(), -1);
    assert_int_equal(eoi(), -1);
    assert_int_equal(take(), 0x31);
    eoi();
    assert_int_equal(in(LAPIC_ISR + 0x10), 0);
    assert_int_equal(eoi(), -1); /* nothing in service: harmless */
    assert_int_equal(take(), -1);
}

/* 10.8.3: a vector gets through if its class is above that of what is in service. */
static void priorities(void **state)
{
    (void)state;
    lapic_accept(&b.l, 0x41, false);
    lapic_accept(&b.l, 0xef, false);
    lapic_accept(&b.l, 0x45, false);
    assert_int_equal(take(), 0xef);
    assert_int_equal(in(LAPIC_PPR), 0xe0);
    assert_int_equal(take(), -1);
    eoi();
    assert_int_equal(take(), 0x45);
    assert_int_equal(take(), -1); /* the same class does not nest */
    lapic_accept(&b.l, 0x50, false);
    assert_int_equal(take(), 0x50);
    assert_int_equal(in(LAPIC_ISR + 0x20), 1u << 0x05 | 1u << 0x10);
    eoi();
    assert_int_equal(in(LAPIC_ISR + 0x20), 1u << 0x05);
    eoi();
    assert_int_equal(take(), 0x41);
}

/* 10.8.3.1 */
static void tpr_and_cr8(void **state)
{
    (void)state;
    lapic_accept(&b.l, 0x55, false);
    out(LAPIC_TPR, 0x50);
    assert_int_equal(lapic_pending(&b.l), -1);
    assert_true(lapic_waiting(&b.l, 0x55));
    assert_int_equal(lapic_cr8(&b.l), 5);
    lapic_set_cr8(&b.l, 4);
    assert_int_equal(in(LAPIC_TPR), 0x40);
    assert_int_equal(lapic_pending(&b.l), 0x55);
    lapic_set_cr8(&b.l, 15);
    assert_int_equal(in(LAPIC_PPR), 0xf0);
    out(LAPIC_TPR, 0x4b);
    assert_int_equal(in(LAPIC_PPR), 0x4b);
    assert_int_equal(take(), 0x55);
    assert_int_equal(in(LAPIC_PPR), 0x50);
    out(LAPIC_TPR, 0x57);
    assert_int_equal(in(LAPIC_PPR), 0x57);
}

/* 10.8.5: the EOI of a level-triggered one is returned for the broadcast. */
static void level_eoi(void **state)
{
    (void)state;
    lapic_accept(&b.l, 0x61, true);
    lapic_accept(&b.l, 0x92, false);
    assert_int_equal(in(LAPIC_TMR + 0x30), 1u << 1);
    assert_int_equal(take(), 0x92);
    assert_int_equal(eoi(), -1);
    assert_int_equal(take(), 0x61);
    assert_int_equal(eoi(), 0x61);
    /* Each of the eight words is its own. */
    lapic_accept(&b.l, 0x1f, true);
    assert_int_equal(in(LAPIC_TMR), 0x80000000);
    assert_int_equal(in(LAPIC_ISR), 0);
    lapic_accept(&b.l, 0x1e, false);
    assert_int_equal(in(LAPIC_TMR), 0x80000000);
    assert_int_equal(in(LAPIC_IRR), 0xc0000000);
    take();
    assert_int_equal(in(LAPIC_ISR), 0x80000000);
    assert_int_equal(eoi(), 0x1f);
    take();
    assert_int_equal(eoi(), -1);
    /* The trigger mode is that of the latest acceptance. */
    lapic_accept(&b.l, 0x61, false);
    assert_int_equal(in(LAPIC_TMR + 0x30), 0);
    take();
    assert_int_equal(eoi(), -1);
}

/* 10.5.2 and 10.5.3: vectors 0-15. */
static void illegal_vectors(void **state)
{
    (void)state;
    out(LAPIC_LVT_ERROR, 0x70);
    assert_int_equal(lapic_accept(&b.l, 15, false), APIC_NO_TARGET);
    assert_int_equal(take(), 0x70);
    eoi();
    assert_int_equal(lapic_accept(&b.l, 0, false), APIC_NO_TARGET);
    assert_int_equal(take(), -1); /* told already */
    assert_int_equal(in(LAPIC_ESR), 0);
    assert_int_equal(errors(), ESR_RECV_ILLEGAL);
    lapic_accept(&b.l, 0, false);
    assert_int_equal(take(), 0x70);
    eoi();
    errors();
    /* The error entry's own vector may be the illegal one. */
    out(LAPIC_LVT_ERROR, 3);
    out(LAPIC_ICR_LOW, 0x40005);
    assert_int_equal(errors(), ESR_SEND_ILLEGAL | ESR_RECV_ILLEGAL);
    assert_int_equal(lapic_accept(&b.l, 16, false), APIC_ACCEPTED);
}

/* 10.4.7.2 */
static void software_disable(void **state)
{
    (void)state;
    out(LAPIC_LVT_TIMER, 0x40);
    out(LAPIC_LVT_LINT0, 0x700);
    lapic_accept(&b.l, 0x33, false);
    out(LAPIC_SVR, 0xff);
    assert_int_equal(in(LAPIC_LVT_TIMER), 0x10040);
    assert_int_equal(in(LAPIC_LVT_LINT0), 0x10700);
    out(LAPIC_LVT_TIMER, 0x41); /* the mask cannot be cleared now */
    assert_int_equal(in(LAPIC_LVT_TIMER), 0x10041);
    assert_int_equal(lapic_accept(&b.l, 0x34, false), APIC_NO_TARGET);
    assert_int_equal(take(), 0x33); /* what was in the IRR is still to be handled */
    out(LAPIC_SVR, 0x1ff);
    assert_int_equal(in(LAPIC_LVT_TIMER), 0x10041); /* enabling unmasks nothing */
    assert_int_equal(lapic_accept(&b.l, 0x34, false), APIC_ACCEPTED);
}

/* 10.4.3, 10.4.4 */
static void global_disable(void **state)
{
    (void)state;
    out(LAPIC_LVT_TIMER, 0x20040);
    out(LAPIC_TIMER_ICR, 1000);
    lapic_accept(&b.l, 0x33, false);
    out(LAPIC_TPR, 0x10);
    assert_true(lapic_write_base(&b.l, 0xfee00100));
    assert_false(lapic_hw_enabled(&b.l));
    assert_int_equal(lapic_pending(&b.l), -1);
    assert_int_equal(lapic_accept(&b.l, 0x34, false), APIC_NO_TARGET);
    assert_true(rig_idle(&b.rig));
    assert_true(lapic_write_base(&b.l, 0xfee00900));
    assert_int_equal(in(LAPIC_SVR), 0xff);
    assert_int_equal(in(LAPIC_TPR), 0);
    assert_int_equal(in(LAPIC_LVT_TIMER), 0x10000);
    assert_int_equal(in(LAPIC_TIMER_ICR), 0);
    assert_int_equal(take(), -1);
}

static void init_keeps_base(void **state)
{
    (void)state;
    lapic_write_base(&b.l, 0xfed00900);
    out(LAPIC_LDR, 0x01000000);
    lapic_init_reset(&b.l);
    assert_int_equal(b.l.apic_base, 0xfed00900);
    assert_int_equal(in(LAPIC_LDR), 0);
    assert_int_equal(in(LAPIC_SVR), 0xff);
    lapic_reset(&b.l);
    assert_int_equal(b.l.apic_base, 0xfee00900);
}

/* 10.6.2 */
static void destinations(void **state)
{
    (void)state;
    b.l.id = 2;
    assert_true(lapic_matches(&b.l, 2, false));
    assert_false(lapic_matches(&b.l, 3, false));
    assert_true(lapic_matches(&b.l, APIC_BROADCAST, false));
    assert_false(lapic_matches(&b.l, 0xff, false)); /* from x2APIC mode an id like any other */
    out(LAPIC_LDR, 0x04000000);
    assert_true(lapic_matches(&b.l, 0x0c, true)); /* flat model */
    assert_false(lapic_matches(&b.l, 0x03, true));
    assert_true(lapic_matches(&b.l, APIC_BROADCAST, true));
    assert_false(lapic_matches(&b.l, 0x104, true)); /* wider than the model */
    out(LAPIC_DFR, 0x0fffffff);                     /* cluster model */
    out(LAPIC_LDR, 0x32000000);
    assert_true(lapic_matches(&b.l, 0x32, true));
    assert_true(lapic_matches(&b.l, 0x3f, true));
    assert_false(lapic_matches(&b.l, 0x31, true));
    assert_false(lapic_matches(&b.l, 0x22, true));
    assert_true(lapic_matches(&b.l, 0xf2, true));
    assert_false(lapic_matches(&b.l, 0xf1, true));
    assert_true(lapic_matches(&b.l, 0xff, true));
}

/* 10.6.2.4 */
static void arbitration_priority(void **state)
{
    (void)state;
    out(LAPIC_TPR, 0x35);
    assert_int_equal(in(LAPIC_APR), 0x35);
    lapic_accept(&b.l, 0x72, false);
    assert_int_equal(in(LAPIC_APR), 0x70);
    take();
    lapic_accept(&b.l, 0x21, false);
    assert_int_equal(in(LAPIC_APR), 0x30);
    out(LAPIC_TPR, 0x75);
    assert_int_equal(in(LAPIC_APR), 0x70); /* as high as what is in service */
    out(LAPIC_TPR, 0x35);
    eoi();
    assert_int_equal(in(LAPIC_APR), 0x35);
}

/* 10.5.1: the LINT pins' modes. */
static void lint_modes(void **state)
{
    (void)state;
    assert_false(lapic_lint(&b.l, 0, true)); /* masked */
    lapic_lint(&b.l, 0, false);
    out(LAPIC_LVT_LINT0, 0x38);
    assert_false(lapic_lint(&b.l, 0, true));
    assert_int_equal(take(), 0x38);
    eoi();
    lapic_lint(&b.l, 0, true); /* no edge */
    assert_int_equal(take(), -1);
    lapic_lint(&b.l, 0, false);
    lapic_lint(&b.l, 0, true);
    assert_int_equal(take(), 0x38);
    eoi();
    out(LAPIC_LVT_LINT1, 0x400);
    assert_true(lapic_lint(&b.l, 1, true));
    assert_false(lapic_lint(&b.l, 1, true));
    assert_false(lapic_lint(&b.l, 1, false));
    out(LAPIC_LVT_LINT1, 0x10400);
    assert_false(lapic_lint(&b.l, 1, true));
    lapic_lint(&b.l, 1, false);
    out(LAPIC_LVT_LINT1, 0x500);
    lapic_lint(&b.l, 1, true);
    assert_true(b.l.init_pending);
    assert_int_equal(take(), -1);
}

static void lint0_level(void **state)
{
    (void)state;
    out(LAPIC_LVT_LINT0, 0x18038);
    assert_false(lapic_lint(&b.l, 0, true));
    assert_int_equal(take(), -1);
    out(LAPIC_LVT_LINT0, 0x08038); /* unmasked while up */
    assert_int_equal(take(), 0x38);
    assert_int_equal(in(LAPIC_LVT_LINT0), 0x0c038); /* remote IRR */
    assert_true(eoi() >= 0);                        /* still up: again */
    assert_int_equal(take(), 0x38);
    lapic_lint(&b.l, 0, false);
    eoi();
    assert_int_equal(take(), -1);
    assert_int_equal(in(LAPIC_LVT_LINT0), 0x08038);
    /* Made an edge it has no remote IRR. */
    lapic_lint(&b.l, 0, true);
    assert_int_equal(in(LAPIC_LVT_LINT0), 0x0c038);
    out(LAPIC_LVT_LINT0, 0x00038);
    assert_int_equal(in(LAPIC_LVT_LINT0), 0x00038);
    take();
    eoi();
    /* LINT1 knows no level. */
    out(LAPIC_LVT_LINT1, 0x08039);
    lapic_lint(&b.l, 1, true);
    assert_int_equal(take(), 0x39);
    eoi();
    assert_int_equal(take(), -1);
}

static void extint(void **state)
{
    (void)state;
    assert_false(lapic_extint_open(&b.l)); /* LINT0 is masked */
    out(LAPIC_LVT_LINT0, 0x700);
    assert_true(lapic_extint_open(&b.l));
    lapic_lint(&b.l, 0, true);
    assert_int_equal(take(), -1); /* not the LAPIC's to latch */
    out(LAPIC_LVT_LINT0, 0x10700);
    assert_false(lapic_extint_open(&b.l));
    out(LAPIC_LVT_LINT0, 0x30);
    assert_false(lapic_extint_open(&b.l));
    out(LAPIC_SVR, 0xff);
    assert_true(lapic_extint_open(&b.l));
    lapic_write_base(&b.l, 0xfee00100);
    assert_true(lapic_extint_open(&b.l));
    assert_true(lapic_lint(&b.l, 1, true)); /* LINT1 is the NMI pin then */
}

static void application_processor(void **state)
{
    (void)state;
    rig_init(&b.rig, HZ);
    lapic_init(&b.l, 3, &b.rig.time, &b.tsc, true, false);
    assert_int_equal(in(LAPIC_ID), 0x03000000);
    assert_int_equal(b.l.apic_base, 0xfee00800);
    assert_false(lapic_extint_open(&b.l)); /* the INTR pin is the bootstrap processor's */
}

static void random_registers(void **state)
{
    (void)state;
    uint64_t seed = 99;
    at_t at = 0;
    for (unsigned int i = 0; i < 100000; i++) {
        uint32_t value = (uint32_t)rig_random(&seed);
        uint32_t reg = (uint32_t)rig_below(&seed, 0x44) << 4;
        switch (rig_below(&seed, 8)) {
        case 0:
        case 1:
        case 2:
            /* A count of a few AT would be events without end. */
            out(reg, reg == LAPIC_TIMER_ICR ? value | 0x1000 : value);
            break;
        case 3:
            in(reg);
            break;
        case 4:
            lapic_accept(&b.l, (uint8_t)value, value >> 8 & 1);
            break;
        case 5:
            lapic_lint(&b.l, value & 1, value >> 1 & 1);
            break;
        case 6:
            at += value & 0xfff;
            rig_to(&b.rig, at);
            break;
        default:
            lapic_write_base(&b.l, LAPIC_DEFAULT_BASE | (value & 0xf ? APIC_BASE_ENABLE : 0));
        }
        int pending = lapic_pending(&b.l);
        if (pending >= 0) {
            assert_true((pending & 0xf0) > (int)(in(LAPIC_PPR)&0xf0));
            if (value >> 9 & 1)
                assert_int_equal(lapic_ack(&b.l), pending);
        }
        if (!(b.l.svr & SVR_ENABLE))
            for (unsigned int n = 0; n < LVTS; n++)
                assert_true(b.l.lvt[n] & LVT_MASKED);
        assert_int_equal(b.l.irr.word[0] & 0xffff, 0);
        assert_true((in(LAPIC_PPR)&0xf0) >= (in(LAPIC_TPR)&0xf0));
    }
    assert_null(vtime_check(&b.rig.time));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accept_take_end),  TEST(priorities),
        TEST(tpr_and_cr8),      TEST(level_eoi),
        TEST(illegal_vectors),  TEST(software_disable),
        TEST(global_disable),   TEST(init_keeps_base),
        TEST(destinations),     TEST(arbitration_priority),
        TEST(lint_modes),       TEST(lint0_level),
        TEST(extint),           TEST(application_processor),
        TEST(random_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
