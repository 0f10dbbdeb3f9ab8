/* The coordinator's deadlines: against a plain search, and how often the hardware is armed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/coordinator.h"

struct alarm {
    rt_t armed;
    unsigned int arms;
};

static void on_arm(void *ctx, rt_t deadline)
{
    struct alarm *a = ctx;

    assert_true(deadline != a->armed);
    a->armed = deadline;
    a->arms++;
}

static const struct coordinator_alarm_ops ops = {.arm = on_arm};

#define NODES 40

struct rig {
    struct coordinator c;
    struct alarm alarm;
    struct deadline node[NODES];
};

static void start(struct rig *r)
{
    *r = (struct rig){.alarm.armed = RT_NEVER};
    coordinator_init(&r->c, &ops, &r->alarm);
    for (size_t i = 0; i < NODES; i++) {
        deadline_init(&r->node[i], &r->node[i]);
    }
}

/* [0087]-[0088]: the hardware is set only if the earliest deadline has changed. */
static void test_arms_only_for_a_new_earliest(void **state)
{
    struct rig r;

    (void)state;
    start(&r);
    coordinator_set(&r.c, &r.node[0], 100);
    assert_int_equal(r.alarm.arms, 0); /* nobody enters yet */
    assert_int_equal(coordinator_arm(&r.c, RT_NEVER), 100);
    assert_int_equal(r.alarm.armed, 100);
    coordinator_set(&r.c, &r.node[1], 200);
    coordinator_set(&r.c, &r.node[2], 100);
    coordinator_set(&r.c, &r.node[1], 150);
    coordinator_clear(&r.c, &r.node[0]); /* node 2 has the same deadline */
    assert_int_equal(coordinator_arm(&r.c, RT_NEVER), 100);
    assert_int_equal(r.alarm.arms, 1);
    coordinator_clear(&r.c, &r.node[2]);
    assert_int_equal(coordinator_arm(&r.c, RT_NEVER), 150);
    assert_int_equal(r.alarm.armed, 150);
    coordinator_set(&r.c, &r.node[1], RT_NEVER);
    assert_true(coordinator_arm(&r.c, RT_NEVER) == RT_NEVER);
    assert_true(r.alarm.armed == RT_NEVER);
    assert_false(deadline_waits(&r.node[1]));
    assert_int_equal(r.alarm.arms, 3);
}

/* DESIGN.md 2.9: "the running VM's RT_N, the end of the slice, the RT_N of a halted VM that must be woken".
 */
static void test_who_enters_brings_a_deadline(void **state)
{
    struct rig r;

    (void)state;
    start(&r);
    coordinator_set(&r.c, &r.node[0], 100);
    assert_int_equal(coordinator_arm(&r.c, 70), 70);
    assert_int_equal(r.alarm.armed, 70);
    assert_int_equal(coordinator_arm(&r.c, 100), 100);
    assert_int_equal(coordinator_arm(&r.c, 130), 100);
    assert_int_equal(r.alarm.armed, 100);
    assert_int_equal(r.alarm.arms, 2);
    assert_int_equal(coordinator_next(&r.c, 99), 99); /* asks only */
    assert_int_equal(r.alarm.armed, 100);
}

/* Whatever is taken out and set between two entries, the hardware is armed once, and after its interrupt even
 * for the deadline that it was armed for. */
static void test_arms_once_for_each_turn(void **state)
{
    struct rig r;
    struct deadline *d;

    (void)state;
    start(&r);
    coordinator_set(&r.c, &r.node[0], 10);
    coordinator_set(&r.c, &r.node[1], 11);
    coordinator_set(&r.c, &r.node[2], 12);
    coordinator_arm(&r.c, RT_NEVER);
    r.alarm.armed = RT_NEVER;
    coordinator_fired(&r.c);
    while ((d = coordinator_due(&r.c, 11)) != NULL) {
        coordinator_set(&r.c, d->owner, d->at + 100);
    }
    assert_int_equal(r.alarm.arms, 1);
    coordinator_arm(&r.c, RT_NEVER);
    assert_int_equal(r.alarm.arms, 2);
    assert_int_equal(r.alarm.armed, 12);
    r.alarm.armed = RT_NEVER;
    coordinator_fired(&r.c);
    coordinator_arm(&r.c, RT_NEVER);
    assert_int_equal(r.alarm.armed, 12);
    assert_true(coordinator_check(&r.c));
}

static void test_equal_deadlines_come_in_order(void **state)
{
    struct rig r;

    (void)state;
    start(&r);
    for (size_t i = 0; i < NODES; i++) {
        coordinator_set(&r.c, &r.node[(i * 7) % NODES], 5);
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_ptr_equal(coordinator_due(&r.c, 5), &r.node[(i * 7) % NODES]);
    }
    assert_null(coordinator_due(&r.c, RT_NEVER));
}

static rt_t earliest(const struct rig *r)
{
    rt_t at = RT_NEVER;

    for (size_t i = 0; i < NODES; i++) {
        if (deadline_waits(&r->node[i]) && r->node[i].at < at) {
            at = r->node[i].at;
        }
    }
    return at;
}

static void test_random_against_a_search(void **state)
{
    struct rig r;
    uint64_t x = 42;
    rt_t now = 0;

    (void)state;
    start(&r);
    for (int step = 0; step < 30000; step++) {
        struct deadline *node;

        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        node = &r.node[(x >> 33) % NODES];
        switch ((x >> 60) % 4) {
        case 0:
            coordinator_clear(&r.c, node);
            break;
        case 1:
            now += (x >> 40) % 50;
            while ((node = coordinator_due(&r.c, now)) != NULL) {
                assert_true(node->at <= now && node->at <= earliest(&r));
                assert_false(deadline_waits(node));
            }
            break;
        default:
            coordinator_set(&r.c, node, now + (x >> 40) % 1000);
        }
        rt_t own = now + (x >> 20) % 2000;
        rt_t least = own < earliest(&r) ? own : earliest(&r);
        assert_true(coordinator_next(&r.c, RT_NEVER) == earliest(&r));
        assert_true(coordinator_arm(&r.c, own) == least);
        assert_true(r.alarm.armed == least); /* "the armed deadline is the minimum" */
        assert_true(coordinator_check(&r.c));
    }
    assert_int_equal(r.alarm.arms, r.c.arms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arms_only_for_a_new_earliest),
        cmocka_unit_test(test_who_enters_brings_a_deadline),
        cmocka_unit_test(test_arms_once_for_each_turn),
        cmocka_unit_test(test_equal_deadlines_come_in_order),
        cmocka_unit_test(test_random_against_a_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
