/* vmm/load_space.c: where loaders find room (multiboot and Linux want it aligned, and off what is loaded
 * already). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/load_space.h"
#include "vmm/vm.h"

#define MIB  (1ull << 20)
#define PAGE 4096u

static struct load_space space;

static void begin(uint64_t low, uint64_t high)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    assert_non_null(vm);
    vm->ram.low = low;
    vm->ram.high = high;
    space_init(&space, vm);
    free(vm);
}

static void ram_is_what_the_map_says(void **state)
{
    (void)state;
    begin(4 * MIB, 2 * MIB);
    assert_true(space_is_ram(&space, 0, FW_EBDA));
    assert_false(space_is_ram(&space, 0, FW_EBDA + 1));
    assert_false(space_is_ram(&space, FW_EBDA, 1));
    assert_false(space_is_ram(&space, 0xB8000, 1));
    assert_false(space_is_ram(&space, 0xFFFFF, 1));
    assert_true(space_is_ram(&space, MIB, 3 * MIB));
    assert_false(space_is_ram(&space, MIB, 3 * MIB + 1));
    assert_false(space_is_ram(&space, MIB + 1, 3 * MIB));
    assert_false(space_is_ram(&space, 4 * MIB, 1));
    assert_true(space_is_ram(&space, FW_4G, 2 * MIB));
    assert_false(space_is_ram(&space, FW_4G + 2 * MIB, 1));
    assert_false(space_is_ram(&space, MIB, UINT64_MAX));
    assert_false(space_is_ram(&space, UINT64_MAX, UINT64_MAX));
}

static void the_lowest_place(void **state)
{
    uint64_t at;

    (void)state;
    begin(4 * MIB, 0);
    assert_true(space_take_low(&space, 0, FW_4G, 10, PAGE, &at));
    assert_int_equal(at, PAGE); /* the first page has the BIOS data area */
    assert_true(space_take_low(&space, 0, FW_4G, PAGE, PAGE, &at));
    assert_int_equal(at, 2 * PAGE);
    assert_true(space_take_low(&space, 0, FW_4G, 0, PAGE, &at)); /* nothing has a place of its own too */
    assert_int_equal(at, 3 * PAGE);
    assert_true(space_take_low(&space, MIB, FW_4G, 3 * MIB, PAGE, &at)); /* exactly */
    assert_int_equal(at, MIB);
    assert_false(space_take_low(&space, MIB, FW_4G, 1, PAGE, &at));
}

static void around_what_is_taken(void **state)
{
    uint64_t at;

    (void)state;
    begin(4 * MIB, 0);
    assert_true(space_mark(&space, MIB + 2 * PAGE, PAGE));
    assert_true(space_take_low(&space, MIB, FW_4G, 2 * PAGE, PAGE, &at)); /* up to it */
    assert_int_equal(at, MIB);
    assert_true(space_take_low(&space, MIB, FW_4G, PAGE, PAGE, &at)); /* from its very end */
    assert_int_equal(at, MIB + 3 * PAGE);
    assert_true(space_take_low(&space, MIB, MIB + 5 * PAGE, PAGE, PAGE, &at)); /* up to the limit */
    assert_int_equal(at, MIB + 4 * PAGE);
    assert_false(space_take_low(&space, MIB, MIB + 5 * PAGE, 1, PAGE, &at));
}

static void the_highest_place(void **state)
{
    uint64_t at;

    (void)state;
    begin(4 * MIB, 2 * MIB);
    assert_true(space_take_high(&space, UINT64_MAX, 2 * MIB, PAGE, &at));
    assert_true(at == FW_4G);
    assert_true(space_take_high(&space, FW_4G, PAGE + 1, PAGE, &at));
    assert_int_equal(at, 4 * MIB - 2 * PAGE);
    assert_true(space_take_high(&space, FW_4G, PAGE, PAGE, &at)); /* up to it */
    assert_int_equal(at, 4 * MIB - 3 * PAGE);
    assert_true(space_mark(&space, MIB + PAGE, 2 * MIB));
    assert_true(space_take_high(&space, 3 * MIB, PAGE, PAGE, &at)); /* below what is taken up to the limit */
    assert_int_equal(at, MIB);
    assert_true(space_take_high(&space, 3 * MIB, PAGE, PAGE, &at)); /* in the next piece of RAM below */
    assert_int_equal(at, FW_EBDA / PAGE * PAGE - PAGE);
    assert_false(space_take_high(&space, 3 * MIB, 3 * MIB, PAGE, &at));
    assert_false(space_take_high(&space, 10, 1, PAGE, &at));
}

static void sizes_and_limits_of_any_value(void **state)
{
    static const uint64_t any[] = {0,         1, PAGE, MIB, FW_4G - 1, FW_4G, 1ull << 63, UINT64_MAX - PAGE,
                                   UINT64_MAX};
    unsigned int i, j;

    (void)state;
    for (i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
        for (j = 0; j < sizeof(any) / sizeof(any[0]); j++) {
            uint64_t at;

            begin(4 * MIB, 2 * MIB);
            if (space_take_low(&space, any[i], UINT64_MAX, any[j], PAGE, &at))
                assert_true(space_is_ram(&space, at, any[j]) && at >= any[i]);
            if (space_take_high(&space, any[i], any[j], PAGE, &at))
                assert_true(space_is_ram(&space, at, any[j]) && at + any[j] <= any[i]);
            assert_int_equal(space_mark(&space, any[i], any[j]), any[j] <= UINT64_MAX - any[i]);
        }
    }
}

static void pieces_are_counted(void **state)
{
    uint64_t at;
    unsigned int i;

    (void)state;
    begin(4 * MIB, 0);
    for (i = 1; i < LOAD_SPANS; i++)
        assert_true(space_mark(&space, MIB, 1));
    assert_false(space_mark(&space, MIB, 1));
    assert_false(space_take_low(&space, 0, FW_4G, 1, PAGE, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ram_is_what_the_map_says),      cmocka_unit_test(the_lowest_place),
        cmocka_unit_test(around_what_is_taken),          cmocka_unit_test(the_highest_place),
        cmocka_unit_test(sizes_and_limits_of_any_value), cmocka_unit_test(pieces_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
