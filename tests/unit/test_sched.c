/* links: kernel/sched.c */
/* The round-robin scheduler: DESIGN.md section 1 "slice"; issue "The machine runs", item 3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kernel/sched.h"

#define SLICE  10000u /* 1 tick = 1 us */
#define SECOND 1000000u

static void takes_turns(void **state)
{
    struct sched s;
    struct sched_entity e[3];

    (void)state;
    sched_init(&s, SLICE, true);
    for (unsigned int i = 0; i < 3; i++) {
        sched_add(&s, &e[i], NULL);
        sched_wake(&s, &e[i]);
    }
    for (unsigned int n = 0; n < 30; n++) {
        struct sched_entity *next = sched_pick(&s);

        assert_ptr_equal(next, &e[n % 3]);
        assert_int_equal(next->budget, SLICE);
        sched_ran(&s, SLICE, false);
    }
}

static void a_halted_one_gives_the_rest_away(void **state)
{
    struct sched s;
    struct sched_entity a;
    struct sched_entity b;

    (void)state;
    sched_init(&s, SLICE, true);
    sched_add(&s, &a, NULL);
    sched_add(&s, &b, NULL);
    sched_wake(&s, &a);
    sched_wake(&s, &b);
    assert_ptr_equal(sched_pick(&s), &a);
    sched_ran(&s, 100, true);
    assert_ptr_equal(sched_pick(&s), &b);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &b); /* alone: goes on */
    sched_ran(&s, 1, true);
    assert_null(sched_pick(&s));
}

static void a_woken_one_runs_next_and_the_other_resumes(void **state)
{
    struct sched s;
    struct sched_entity a;
    struct sched_entity b;
    struct sched_entity c;

    (void)state;
    sched_init(&s, SLICE, true);
    sched_add(&s, &a, NULL);
    sched_add(&s, &b, NULL);
    sched_add(&s, &c, NULL);
    sched_wake(&s, &a);
    sched_wake(&s, &b);
    assert_ptr_equal(sched_pick(&s), &a);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &b);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &a);
    assert_true(sched_wake(&s, &c));
    sched_ran(&s, 4000, false);
    assert_ptr_equal(sched_pick(&s), &c);
    sched_ran(&s, 50, true);
    assert_ptr_equal(sched_pick(&s), &a); /* in the middle of its slice: before b */
    assert_int_equal(a.budget, 6000);
    sched_ran(&s, 6000, false);
    assert_ptr_equal(sched_pick(&s), &b);
}

static void without_boost_a_woken_one_waits_its_turn(void **state)
{
    struct sched s;
    struct sched_entity a;
    struct sched_entity b;

    (void)state;
    sched_init(&s, SLICE, false);
    sched_add(&s, &a, NULL);
    sched_add(&s, &b, NULL);
    sched_wake(&s, &a);
    assert_ptr_equal(sched_pick(&s), &a);
    assert_false(sched_wake(&s, &b));
    sched_ran(&s, 10, false);
    assert_ptr_equal(sched_pick(&s), &a);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &b);
}

/* Three busy guests, one of which sleeps for `nap` ticks after every `work` ticks it ran: what each did in
 * `total`, when a switch costs `cost`. */
static void run_three(uint64_t work, uint64_t nap, uint64_t cost, uint64_t total, struct sched_entity e[3],
                      uint64_t did[3])
{
    struct sched s;
    uint64_t now = 0;
    uint64_t wake = UINT64_MAX;
    uint64_t done = 0; /* of its present piece of work */
    const struct sched_entity *last = NULL;

    sched_init(&s, SLICE, true);
    for (unsigned int i = 0; i < 3; i++) {
        sched_add(&s, &e[i], NULL);
        sched_wake(&s, &e[i]);
    }
    while (now < total) {
        struct sched_entity *c;
        uint64_t run;
        bool sleeps = false;

        if (wake <= now) {
            wake = UINT64_MAX;
            sched_wake(&s, &e[0]);
        }
        c = sched_pick(&s);
        if (c != last) {
            now += cost;
            sched_switched(&s, cost);
            last = c;
        }
        run = c->budget > 0 ? c->budget : 1;
        if (c == &e[0] && work - done < run) {
            run = work - done;
        }
        if (wake < now + run) {
            run = wake > now ? wake - now : 1;
        }
        now += run;
        did[c - e] += run;
        if (c == &e[0]) {
            done += run;
            sleeps = done == work;
        }
        sched_ran(&s, run, sleeps);
        if (sleeps) {
            done = 0;
            wake = now + nap;
        }
    }
}

static void a_third_each_within_one_percent(void **state)
{
    static const uint64_t naps[][2] = {{900, 100}, {990, 10}, {500, 500}, {1, 1}, {9999, 1}, {15000, 5}};

    (void)state;
    for (unsigned int n = 0; n < sizeof naps / sizeof naps[0]; n++) {
        struct sched_entity e[3];
        uint64_t did[3] = {0};

        run_three(naps[n][0], naps[n][1], 0, 3 * SECOND, e, did);
        for (unsigned int i = 0; i < 3; i++) {
            assert_in_range(e[i].used, SECOND - SECOND / 100, SECOND + SECOND / 100);
        }
    }
}

/* A wake-up is two switches, and the one that wakes pays for both: the others keep their third. */
static void who_wakes_pays_for_the_switches(void **state)
{
    struct sched_entity e[3];
    uint64_t did[3] = {0};

    (void)state;
    run_three(300, 100, 50, 30 * SECOND, e, did);
    assert_in_range(did[1], 10 * SECOND - SECOND / 10, 10 * SECOND + SECOND / 10);
    assert_in_range(did[2], 10 * SECOND - SECOND / 10, 10 * SECOND + SECOND / 10);
    assert_in_range(did[0], 5 * SECOND, 9 * SECOND);
}

static void a_light_sleeper_is_never_held_up(void **state)
{
    struct sched_entity e[3];
    uint64_t did[3] = {0};

    (void)state;
    /* 100 us of work every 1 ms: a tenth of the processor, less than its share, so it gets all that it wants.
     */
    run_three(100, 900, 0, SECOND, e, did);
    assert_in_range(e[0].used, 99000, 100000);
}

/* The running one gives its place and the rest of its slice to one that waits, and takes that one's place. */
static void two_of_one_account_swap(void **state)
{
    struct sched s;
    struct sched_entity e[4];

    (void)state;
    sched_init(&s, SLICE, false);
    for (unsigned int i = 0; i < 4; i++) {
        sched_add(&s, &e[i], NULL);
        sched_wake(&s, &e[i]);
    }
    assert_ptr_equal(sched_pick(&s), &e[0]);
    sched_ran(&s, 3000, false);
    sched_swap(&s, &e[0], &e[2]);
    assert_ptr_equal(sched_pick(&s), &e[2]);
    assert_int_equal(e[2].budget, SLICE - 3000);
    sched_ran(&s, SLICE - 3000, false);
    assert_ptr_equal(sched_pick(&s), &e[1]); /* others keep their turns */
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &e[0]);
    assert_int_equal(e[0].budget, SLICE);
    sched_ran(&s, 1, false);
    sched_swap(&s, &e[0], &e[3]); /* neighbours */
    assert_ptr_equal(sched_pick(&s), &e[3]);
    sched_ran(&s, SLICE - 1, false);
    assert_ptr_equal(sched_pick(&s), &e[0]);
    sched_ran(&s, SLICE, false); /* used up: there is nothing to give */
    sched_swap(&s, &e[0], &e[3]);
    assert_ptr_equal(sched_pick(&s), &e[2]);
    sched_ran(&s, 10, true);
    sched_swap(&s, &e[2], &e[1]); /* one that sleeps gives nothing */
    sched_swap(&s, &e[1], &e[2]);
    assert_ptr_equal(sched_pick(&s), &e[1]);
}

/* Who spins in vain goes behind those that wait, once; what it has used stays used. */
static void the_rest_of_a_slice_is_given_up(void **state)
{
    struct sched s;
    struct sched_entity e[3];

    (void)state;
    sched_init(&s, SLICE, false);
    for (unsigned int i = 0; i < 3; i++) {
        sched_add(&s, &e[i], NULL);
        sched_wake(&s, &e[i]);
    }
    assert_ptr_equal(sched_pick(&s), &e[0]);
    sched_ran(&s, 100, false);
    sched_give_up(&s, &e[0]);
    assert_int_equal(e[0].used, 100);
    assert_ptr_equal(sched_pick(&s), &e[1]);
    sched_ran(&s, SLICE, false); /* used up: it waits for its turn already */
    sched_give_up(&s, &e[1]);
    assert_ptr_equal(sched_pick(&s), &e[2]);
    sched_ran(&s, 10, true);
    sched_give_up(&s, &e[2]); /* asleep */
    assert_ptr_equal(sched_pick(&s), &e[0]);
    assert_int_equal(e[0].budget, SLICE);
    sched_ran(&s, 1, false);
    sched_remove(&s, &e[1]);
    sched_give_up(&s, &e[0]); /* to nobody */
    assert_ptr_equal(sched_pick(&s), &e[0]);
    assert_null(s.head);
}

/* Who finds at once that a sibling ought to run has used nothing: it gives its place all the same. */
static void one_that_has_used_nothing_gives_its_place(void **state)
{
    struct sched s;
    struct sched_entity e[3];

    (void)state;
    sched_init(&s, SLICE, false);
    for (int i = 0; i < 3; i++) {
        sched_add(&s, &e[i], NULL);
        sched_wake(&s, &e[i]);
    }
    assert_ptr_equal(sched_pick(&s), &e[0]);
    sched_ran(&s, 0, false);
    sched_swap(&s, &e[0], &e[0]); /* to itself: nothing */
    sched_swap(&s, &e[0], &e[2]);
    assert_ptr_equal(sched_pick(&s), &e[2]);
    assert_int_equal(e[2].budget, SLICE);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &e[1]);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &e[0]);
}

/* It comes from another processor, where it waited: it goes behind those that wait here, with a whole slice,
 * and counts as having waited, so that what passed is its VM's lag. What it has used stays. */
static void one_that_moves_here_waits_its_turn(void **state)
{
    struct sched from, to;
    struct sched_entity a, b, c;

    (void)state;
    sched_init(&from, SLICE, true);
    sched_init(&to, SLICE, true);
    sched_add(&from, &a, NULL);
    sched_add(&from, &b, NULL);
    sched_add(&to, &c, NULL);
    sched_wake(&from, &a);
    sched_wake(&from, &b);
    sched_wake(&to, &c);
    assert_ptr_equal(sched_pick(&from), &a);
    sched_ran(&from, 300, false);
    sched_remove(&from, &a);
    assert_int_equal(from.runnable, 1);
    sched_adopt(&to, &a);
    assert_int_equal(to.runnable, 2);
    assert_int_equal(a.used, 300);
    assert_int_equal(a.budget, SLICE);
    assert_ptr_equal(sched_pick(&to), &c);
    sched_ran(&to, SLICE, true);
    assert_ptr_equal(sched_pick(&to), &a);
    assert_true(a.waited);
    sched_ran(&to, SLICE, true);
}

static void one_that_moves_to_an_idle_one_has_waited_too(void **state)
{
    struct sched from, to;
    struct sched_entity a;

    (void)state;
    sched_init(&from, SLICE, true);
    sched_init(&to, SLICE, true);
    sched_add(&from, &a, NULL);
    sched_wake(&from, &a);
    sched_remove(&from, &a);
    sched_adopt(&to, &a);
    assert_ptr_equal(sched_pick(&to), &a);
    assert_true(a.waited);
    sched_ran(&to, 1, true);
    sched_wake(&to, &a);
    assert_ptr_equal(sched_pick(&to), &a);
    assert_false(a.waited);
    sched_ran(&to, 1, true);
}

/* One that holds what others wait for goes on at the end of its slice, a step at a time and not for ever, and
 * its next slice is as much shorter: in the long run it has no more than the others. */
static void a_loan_is_short_and_paid_back(void **state)
{
    struct sched s;
    struct sched_entity e[2];
    uint64_t lent = 0;

    (void)state;
    sched_init(&s, SLICE, false);
    for (unsigned int i = 0; i < 2; i++) {
        sched_add(&s, &e[i], NULL);
        sched_wake(&s, &e[i]);
    }
    assert_ptr_equal(sched_pick(&s), &e[0]);
    for (uint64_t budget = SLICE; sched_lend(&s); budget = e[0].budget) {
        sched_ran(&s, budget, false);
        assert_ptr_equal(sched_pick(&s), &e[0]); /* before the one that waits */
        assert_in_range(e[0].budget, 1, SLICE / 50);
        lent += e[0].budget;
    }
    assert_in_range(lent, SLICE / 10, SLICE / 8);
    sched_ran(&s, e[0].budget, false);
    assert_ptr_equal(sched_pick(&s), &e[1]);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &e[0]);
    assert_int_equal(e[0].budget, SLICE - lent);
    sched_ran(&s, e[0].budget, false);
    assert_int_equal(e[0].used, 2 * SLICE);
    assert_ptr_equal(sched_pick(&s), &e[1]);
    sched_ran(&s, SLICE, false);
    assert_ptr_equal(sched_pick(&s), &e[0]);
    assert_int_equal(e[0].budget, SLICE); /* all is paid */
    sched_ran(&s, 1, true);
}

/* Nor is it forgiven to one that sleeps, or moves to another processor. */
static void a_loan_is_not_slept_off(void **state)
{
    struct sched s, other;
    struct sched_entity a, b;
    uint64_t lent;

    (void)state;
    sched_init(&s, SLICE, true);
    sched_init(&other, SLICE, true);
    sched_add(&s, &a, NULL);
    sched_add(&s, &b, NULL);
    sched_wake(&s, &a);
    sched_wake(&s, &b);
    assert_ptr_equal(sched_pick(&s), &a);
    assert_true(sched_lend(&s));
    lent = a.owed;
    sched_ran(&s, SLICE + lent, true);
    for (unsigned int i = 0; i < 4; i++) {
        assert_ptr_equal(sched_pick(&s), &b);
        sched_ran(&s, SLICE, false);
    }
    sched_wake(&s, &a);
    sched_remove(&s, &a);
    sched_adopt(&other, &a);
    assert_ptr_equal(sched_pick(&other), &a);
    assert_int_equal(a.budget, SLICE - lent);
    sched_ran(&other, 1, true);
}

/* A slice of a few ticks has no part to lend. */
static void nothing_is_lent_of_the_shortest_slice(void **state)
{
    struct sched s;
    struct sched_entity a;

    (void)state;
    sched_init(&s, 1, true);
    sched_add(&s, &a, NULL);
    sched_wake(&s, &a);
    assert_ptr_equal(sched_pick(&s), &a);
    assert_false(sched_lend(&s));
    assert_int_equal(a.budget, 1);
    sched_ran(&s, 1, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_turns),
        cmocka_unit_test(a_halted_one_gives_the_rest_away),
        cmocka_unit_test(a_woken_one_runs_next_and_the_other_resumes),
        cmocka_unit_test(without_boost_a_woken_one_waits_its_turn),
        cmocka_unit_test(a_third_each_within_one_percent),
        cmocka_unit_test(who_wakes_pays_for_the_switches),
        cmocka_unit_test(a_light_sleeper_is_never_held_up),
        cmocka_unit_test(two_of_one_account_swap),
        cmocka_unit_test(the_rest_of_a_slice_is_given_up),
        cmocka_unit_test(one_that_has_used_nothing_gives_its_place),
        cmocka_unit_test(one_that_moves_here_waits_its_turn),
        cmocka_unit_test(one_that_moves_to_an_idle_one_has_waited_too),
        cmocka_unit_test(a_loan_is_short_and_paid_back),
        cmocka_unit_test(a_loan_is_not_slept_off),
        cmocka_unit_test(nothing_is_lent_of_the_shortest_slice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
