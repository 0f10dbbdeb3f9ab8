/* links: arch/x86/madt.c arch/x86/warp.c kernel/request.c kernel/lock_order.c */
/* What the start of further processors and their ways of talking stand on: the MADT (ACPI 6.4, 5.2.12), the
 * comparison of TSCs (DESIGN.md 2: real time is common to all processors), requests, and the order of locks
 * (issue "Several processors"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "arch/x86/madt.h"
#include "arch/x86/warp.h"
#include "kernel/lock_order.h"
#include "kernel/request.h"

/* ---- MADT ---- */

#define HEADER 44

static uint8_t table[512];
static uint32_t length;

static void begin_table(void)
{
    memset(table, 0, sizeof(table));
    length = HEADER;
}

static void add_lapic(uint8_t id, uint32_t flags)
{
    const uint8_t entry[8] = {0, 8, id, id, (uint8_t)flags};

    memcpy(table + length, entry, sizeof(entry));
    length += sizeof(entry);
}

static void add_x2apic(uint32_t id, uint32_t flags)
{
    uint8_t entry[16] = {9, 16};

    memcpy(entry + 4, &id, sizeof(id));
    memcpy(entry + 8, &flags, sizeof(flags));
    memcpy(table + length, entry, sizeof(entry));
    length += sizeof(entry);
}

static void enabled_processors_in_their_order(void **state)
{
    uint32_t ids[8];

    (void)state;
    begin_table();
    add_lapic(0, 1);
    add_lapic(4, 0); /* not there */
    add_lapic(6, 2); /* online capable only: not there yet */
    add_lapic(2, 1);
    add_x2apic(0x1234, 1);
    add_x2apic(2, 1); /* the same once more */
    add_x2apic(7, 0);
    assert_int_equal(madt_processors(table, length, ids, 8), 3);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 2);
    assert_int_equal(ids[2], 0x1234);
    assert_int_equal(madt_processors(table, length, ids, 2), 2);
}

static void other_entries_are_passed_over(void **state)
{
    const uint8_t ioapic[12] = {1, 12, 5, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    uint32_t ids[8];

    (void)state;
    begin_table();
    memcpy(table + length, ioapic, sizeof(ioapic));
    length += sizeof(ioapic);
    add_lapic(3, 1);
    assert_int_equal(madt_processors(table, length, ids, 8), 1);
    assert_int_equal(ids[0], 3);
}

static void damaged_tables_end_the_list(void **state)
{
    uint32_t ids[8];

    (void)state;
    begin_table();
    add_lapic(1, 1);
    add_lapic(2, 1);
    table[HEADER + 8 + 1] = 0; /* no length: it would never end */
    assert_int_equal(madt_processors(table, length, ids, 8), 1);
    table[HEADER + 8 + 1] = 9; /* past the table's end */
    assert_int_equal(madt_processors(table, length, ids, 8), 1);
    table[HEADER + 8 + 1] =
        7; /* too short for its kind; what follows begins in its middle, and does not fit */
    assert_int_equal(madt_processors(table, length, ids, 8), 1);
    table[HEADER] = 9; /* an x2APIC entry of 8 bytes */
    assert_int_equal(madt_processors(table, length, ids, 8), 0);
    assert_int_equal(madt_processors(table, HEADER, ids, 8), 0);
    assert_int_equal(madt_processors(table, 3, ids, 8), 0);
}

/* No length makes it read past the table: the sanitizer watches. */
static void any_length_is_survived(void **state)
{
    uint32_t ids[8];

    (void)state;
    for (uint32_t n = 0; n < 64; n++) {
        uint8_t exact[HEADER + 64];

        for (uint32_t i = 0; i < sizeof(exact); i++)
            exact[i] = (uint8_t)(i * 7 + n);
        assert_true(madt_processors(exact + 64 - n, HEADER + n, ids, 8) <= 8);
    }
}

/* ---- TSCs ---- */

static void tscs_that_agree(void **state)
{
    struct warp w;

    (void)state;
    warp_init(&w);
    warp_note(&w, 100);
    warp_note(&w, 100); /* as fine as the clock is */
    warp_note(&w, 101);
    assert_int_equal(w.backwards, 0);
    assert_int_equal(w.turn, 3);
}

/* One is 50 ticks behind: every second reading steps back by less than that, by what passed meanwhile. */
static void the_largest_step_back_counts(void **state)
{
    struct warp w;

    (void)state;
    warp_init(&w);
    warp_note(&w, 1000);
    warp_note(&w, 960);
    warp_note(&w, 1020);
    warp_note(&w, 973);
    warp_note(&w, 1040);
    assert_int_equal(w.backwards, 47);
}

static void *partner(void *arg)
{
    return warp_run(arg, false, UINT64_MAX) ? arg : NULL;
}

/* The processors of the machine that runs this have one TSC. */
static void two_processors_take_turns(void **state)
{
    struct warp w;
    pthread_t thread;
    void *result;

    (void)state;
    warp_init(&w);
    assert_int_equal(pthread_create(&thread, NULL, partner, &w), 0);
    assert_true(warp_run(&w, true, UINT64_MAX));
    pthread_join(thread, &result);
    assert_ptr_equal(result, &w);
    assert_int_equal(w.turn, WARP_TURNS);
}

static void a_dead_partner_is_given_up(void **state)
{
    struct warp w;

    (void)state;
    warp_init(&w);
    assert_false(warp_run(&w, true, 100));
    assert_int_equal(w.turn, 1);
}

/* ---- requests ---- */

static struct request *carried[4];
static unsigned int ncarried;

static void carry(struct request *r)
{
    carried[ncarried++] = r;
}

static void requests_come_in_order(void **state)
{
    struct inbox box = {0};
    struct request r[3] = {{.carry_out = carry}, {.carry_out = carry}, {.carry_out = carry}};

    (void)state;
    ncarried = 0;
    inbox_serve(&box);
    assert_int_equal(ncarried, 0);
    for (unsigned int i = 0; i < 3; i++)
        inbox_put(&box, &r[i]);
    inbox_serve(&box);
    inbox_serve(&box);
    assert_int_equal(ncarried, 3);
    for (unsigned int i = 0; i < 3; i++)
        assert_ptr_equal(carried[i], &r[i]);
}

static struct inbox again;

static void put_again(struct request *r)
{
    if (++ncarried < 3)
        inbox_put(&again, r);
}

/* Carried out it is free to go anywhere; what comes meanwhile is for the next time. */
static void one_may_be_put_again_while_it_is_served(void **state)
{
    struct request r = {.carry_out = put_again};

    (void)state;
    ncarried = 0;
    inbox_put(&again, &r);
    inbox_serve(&again);
    assert_int_equal(ncarried, 1);
    inbox_serve(&again);
    inbox_serve(&again);
    inbox_serve(&again);
    assert_int_equal(ncarried, 3);
}

#define SENDERS 3
#define EACH    20000

struct numbered {
    struct request request; /* first */
    unsigned int sender, number;
};

static struct inbox shared;
static struct numbered sent[SENDERS][EACH];
static unsigned int last[SENDERS], disorder, received;

static void check_order(struct request *r)
{
    const struct numbered *n = (const struct numbered *)r;

    disorder += n->number != last[n->sender]++;
    received++;
}

static void *sender(void *arg)
{
    struct numbered *mine = arg;

    for (unsigned int i = 0; i < EACH; i++)
        inbox_put(&shared, &mine[i].request);
    return NULL;
}

static void several_senders_lose_nothing(void **state)
{
    pthread_t threads[SENDERS];

    (void)state;
    for (unsigned int s = 0; s < SENDERS; s++) {
        for (unsigned int i = 0; i < EACH; i++)
            sent[s][i] = (struct numbered){{.carry_out = check_order}, s, i};
        assert_int_equal(pthread_create(&threads[s], NULL, sender, sent[s]), 0);
    }
    while (received < SENDERS * EACH)
        inbox_serve(&shared);
    for (unsigned int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    inbox_serve(&shared);
    assert_int_equal(received, SENDERS * EACH);
    assert_int_equal(disorder, 0);
}

/* ---- the order of locks ---- */

static void one_order_is_fine_and_the_other_is_not(void **state)
{
    struct lock_order o = {0};

    (void)state;
    assert_true(lock_order_take(&o, 0, LOCK_PAGES));
    assert_true(lock_order_take(&o, 0, LOCK_CONSOLE));
    assert_true(lock_order_take(&o, 1u << LOCK_CONSOLE, LOCK_PAGES));
    assert_true(lock_order_take(&o, 1u << LOCK_CONSOLE, LOCK_PAGES));
    assert_false(lock_order_take(&o, 1u << LOCK_PAGES, LOCK_CONSOLE));
    assert_true(lock_order_take(&o, 0, LOCK_CONSOLE));
}

static void a_lock_twice_is_a_wait_for_oneself(void **state)
{
    struct lock_order o = {0};

    (void)state;
    assert_false(lock_order_take(&o, 1u << LOCK_PAGES, LOCK_PAGES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enabled_processors_in_their_order),
        cmocka_unit_test(other_entries_are_passed_over),
        cmocka_unit_test(damaged_tables_end_the_list),
        cmocka_unit_test(any_length_is_survived),
        cmocka_unit_test(tscs_that_agree),
        cmocka_unit_test(the_largest_step_back_counts),
        cmocka_unit_test(two_processors_take_turns),
        cmocka_unit_test(a_dead_partner_is_given_up),
        cmocka_unit_test(requests_come_in_order),
        cmocka_unit_test(one_may_be_put_again_while_it_is_served),
        cmocka_unit_test(several_senders_lose_nothing),
        cmocka_unit_test(one_order_is_fine_and_the_other_is_not),
        cmocka_unit_test(a_lock_twice_is_a_wait_for_oneself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
