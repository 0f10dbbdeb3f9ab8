/* The local APIC's register page, its base MSR, the ICR and the timer's registers against SDM vol. 3,
 * chapter 10. */
#include "tests/unit/support/lapic_rig.h"

/* 10.4.7.1 */
static void power_on(void **state)
{
    (void)state;
    assert_int_equal(b.l.apic_base, 0xfee00900);
    assert_int_equal(in(LAPIC_ID), 0);
    assert_int_equal(in(LAPIC_VER), 0x00050014);
    assert_int_equal(in(LAPIC_SVR), 0xff);
    assert_int_equal(in(LAPIC_DFR), 0xffffffff);
    assert_int_equal(in(LAPIC_LDR), 0);
    assert_int_equal(in(LAPIC_TPR), 0);
    assert_int_equal(in(LAPIC_PPR), 0);
    assert_int_equal(in(LAPIC_APR), 0);
    assert_int_equal(in(LAPIC_ICR_LOW) | in(LAPIC_ICR_HIGH), 0);
    for (uint32_t reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg += 0x10)
        assert_int_equal(in(reg), 0x10000);
    for (uint32_t reg = LAPIC_ISR; reg < LAPIC_ESR; reg += 0x10)
        assert_int_equal(in(reg), 0);
    assert_int_equal(in(LAPIC_TIMER_ICR) | in(LAPIC_TIMER_CCR) | in(LAPIC_TIMER_DCR), 0);
    assert_int_equal(errors(), 0);
    assert_true(lapic_hw_enabled(&b.l));
    assert_false(lapic_enabled(&b.l));
}

/* Figure 10-8: what can be written in each register. */
static void writable_bits(void **state)
{
    (void)state;
    static const struct {
        uint32_t reg, reads;
    } want[] = {
        {LAPIC_TPR, 0xff},          {LAPIC_LDR, 0xff000000},
        {LAPIC_DFR, 0xffffffff},    {LAPIC_TIMER_ICR, 0xffffffff}, /* while the mode is one that counts */
        {LAPIC_LVT_TIMER, 0x700ff}, {LAPIC_LVT_THERMAL, 0x107ff},
        {LAPIC_LVT_PMC, 0x107ff},   {LAPIC_LVT_LINT0, 0x1a7ff},
        {LAPIC_LVT_LINT1, 0x1a7ff}, {LAPIC_LVT_ERROR, 0x100ff},
        {LAPIC_TIMER_DCR, 0xb},     {LAPIC_ICR_HIGH, 0xff000000},
        {LAPIC_SVR, 0x3ff},         {LAPIC_ID, 0}, /* read-only */
        {LAPIC_VER, 0x00050014},    {LAPIC_RRD, 0},
    };
    for (unsigned int i = 0; i < sizeof want / sizeof want[0]; i++) {
        out(want[i].reg, 0xffffffff);
        assert_int_equal(in(want[i].reg), want[i].reads);
    }
    out(LAPIC_DFR, 0);
    assert_int_equal(in(LAPIC_DFR), 0x0fffffff);
    out(LAPIC_ICR_LOW, 0xffff3fff);
    assert_int_equal(in(LAPIC_ICR_LOW), 0x000c0fff | 0x00000000);
}

/* 10.5.3, "illegal register address" */
static void reserved_registers(void **state)
{
    (void)state;
    static const uint32_t regs[] = {0x00,  0x10,  0x40,  0x70,  0x290, LAPIC_LVT_CMCI,
                                    0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0};
    for (unsigned int i = 0; i < sizeof regs / sizeof regs[0]; i++) {
        assert_int_equal(in(regs[i]), 0);
        assert_int_equal(errors(), ESR_ILLEGAL_REG);
        out(regs[i], 0xffffffff);
        assert_int_equal(errors(), ESR_ILLEGAL_REG);
        assert_int_equal(errors(), 0);
    }
    out(LAPIC_ISR, 0xffffffff); /* read-only is not illegal */
    out(LAPIC_IRR + 0x70, 0xffffffff);
    assert_int_equal(in(LAPIC_ISR) | in(LAPIC_IRR + 0x70), 0);
    assert_int_equal(errors(), 0);
}

static void base_msr(void **state)
{
    (void)state;
    assert_false(lapic_write_base(&b.l, 0xfee00d00)); /* x2APIC is not offered */
    assert_false(lapic_write_base(&b.l, 0xfee00901));
    assert_false(lapic_write_base(&b.l, 0xfee00b00));
    assert_false(lapic_write_base(&b.l, 1ull << 52 | 0xfee00900));
    assert_int_equal(b.l.apic_base, 0xfee00900);
    assert_true(lapic_write_base(&b.l, 0xfed00800)); /* the BSP flag stays */
    assert_int_equal(b.l.apic_base, 0xfed00900);
    out(LAPIC_TPR, 0x20);
    assert_true(lapic_write_base(&b.l, 0xfee00900)); /* moving resets nothing */
    assert_int_equal(in(LAPIC_TPR), 0x20);
    lapic_reset(&b.l);
    assert_int_equal(in(LAPIC_TPR), 0);
}

/* 10.6.1, table 10-3: each command and what comes of it. */
static void interprocessor_interrupts(void **state)
{
    (void)state;
    static const struct {
        uint32_t low;
        bool sent;
        uint8_t mode, shorthand;
    } want[] = {
        {0x00000041, true, APIC_FIXED, APIC_DEST_FIELD},
        {0x00040041, true, APIC_FIXED, APIC_DEST_SELF},
        {0x00080041, true, APIC_FIXED, APIC_DEST_ALL},
        {0x000c0041, true, APIC_FIXED, APIC_DEST_OTHERS},
        {0x00000141, true, APIC_LOWEST, APIC_DEST_FIELD},
        {0x000c0141, true, APIC_LOWEST, APIC_DEST_OTHERS},
        {0x00000400, true, APIC_NMI, APIC_DEST_FIELD},
        {0x000c0400, true, APIC_NMI, APIC_DEST_OTHERS},
        {0x00004500, true, APIC_INIT, APIC_DEST_FIELD},
        {0x000cc500, true, APIC_INIT, APIC_DEST_OTHERS},
        {0x00000500, true, APIC_INIT, APIC_DEST_FIELD}, /* an edge has no level */
        {0x00000607, true, APIC_SIPI, APIC_DEST_FIELD},
        {0x00040141, false, 0, 0},
        {0x00080141, false, 0, 0},
        {0x00040400, false, 0, 0},
        {0x00080400, false, 0, 0},
        {0x00084500, false, 0, 0},
        {0x00048607, false, 0, 0},
        {0x00008500, false, 0, 0}, /* INIT de-assert */
        {0x000c8500, false, 0, 0},
        {0x00000200, false, 0, 0},
        {0x00000341, false, 0, 0},
        {0x00000741, false, 0, 0},
    };
    out(LAPIC_ICR_HIGH, 0x07000000);
    for (unsigned int i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct lapic_effect e = out(LAPIC_ICR_LOW, want[i].low);
        assert_int_equal(e.ipi, want[i].sent);
        if (!e.ipi)
            continue;
        assert_int_equal(e.message.mode, want[i].mode);
        assert_int_equal(e.message.shorthand, want[i].shorthand);
        assert_int_equal(e.message.vector, want[i].low & 0xff);
        assert_int_equal(e.message.dest, 7);
        assert_false(e.message.level);
    }
    assert_int_equal(errors(), 0);
    assert_true(out(LAPIC_ICR_LOW, 0x00000010).ipi); /* the lowest legal vector */
    assert_int_equal(errors(), 0);
    assert_true(out(LAPIC_ICR_LOW, 0x00000841).message.logical);
    assert_false(out(LAPIC_ICR_LOW, 0x0000000f).ipi);
    assert_int_equal(errors(), ESR_SEND_ILLEGAL);
    assert_int_equal(in(LAPIC_ICR_LOW) & (1u << 12), 0); /* delivery status: idle */
}

/* 10.5.4, through the registers; the timer itself is tests/unit/test_lapic_timer.c's. */
static void timer_interrupt(void **state)
{
    (void)state;
    out(LAPIC_TIMER_DCR, 0xb); /* by 1 */
    out(LAPIC_LVT_TIMER, 0xec);
    out(LAPIC_TIMER_ICR, 500);
    rig_to(&b.rig, 499 * BUS_TICK);
    assert_int_equal(in(LAPIC_TIMER_CCR), 1);
    assert_int_equal(lapic_pending(&b.l), -1);
    rig_to(&b.rig, 500 * BUS_TICK);
    assert_int_equal(in(LAPIC_TIMER_CCR), 0);
    assert_int_equal(take(), 0xec);
    eoi();
    /* What gates a late timer's next event (DESIGN.md 2.6). */
    out(LAPIC_TIMER_ICR, 10);
    assert_false(b.l.timer.ops->waiting(b.l.timer.ctx, 0xec));
    assert_true(b.l.timer.ops->fire(b.l.timer.ctx, 0xed));
    assert_false(b.l.timer.ops->fire(b.l.timer.ctx, 0xed)); /* merged */
    assert_int_equal(take(), 0xed);
    eoi();
    rig_to(&b.rig, 510 * BUS_TICK);
    assert_true(b.l.timer.ops->waiting(b.l.timer.ctx, 0xec));
    assert_int_equal(take(), 0xec);
    assert_false(b.l.timer.ops->waiting(b.l.timer.ctx, 0xec));
    eoi();
    /* Periodic; a second expiry before the first is taken merges. */
    out(LAPIC_LVT_TIMER, 0x200ec);
    out(LAPIC_TIMER_ICR, 100);
    rig_to(&b.rig, 700 * BUS_TICK);
    assert_int_equal(take(), 0xec);
    eoi();
    assert_int_equal(take(), -1);
    rig_to(&b.rig, 800 * BUS_TICK);
    assert_int_equal(take(), 0xec);
    eoi();
    /* Masked: nothing comes. */
    out(LAPIC_LVT_TIMER, 0x300ec);
    rig_to(&b.rig, 1000 * BUS_TICK);
    assert_int_equal(take(), -1);
    out(LAPIC_TIMER_DCR, 0x4); /* bit 2 is reserved: divides by 2 */
    assert_int_equal(in(LAPIC_TIMER_DCR), 0);
    out(LAPIC_TIMER_ICR, 100);
    rig_to(&b.rig, 1100 * BUS_TICK);
    assert_int_equal(in(LAPIC_TIMER_CCR), 50);
    /* Bit 18, TSC-deadline: there, or not. */
    out(LAPIC_LVT_TIMER, 0x400ec);
    assert_int_equal(in(LAPIC_LVT_TIMER), 0x400ec);
    b.l.tsc_deadline = false;
    out(LAPIC_LVT_TIMER, 0x400ec);
    assert_int_equal(in(LAPIC_LVT_TIMER), 0xec);
}

/* A timer whose vector is illegal, or whose APIC is off, reaches nobody and breaks nothing. */
static void timer_into_nothing(void **state)
{
    (void)state;
    out(LAPIC_LVT_TIMER, 0x20007);
    out(LAPIC_TIMER_ICR, 10);
    rig_to(&b.rig, 1000);
    assert_int_equal(errors(), ESR_RECV_ILLEGAL);
    assert_int_equal(take(), -1);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(power_on, setup_off),
        TEST(writable_bits),
        TEST(reserved_registers),
        TEST(base_msr),
        TEST(interprocessor_interrupts),
        TEST(timer_interrupt),
        TEST(timer_into_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
