/* vmm/mptable.c: the MP table (Intel MultiProcessor Specification 1.4, chapter 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/load_vm.h"
#include "vmm/mptable.h"

#define BASE 0xF0000u
#define SIZE 0x1000u

static uint8_t area[SIZE];

static size_t build(unsigned int cpus)
{
    const struct mptable_config config = {
        .cpus = cpus, .ioapic_id = 5, .cpu_signature = 0x306D4, .cpu_features = 0x078BFBFF};

    memset(area, 0xEE, sizeof(area));
    return mptable_write(area, SIZE, BASE, &config);
}

static uint16_t u16_at(size_t at)
{
    return (uint16_t)(area[at] | area[at + 1] << 8);
}

static uint32_t u32_at(size_t at)
{
    return u16_at(at) | (uint32_t)u16_at(at + 2) << 16;
}

/* 4.1, 4.2 */
static void headers(void **state)
{
    size_t used = build(2);

    (void)state;
    assert_memory_equal(area, "_MP_", 4);
    assert_int_equal(u32_at(4), BASE + 16);
    assert_int_equal(area[8], 1);
    assert_int_equal(area[9], 4);
    assert_int_equal(u32_at(11), 0); /* no default configuration, no IMCR */
    assert_true(sums_to_zero(area, 16));
    assert_memory_equal(area + 16, "PCMP", 4);
    assert_int_equal(u16_at(20), used - 16);
    assert_int_equal(area[22], 4);
    assert_true(sums_to_zero(area + 16, u16_at(20)));
    assert_int_equal(u32_at(16 + 36), 0xFEE00000);
}

/* 4.3: entries in ascending order of type, as many as the header says, ending where it says. */
static void entries(void **state)
{
    static const uint8_t sizes[] = {20, 8, 8, 8, 8};
    unsigned int cpus;

    (void)state;
    for (cpus = 1; cpus <= 8; cpus++) {
        size_t used = build(cpus);
        size_t at = 16 + 44;
        unsigned int n = 0, processors = 0, bootstrap = 0;
        uint32_t inputs = 0;
        uint8_t type = 0;

        while (at < used) {
            assert_true(area[at] >= type && area[at] <= 4);
            type = area[at];
            if (type == 0) {
                assert_int_equal(area[at + 1], processors++);
                bootstrap += (area[at + 3] & 2) != 0;
                assert_int_equal(area[at + 3] & 1, 1);
                assert_int_equal(u32_at(at + 4), 0x306D4);
                assert_int_equal(u32_at(at + 8), 0x078BFBFF);
            } else if (type == 1) {
                assert_memory_equal(area + at + 2, "ISA   ", 6);
            } else if (type == 2) {
                assert_int_equal(area[at + 1], 5);
                assert_int_equal(area[at + 3], 1);
                assert_int_equal(u32_at(at + 4), 0xFEC00000);
            } else if (type == 3) {
                uint8_t irq = area[at + 5];

                assert_int_not_equal(irq, 2);
                assert_int_equal(area[at + 1], 0);
                assert_int_equal(u16_at(at + 2), irq == 9 ? 0xD : 0);
                assert_int_equal(area[at + 6], 5);
                assert_int_equal(area[at + 7], irq == 0 ? 2 : irq);
                inputs |= 1u << area[at + 7];
            }
            at += sizes[type];
            n++;
        }
        assert_int_equal(at, used);
        assert_int_equal(n, u16_at(16 + 34));
        assert_int_equal(processors, cpus);
        assert_int_equal(bootstrap, 1);
        assert_int_equal(inputs, 0xFFFE); /* IRQ 2 is the second PIC; its input has IRQ 0 */
    }
}

/* The last two: ExtINT at LINT0, NMI at LINT1 of all local APICs. */
static void local_interrupts(void **state)
{
    static const uint8_t expected[] = {4, 3, 0, 0, 0, 0, 0xFF, 0, 4, 1, 0, 0, 0, 0, 0xFF, 1};
    size_t used = build(1);

    (void)state;
    assert_memory_equal(area + used - sizeof(expected), expected, sizeof(expected));
}

static void room_is_never_passed(void **state)
{
    const struct mptable_config config = {.cpus = 8};
    size_t used = build(8);
    size_t size;

    (void)state;
    for (size = 0; size <= used; size++) {
        uint8_t *p = malloc(size != 0 ? size : 1);

        assert_int_equal(mptable_write(p, size, BASE, &config), size < used ? 0 : used);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(entries),
        cmocka_unit_test(local_interrupts),
        cmocka_unit_test(room_is_never_passed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
