/* The local APICs' pages and the messages between them (SDM vol. 3, 10.4 and 10.6). */
#include "tests/unit/support/pc_rig.h"

static struct pc pc;

static int setup(void **state)
{
    (void)state;
    pc_init(&pc, 1);
    return 0;
}

static int setup_smp(void **state)
{
    (void)state;
    pc_init(&pc, PC_VCPUS);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        pc_enable_lapic(&pc, i);
    return 0;
}

static void lapic_page_accesses(void **state)
{
    (void)state;
    pc_lapic_write(&pc, 0, LAPIC_TPR, 0x42);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR, 1), 0x42);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_VER + 2, 1), 0x05);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_VER, 8), LAPIC_VERSION);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_VER + 4, 4), 0);
    bus_mmio_write(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR, 1, 0x11); /* too narrow */
    bus_mmio_write(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR + 4, 4, 0x11);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_TPR), 0x42);
    bus_mmio_write(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR, 8, 0x1100000033u);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_TPR), 0x33);
}

/* 10.4.4 */
static void apic_base_moves(void **state)
{
    (void)state;
    struct vcpu *v = pc.vcpus;
    assert_false(platform_write_apic_base(v, 1ull << 39 | 0x900)); /* beyond MAXPHYADDR */
    assert_false(platform_write_apic_base(v, PC_LAPIC | 0xd00));   /* x2APIC */
    assert_true(platform_write_apic_base(v, 0xd0000900u));
    assert_int_equal(bus_mmio_read(&pc.vm.bus, v, 0xd0000000u + LAPIC_VER, 4), LAPIC_VERSION);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_VER), 0xffffffff);
    assert_true(platform_write_apic_base(v, IOAPIC_BASE | 0x900)); /* over the IOAPIC: the LAPIC is nearer */
    assert_int_equal(bus_mmio_read(&pc.vm.bus, v, IOAPIC_BASE + LAPIC_VER, 4), LAPIC_VERSION);
    assert_true(platform_write_apic_base(v, PC_LAPIC | 0x100));
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_VER), 0xffffffff);
    assert_int_equal(pc_ioapic_read(&pc, 1), 0x00170011);
    assert_true(platform_write_apic_base(v, PC_LAPIC | 0x900));
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_SVR), 0xff);
    assert_true(platform_write_apic_base(v, 0xd0000900u));
    platform_reset(&pc.vm);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_VER), LAPIC_VERSION);
}

static void ipis(void **state)
{
    (void)state;
    pc_lapic_write(&pc, 1, LAPIC_ICR_HIGH, 0x02000000);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x41);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 2 ? 0x41 : -1);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0xc0052); /* all others */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 1 ? -1 : 0x52);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x80063); /* all */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), 0x63);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x40074); /* self */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 1 ? 0x74 : -1);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        pc_lapic_write(&pc, i, LAPIC_LDR, 1u << (24 + i));
    pc_lapic_write(&pc, 1, LAPIC_ICR_HIGH, 0x0c000000);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x885); /* logical */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i >= 2 ? 0x85 : -1);
}

static void nmi_init_sipi(void **state)
{
    (void)state;
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0xc0400);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc.vcpus[i].nmis_pending, i != 0);
    pc_lapic_write(&pc, 2, LAPIC_ICR_LOW, 0xc0400); /* of two senders: one to handle, one behind it */
    pc_lapic_write(&pc, 3, LAPIC_ICR_LOW, 0xc0400);
    assert_int_equal(pc.vcpus[1].nmis_pending, 2);
    assert_int_equal(pc.vcpus[0].nmis_pending, 2);
    pc_lapic_write(&pc, 0, LAPIC_ICR_HIGH, 0x03000000);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x4500);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x4699);
    for (unsigned int i = 0; i < PC_VCPUS; i++) {
        assert_int_equal(pc.vcpus[i].lapic.init_pending, i == 3);
        assert_int_equal(pc.vcpus[i].lapic.sipi_pending, i == 3);
    }
    assert_int_equal(pc.vcpus[3].lapic.sipi_vector, 0x99);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x4200); /* SMI: nothing */
    assert_int_equal(pc_take(&pc, 3), -1);
}

/* 10.6.2.4 */
static void lowest_priority(void **state)
{
    (void)state;
    static const uint8_t tpr[PC_VCPUS] = {0x40, 0x30, 0x20, 0x20};
    for (unsigned int i = 0; i < PC_VCPUS; i++) {
        pc_lapic_write(&pc, i, LAPIC_LDR, 1u << (24 + i));
        pc_lapic_write(&pc, i, LAPIC_TPR, tpr[i]);
    }
    pc_route(&pc, 5, 0xff, 0x900 | 0x95);
    platform_irq_raise(&pc.vm, 5);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 2 ? 0x95 : -1);
    platform_irq_lower(&pc.vm, 5);
    platform_irq_raise(&pc.vm, 5); /* 2 has it in service now */
    assert_int_equal(pc_take(&pc, 3), 0x95);
    /* Not to a disabled one, whatever its priority. */
    pc_lapic_write(&pc, 2, LAPIC_EOI, 0);
    pc_lapic_write(&pc, 2, LAPIC_SVR, 0xff);
    pc_lapic_write(&pc, 2, LAPIC_TPR, 0);
    platform_irq_lower(&pc.vm, 5);
    platform_irq_raise(&pc.vm, 5);
    assert_int_equal(pc_take(&pc, 2), -1);
    assert_int_equal(pc_take(&pc, 1), 0x95);
}

#define TEST(f)     cmocka_unit_test_setup(f, setup)
#define TEST_SMP(f) cmocka_unit_test_setup(f, setup_smp)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lapic_page_accesses), TEST(apic_base_moves),     TEST_SMP(ipis),
        TEST_SMP(nmi_init_sipi),   TEST_SMP(lowest_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
