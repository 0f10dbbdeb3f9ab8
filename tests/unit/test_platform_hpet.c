/* The HPET in the virtual PC: its page, its ways to a processor, and legacy replacement (IA-PC HPET
 * Specification 1.0a, 2.3.5) against PIT and RTC. */
#include "tests/unit/support/pc_rig.h"

#define COUNTS_MS 100000u /* HPET counts in a millisecond */
#define EDGE      (HPET_TN_ENABLE | 20u << HPET_TN_ROUTE_SHIFT)
#define PERIODIC  (EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET)
#define VECTOR    0x50

static struct pc pc;

static int setup(void **state)
{
    (void)state;
    pc_init(&pc, 1);
    return 0;
}

static void put(unsigned int reg, uint64_t value)
{
    bus_mmio_write(&pc.vm.bus, &pc.vcpus[0], HPET_BASE + reg, 4, value);
}

static uint64_t get(unsigned int reg, unsigned int size)
{
    return bus_mmio_read(&pc.vm.bus, &pc.vcpus[0], HPET_BASE + reg, size);
}

static void start(unsigned int timer, uint32_t config, uint32_t period)
{
    put(0x100 + 0x20 * timer, config);
    put(0x108 + 0x20 * timer, period);
    put(0x100 + 0x20 * timer, config);
    put(0x10c + 0x20 * timer, 0);
}

/* The PIT at 1 kHz and the RTC at 1024 Hz, their interrupts open in the PIC. */
static void both_run(void)
{
    pc_pic(&pc, 0xfa, 0xfe);
    pc_pit(&pc, 1193);
    pc_outb(&pc, 0x70, 0x0b);
    pc_outb(&pc, 0x71, 0x42);
}

/* Takes what comes until `to`, reads register C after each of the RTC's, and says how many of each. */
static void count_until(at_t to, unsigned int *irq0, unsigned int *irq8)
{
    *irq0 = 0;
    *irq8 = 0;
    for (at_t at = pc.vm.time.at_l; at <= to; at += PC_MS / 20) {
        pc_to(&pc, at);
        for (int vector; (vector = pc_take(&pc, 0)) >= 0;) {
            *irq0 += vector == 0x30;
            *irq8 += vector == 0x38;
            if (vector == 0x38) {
                pc_outb(&pc, 0x70, 0x0c);
                (void)pc_inb(&pc, 0x71);
                pc_outb(&pc, 0xa0, 0x20);
            }
            pc_outb(&pc, 0x20, 0x20);
        }
    }
}

static void registers_at_fed00000(void **state)
{
    (void)state;
    assert_int_equal(get(0, 8), 0x0098968080860000ull | 0xa201);
    assert_int_equal(get(4, 4), 10000000);
    assert_int_equal(get(0x3f8, 8), 0);
    assert_true(get(0x400, 8) == UINT64_MAX); /* beyond it there is nothing */
    put(0x10, 1);
    pc_to(&pc, 3 * PC_MS);
    assert_int_equal(get(0xf0, 8), 3 * COUNTS_MS);
}

static void through_the_ioapic(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 20, 0, VECTOR);
    start(0, PERIODIC, COUNTS_MS);
    put(0x10, 1);
    for (unsigned int k = 1; k < 20; k++) {
        pc_to(&pc, k * PC_MS - 1);
        assert_int_equal(pc_take(&pc, 0), -1);
        pc_to(&pc, k * PC_MS);
        assert_int_equal(pc_take(&pc, 0), VECTOR);
        pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    }
}

static void level_until_the_status_is_cleared(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 20, 0, RTE_LEVEL | VECTOR);
    start(1, PERIODIC | HPET_TN_LEVEL, COUNTS_MS);
    put(0x10, 1);
    pc_to(&pc, PC_MS);
    assert_int_equal(pc_take(&pc, 0), VECTOR);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), VECTOR); /* still asserted */
    put(0x20, 2);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_to(&pc, 2 * PC_MS);
    assert_int_equal(pc_take(&pc, 0), VECTOR);
}

/* "The 8254 and the RTC will not cause any interrupts", and afterwards they do again. */
static void s2_3_5_replacement(void **state)
{
    (void)state;
    unsigned int irq0, irq8;

    both_run();
    count_until(100 * PC_MS, &irq0, &irq8);
    assert_in_range(irq0, 99, 101);
    assert_in_range(irq8, 102, 104);

    start(0, PERIODIC, 2 * COUNTS_MS);
    start(1, PERIODIC, 5 * COUNTS_MS);
    put(0x10, 3);
    assert_true(pc.vm.platform.pit.irq.ops->masked(&pc.vm, 0));
    assert_false(pc.vm.platform.pit.irq.ops->waiting(&pc.vm, 0));
    count_until(200 * PC_MS, &irq0, &irq8);
    assert_in_range(irq0, 49, 50);
    assert_in_range(irq8, 19, 20);
    assert_true(pc.vm.platform.pit.parked);
    pc_to(&pc, 202 * PC_MS);
    pc_outb(&pc, 0x70, 0x0c); /* the RTC's flags are there all the same */
    assert_int_equal(pc_inb(&pc, 0x71) & 0xc0, 0xc0);

    put(0x10, 1); /* timers 0 and 1 go to input 20 now, which is masked */
    count_until(302 * PC_MS, &irq0, &irq8);
    assert_in_range(irq0, 99, 101);
    assert_in_range(irq8, 102, 104);
    assert_int_equal(get(0xf0, 4), 202 * COUNTS_MS);
}

/* A request of the RTC's that stands while the wire is switched becomes an edge when it is switched back. */
static void a_standing_request_survives(void **state)
{
    (void)state;
    both_run();
    put(0x10, 3);
    pc_to(&pc, 10 * PC_MS);
    assert_int_equal(pc_take(&pc, 0), -1);
    put(0x10, 0);
    assert_int_equal(pc_take(&pc, 0), 0x30); /* the PIT's OUT is high */
    pc_outb(&pc, 0x20, 0x20);
    assert_int_equal(pc_take(&pc, 0), 0x38);
}

/* A level-triggered timer 0 that has matched takes the wire over as it is. */
static void a_level_takes_over(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 2, 0, RTE_LEVEL | VECTOR);
    start(0, EDGE | HPET_TN_LEVEL, COUNTS_MS);
    put(0x10, 1);
    pc_pit(&pc, 1193);
    pc_to(&pc, 2 * PC_MS);
    assert_true(pc.vm.platform.pit_level);
    put(0x10, 3);
    assert_int_equal(pc_take(&pc, 0), VECTOR);
    put(0x20, 1);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), -1);
}

static void reset_gives_the_wires_back(void **state)
{
    (void)state;
    unsigned int irq0, irq8;

    start(0, PERIODIC, COUNTS_MS);
    put(0x10, 3);
    pc_to(&pc, 10 * PC_MS);
    platform_reset(&pc.vm);
    assert_false(pc.vm.platform.replaced);
    assert_int_equal(get(0x10, 4), 0);
    both_run();
    count_until(110 * PC_MS, &irq0, &irq8);
    assert_in_range(irq0, 99, 101);
    assert_in_range(irq8, 102, 104);
}

/* hpet=off: nothing is there, and no timer of it in the VM's time. */
static void setting_off(void **state)
{
    (void)state;
    struct vm *vm = &pc.vm;

    memset(vm->bus.mmio, 0, sizeof(vm->bus.mmio));
    vtime_init(&vm->time, &(struct vtime_policy){.c = {2, 1}}, PC_HZ, 0);
    vm->config.no_hpet = true;
    platform_init(vm);
    assert_true(get(0, 8) == UINT64_MAX);
    put(0x10, 3);
    platform_reset(vm);
    for (const struct vtimer *t = vm->time.timers; t != NULL; t = t->sibling)
        assert_int_not_equal(memcmp(t->name, "hpet", 4), 0);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_at_fed00000),
        TEST(through_the_ioapic),
        TEST(level_until_the_status_is_cleared),
        TEST(s2_3_5_replacement),
        TEST(a_standing_request_survives),
        TEST(a_level_takes_over),
        TEST(reset_gives_the_wires_back),
        TEST(setting_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
