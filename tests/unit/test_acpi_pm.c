/* The ACPI fixed hardware through its ports: PM1a event and control blocks, the PM timer's status beside
 * them, and the SCI they share (ACPI 6.4, 4.8.3). */
#include "tests/unit/support/pc_rig.h"

#define STS     ACPI_PM1A_EVT
#define EN      (ACPI_PM1A_EVT + 2)
#define CNT     ACPI_PM1A_CNT
#define SCI_VEC 0x51u

static struct pc pc;

/* The SCI goes to vCPU 0 through the IOAPIC, level-triggered. */
static int setup(void **state)
{
    (void)state;
    pc_init(&pc, 1);
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, IRQ_SCI, 0, 0x8000u | SCI_VEC);
    return 0;
}

/* The AT of the PM timer's n-th change of its top bit (32 bits wide), rounded up. */
static at_t toggle(uint64_t n)
{
    return (at_t)(((unsigned __int128)n << 31) * 4 * PC_HZ / 14318180u + 1);
}

static void power_on(void **state)
{
    (void)state;
    assert_int_equal(pc_in(&pc, STS, 2), 0);
    assert_int_equal(pc_in(&pc, EN, 2), 0);
    assert_int_equal(pc_in(&pc, CNT, 2), PM1_SCI_EN); /* ACPI mode always */
    assert_int_equal(pc_in(&pc, ACPI_PM_TMR, 4), 0);
}

static void registers(void **state)
{
    (void)state;
    pc_out(&pc, EN, 2, 0xffff);
    assert_int_equal(pc_in(&pc, EN, 2), PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC);
    pc_out(&pc, EN, 1, 0);
    assert_int_equal(pc_in(&pc, EN, 2), PM1_PWRBTN | PM1_SLPBTN | PM1_RTC);
    pc_out(&pc, EN + 1, 1, 0x01);
    assert_int_equal(pc_in(&pc, EN, 2), PM1_PWRBTN);
    assert_int_equal(pc_in(&pc, EN + 1, 1), 0x01);
    assert_int_equal(pc_in(&pc, STS, 4), PM1_PWRBTN << 16); /* as one double word */
    pc_out(&pc, CNT, 2, PM1_BM_RLD | PM1_GBL_RLS | 3u << PM1_SLP_TYP_SHIFT);
    assert_int_equal(pc_in(&pc, CNT, 2), PM1_SCI_EN | PM1_BM_RLD | 3u << PM1_SLP_TYP_SHIFT);
    assert_int_equal(pc_in(&pc, CNT + 1, 1), 3u << (PM1_SLP_TYP_SHIFT - 8));
    pc_out(&pc, CNT, 2, 0);
    assert_int_equal(pc_in(&pc, CNT, 2), PM1_SCI_EN);
    assert_int_equal(pc_in(&pc, 0x606, 2), 0xffff);
    assert_int_equal(pc.vm.state, VM_RUNNING);
}

static void power_button(void **state)
{
    (void)state;
    acpi_pm_power_button(&pc.vm.platform.acpi_pm);
    assert_int_equal(pc_in(&pc, STS, 2), PM1_PWRBTN);
    assert_int_equal(pc_take(&pc, 0), -1); /* not enabled */
    pc_out(&pc, EN, 2, PM1_PWRBTN);
    assert_int_equal(pc_take(&pc, 0), SCI_VEC);
    pc_out(&pc, STS, 2, PM1_GBL); /* a one clears its own bit only */
    assert_int_equal(pc_in(&pc, STS, 2), PM1_PWRBTN);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), SCI_VEC); /* level-triggered: until it is cleared */
    pc_out(&pc, STS + 1, 1, PM1_PWRBTN >> 8);
    assert_int_equal(pc_in(&pc, STS, 2), 0);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), -1);
}

/* 4.8.3.3: TMR_STS at each change of the count's top bit, and its SCI. */
static void timer_status(void **state)
{
    (void)state;
    pc_to(&pc, toggle(1) - 1000);
    assert_int_equal(pc_in(&pc, STS, 2), 0);
    pc_to(&pc, toggle(1));
    assert_int_equal(pc_in(&pc, STS, 2), PM1_TMR);
    pc_out(&pc, STS, 2, PM1_TMR);
    assert_int_equal(pc_in(&pc, STS, 2), 0);
    pc_out(&pc, EN, 2, PM1_TMR);
    assert_int_equal(pc_in(&pc, EN, 2), PM1_TMR);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_to(&pc, toggle(2));
    assert_int_equal(pc_take(&pc, 0), SCI_VEC);
    /* The button beside it: one line, both must be cleared. */
    pc_out(&pc, EN, 2, PM1_TMR | PM1_PWRBTN);
    acpi_pm_power_button(&pc.vm.platform.acpi_pm);
    pc_out(&pc, STS, 2, PM1_TMR);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), SCI_VEC);
    pc_out(&pc, STS, 2, PM1_PWRBTN);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), -1);
}

/* The timer's share of the line answers for the whole line, but waits only for itself. */
static void timer_share(void **state)
{
    (void)state;
    struct vt_line share = acpi_pm_timer_line(&pc.vm.platform.acpi_pm);
    assert_false(share.ops->masked(share.ctx, share.line));
    pc_out(&pc, EN, 2, PM1_PWRBTN);
    acpi_pm_power_button(&pc.vm.platform.acpi_pm);
    assert_false(share.ops->waiting(share.ctx, share.line));
    assert_false(share.ops->raise(share.ctx, share.line)); /* the button has it up already */
    assert_true(share.ops->waiting(share.ctx, share.line));
    assert_int_equal(pc_take(&pc, 0), SCI_VEC);
    assert_false(share.ops->waiting(share.ctx, share.line));
    share.ops->lower(share.ctx, share.line);
    pc_out(&pc, STS, 2, PM1_PWRBTN);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_true(share.ops->raise(share.ctx, share.line));
    share.ops->lower(share.ctx, share.line);
    assert_false(pc.vm.platform.acpi_pm.sci);
    pc_route(&pc, IRQ_SCI, 0, 0x18000u | SCI_VEC);
    assert_true(share.ops->masked(share.ctx, share.line));
}

/* The PM timer itself through its port, whole and in parts, 32 bits wide and read-only. */
static void timer_port(void **state)
{
    (void)state;
    uint64_t at = 3000000000u;
    uint32_t want = (uint32_t)((unsigned __int128)at * 14318180u / 4 / PC_HZ);
    pc_to(&pc, at);
    assert_int_equal(pc_in(&pc, ACPI_PM_TMR, 4), want);
    assert_int_equal(pc_in(&pc, ACPI_PM_TMR, 1), want & 0xff);
    assert_int_equal(pc_in(&pc, ACPI_PM_TMR + 1, 1), want >> 8 & 0xff);
    assert_int_equal(pc_in(&pc, ACPI_PM_TMR + 2, 2), want >> 16);
    pc_out(&pc, ACPI_PM_TMR, 4, 0);
    assert_int_equal(pc_in(&pc, ACPI_PM_TMR, 4), want);
}

static void poweroff_word(void **state)
{
    (void)state;
    pc_out(&pc, CNT, 2, PM1_SLP_EN | 1u << PM1_SLP_TYP_SHIFT); /* no such state */
    pc_out(&pc, CNT, 2, ACPI_S5_SLP_TYP << PM1_SLP_TYP_SHIFT); /* no SLP_EN */
    assert_int_equal(pc.vm.state, VM_RUNNING);
    pc_out(&pc, CNT, 2, PM1_SLP_EN | ACPI_S5_SLP_TYP << PM1_SLP_TYP_SHIFT);
    assert_int_equal(pc.vm.state, VM_ENDED);
    assert_int_equal(pc.vm.end, VM_END_POWEROFF);
}

/* As a driver that writes bytes does it. */
static void poweroff_byte(void **state)
{
    (void)state;
    pc_out(&pc, CNT + 1, 1, (PM1_SLP_EN | ACPI_S5_SLP_TYP << PM1_SLP_TYP_SHIFT) >> 8);
    assert_int_equal(pc.vm.state, VM_ENDED);
    assert_int_equal(pc.vm.end, VM_END_POWEROFF);
    assert_int_equal(pc_in(&pc, CNT, 2) & PM1_SLP_EN, 0); /* write-only */
}

static void reset(void **state)
{
    (void)state;
    pc_out(&pc, EN, 2, PM1_PWRBTN | PM1_TMR);
    acpi_pm_power_button(&pc.vm.platform.acpi_pm);
    platform_reset(&pc.vm);
    assert_int_equal(pc_in(&pc, STS, 4), 0);
    assert_false(pc.vm.platform.acpi_pm.sci);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(power_on),   TEST(registers), TEST(power_button),  TEST(timer_status),  TEST(timer_share),
        TEST(timer_port), TEST(reset),     TEST(poweroff_word), TEST(poweroff_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
