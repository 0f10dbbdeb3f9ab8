/* The virtual PC as a whole: its port map, its reset, and a guest that does anything (DESIGN.md section 4,
 * "Guests"). */
#include "tests/unit/support/pc_rig.h"
#include "tests/unit/support/timer_rig.h"

static struct pc pc;

static int setup(void **state)
{
    (void)state;
    pc_init(&pc, 1);
    return 0;
}

static void unclaimed_ports(void **state)
{
    (void)state;
    static const uint16_t ports[] = {0x00,  0x2f,  0x44,  0x60,  0x64,      0x80,  0xed,  0x2e9,
                                     0x2f9, 0x3e9, 0x3f7, 0x400, 0x600 + 6, 0xcfc, 0xffff};
    for (unsigned int i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        pc_outb(&pc, ports[i], 0);
        assert_int_equal(pc_inb(&pc, ports[i]), 0xff);
    }
    assert_int_equal(pc.vm.state, VM_RUNNING);
}

/* Both of Linux's probes for PCI configuration access (arch/x86/pci/direct.c) find nothing, and reset
 * nothing. */
static void no_pci(void **state)
{
    (void)state;
    pc_outb(&pc, 0xcfb, 0x01);
    pc_out(&pc, 0xcf8, 4, 0x80000000u);
    assert_int_equal(pc_in(&pc, 0xcf8, 4), 0xffffffff);
    pc_outb(&pc, 0xcfb, 0x00);
    pc_outb(&pc, 0xcf8, 0x00);
    pc_outb(&pc, 0xcfa, 0x00);
    assert_int_equal(pc_inb(&pc, 0xcf8), 0xff);
    assert_int_equal(pc_inb(&pc, 0xcfa), 0xff);
    pc_out(&pc, 0xcf8, 4, 0x80000600u); /* byte 1 is no write of CF9h */
    assert_int_equal(pc_in(&pc, 0xcfc, 4), 0xffffffff);
    for (uint16_t port = 0xcf8; port < 0xd00; port++)
        if (port != ACPI_RESET_PORT)
            pc_outb(&pc, port, 0xff);
    assert_false(pc.vm.reset_requested);
}

static void exit_port(void **state)
{
    (void)state;
    pc_out(&pc, 0xf4, 4, 0x12345678);
    assert_int_equal(pc.vm.state, VM_ENDED);
    assert_int_equal(pc.vm.end, VM_END_EXIT);
    assert_int_equal(pc.vm.exit_code, 0x12345678);
    pc_init(&pc, 1);
    pc_outb(&pc, 0xf4, 0);
    assert_int_equal(pc.vm.end, VM_END_EXIT);
    assert_int_equal(pc.vm.exit_code, 0);
    assert_int_equal(pc_inb(&pc, 0xf4), 0xff);
}

static void reset_by_keyboard_controller(void **state)
{
    (void)state;
    assert_int_equal(pc_inb(&pc, 0x64), 0xff);
    pc_outb(&pc, 0x64, 0x20);
    assert_false(pc.vm.reset_requested);
    pc_outb(&pc, 0x64, 0xfe);
    assert_true(pc.vm.reset_requested);
}

static void reset_by_port_92(void **state)
{
    (void)state;
    assert_int_equal(pc_inb(&pc, 0x92), 0x02); /* A20 is on */
    pc_outb(&pc, 0x92, 0x00);
    assert_int_equal(pc_inb(&pc, 0x92), 0x00);
    pc_outb(&pc, 0x92, 0x02);
    assert_false(pc.vm.reset_requested);
    pc_outb(&pc, 0x92, 0x03);
    assert_true(pc.vm.reset_requested);
}

static void reset_by_cf9(void **state)
{
    (void)state;
    pc_outb(&pc, ACPI_RESET_PORT, 0x02);
    assert_int_equal(pc_inb(&pc, 0xcf9), 0x02);
    assert_false(pc.vm.reset_requested);
    pc_outb(&pc, ACPI_RESET_PORT, ACPI_RESET_VALUE);
    assert_true(pc.vm.reset_requested);
    assert_int_equal(pc_inb(&pc, 0xcf9), 0x06);
    pc_init(&pc, 1);
    pc.vm.config.on_reset = ON_RESET_END;
    pc_outb(&pc, ACPI_RESET_PORT, ACPI_RESET_VALUE); /* at once, as the FADT says */
    assert_int_equal(pc.vm.end, VM_END_RESET);
}

static void crtc(void **state)
{
    (void)state;
    pc_out(&pc, 0x3d4, 2, 0x120e); /* index and data in one word */
    pc_out(&pc, 0x3d4, 2, 0x340f);
    pc_outb(&pc, 0x3d4, 0x0e);
    assert_int_equal(pc_inb(&pc, 0x3d5), 0x12);
    assert_int_equal(pc_inb(&pc, 0x3d4), 0x0e);
    pc_outb(&pc, 0x3b4, 0x0f);
    assert_int_equal(pc_inb(&pc, 0x3b5), 0x34);
    pc_out(&pc, 0x3d4, 2, 0x99ff);
    assert_int_equal(pc_inb(&pc, 0x3d5), 0x99);
    /* Whoever waits for the retrace to begin or to end gets on. */
    unsigned int a = pc_inb(&pc, 0x3da), b = pc_inb(&pc, 0x3da);
    assert_int_equal((a ^ b) & 0x09, 0x09);
}

static void cmos_tells_memory_and_date(void **state)
{
    (void)state;
    pc_outb(&pc, 0x70, 0x35); /* above 16 MiB, in 64 KiB: 48 MiB */
    unsigned int high = pc_inb(&pc, 0x71);
    pc_outb(&pc, 0x70, 0x34);
    assert_int_equal(high << 8 | pc_inb(&pc, 0x71), 48 * 16);
    pc_outb(&pc, 0x70, RTC_YEAR);
    assert_int_equal(pc_inb(&pc, 0x71), 0x01); /* 2001-09-09 */
    pc_outb(&pc, 0x70, RTC_MONTH);
    assert_int_equal(pc_inb(&pc, 0x71), 0x09);
}

static void pit_port_61(void **state)
{
    (void)state;
    /* Channel 2 mode 0, as pit_calibrate_tsc() uses it: OUT in bit 5. */
    pc_outb(&pc, 0x61, (pc_inb(&pc, 0x61) & ~0x02u) | 0x01);
    pc_outb(&pc, 0x43, 0xb0);
    pc_outb(&pc, 0x42, 0x9c);
    pc_outb(&pc, 0x42, 0x2e);
    assert_int_equal(pc_inb(&pc, 0x61) & 0x20, 0);
    pc_to(&pc, 9 * PC_MS);
    assert_int_equal(pc_inb(&pc, 0x61) & 0x20, 0);
    pc_to(&pc, 11 * PC_MS);
    assert_int_equal(pc_inb(&pc, 0x61) & 0x20, 0x20);
}

static void reset_is_power_on(void **state)
{
    (void)state;
    pc_pic(&pc, 0, 0);
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 9, 0, 0x41);
    pc_outb(&pc, 0x3fc, 0x08);
    pc_outb(&pc, 0x3f9, 0x02);
    pc_outb(&pc, 0xcf9, 0x02);
    pc_out(&pc, 0x3d4, 2, 0x120e);
    pc_outb(&pc, 0x70, RTC_REG_B);
    pc_outb(&pc, 0x71, RTC_B_PIE | RTC_B_24H);
    pc_pit(&pc, 1193);
    pc_to(&pc, 10 * PC_MS);
    platform_reset(&pc.vm);
    assert_int_equal(pc_take(&pc, 0), -1);
    assert_int_equal(pc_inb(&pc, 0x21), 0xfb);
    assert_int_equal(pc_inb(&pc, 0xcf9), 0);
    assert_int_equal(pc_inb(&pc, 0x3f9), 0);
    assert_int_equal(pc_inb(&pc, 0x3d4), 0);
    pc_outb(&pc, 0x3d4, 0x0e);
    assert_int_equal(pc_inb(&pc, 0x3d5), 0);
    pc_outb(&pc, 0x70, RTC_REG_B);
    assert_int_equal(pc_inb(&pc, 0x71) & RTC_B_PIE, 0);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_SVR), 0xff);
    assert_int_equal(pc_ioapic_read(&pc, 0x10 + 18), 0x10000);
    assert_int_equal(pc_ioapic_read(&pc, 0), 0x01000000); /* the id after the only vCPU's */
    assert_null(vtime_check(&pc.vm.time));
    pc_outb(&pc, 0x43, 0xe2); /* read-back, status of channel 0: mode 3 as firmware leaves it */
    assert_int_equal(pc_inb(&pc, 0x40) & 0x0e, 0x06);
    /* And it works again. */
    pc_pic(&pc, 0xfe, 0xff);
    pc_outb(&pc, 0x20, 0x0a);
    assert_int_equal(pc_inb(&pc, 0x20), 0);
    pc_pit(&pc, 1193);
    pc_to(&pc, 12 * PC_MS);
    assert_int_equal(pc_take(&pc, 0), 0x30);
}

/* A guest that does anything to anything, time running: no crash, and the time's invariants hold. */
static void random_guest(void **state)
{
    (void)state;
    uint64_t seed = 12345;
    at_t at = 0;
    pc_init(&pc, PC_VCPUS);
    for (unsigned int i = 0; i < 60000; i++) {
        uint32_t value = (uint32_t)rig_random(&seed);
        struct bus_range *r = &pc.vm.bus.ports[rig_below(&seed, pc.vm.bus.nports)];
        uint16_t port = (uint16_t)(r->base + rig_below(&seed, r->length + 2) - 1);
        unsigned int size = 1u << rig_below(&seed, 3), cpu = (unsigned int)rig_below(&seed, PC_VCPUS);
        struct vcpu *v = &pc.vcpus[cpu];
        uint32_t reg = (uint32_t)rig_below(&seed, 0x400);
        switch (rig_below(&seed, 8)) {
        case 0:
        case 1:
            bus_port_write(&pc.vm.bus, v, port, size, value);
            break;
        case 2:
            assert_true(bus_port_read(&pc.vm.bus, v, port, size) <=
                        (size == 4 ? 0xffffffffu : (1u << size * 8) - 1));
            break;
        case 3:
            pc_ioapic_write(&pc, (uint8_t)value & 0x3f, (uint32_t)rig_random(&seed));
            break;
        case 4:
            /* Counts of a few AT would be events without end. */
            reg &= ~0xfu;
            bus_mmio_write(&pc.vm.bus, v, PC_LAPIC + reg, 4,
                           reg == LAPIC_TIMER_ICR ? value | 0x10000 : value);
            break;
        case 5:
            bus_mmio_read(&pc.vm.bus, v, PC_LAPIC + reg, size);
            break;
        case 6:
            at += value & 0xffff;
            pc_to(&pc, at);
            break;
        default:
            platform_write_apic_base(v, PC_LAPIC | (value & 0x1f ? 0x800 : 0) | (value & 0x100));
            v->nmis_pending = 0;
        }
        pc_take(&pc, cpu);
        assert_int_equal(pc.vm.platform.intr, pic_output(&pc.vm.platform.pic));
        assert_null(vtime_check(&pc.vm.time));
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unclaimed_ports),
        TEST(no_pci),
        TEST(exit_port),
        TEST(reset_by_keyboard_controller),
        TEST(reset_by_port_92),
        TEST(reset_by_cf9),
        TEST(crtc),
        TEST(cmos_tells_memory_and_date),
        TEST(pit_port_61),
        TEST(reset_is_power_on),
        TEST(random_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
