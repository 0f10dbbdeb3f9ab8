/* The timer event queue: figures 6A-6E, equal ATs, and the arithmetic of schedules. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "timers/muldiv.h"
#include "timers/queue.h"
#include "timers/vtime.h"

/* ---- a VM with the three timers of [0059] ---- */

struct vm {
    struct vtime time;
    struct vtimer timer[3];
    unsigned int next; /* of VTIMER3's list */
};

static const at_t vtimer3[] = {13, 34, 62, 124, 172};

static void arm_next(struct vm *vm)
{
    if (vm->next < sizeof(vtimer3) / sizeof(vtimer3[0])) {
        struct vt_schedule s = {.first = vtimer3[vm->next++], .period_den = 1};

        vtime_set(&vm->time, &vm->timer[2], &s);
    }
}

static enum vt_outcome on_event(void *self, at_t at)
{
    (void)self;
    (void)at;
    return VT_DELIVERED;
}

static enum vt_outcome on_oneshot(void *self, at_t at)
{
    (void)at;
    arm_next(self);
    return VT_DELIVERED;
}

static const struct vtimer_ops periodic_ops = {.event = on_event};
static const struct vtimer_ops oneshot_ops = {.event = on_oneshot};

static void start(struct vm *vm)
{
    struct vtime_policy policy = vtime_policy_figure7();
    struct vt_schedule first = {.first = 8, .period_num = 32, .period_den = 1};
    struct vt_schedule second = {.first = 8, .period_num = 48, .period_den = 1};

    *vm = (struct vm){0};
    vtime_init(&vm->time, &policy, 1, 0);
    vtime_attach(&vm->time, &vm->timer[0], "VTIMER1", &periodic_ops, vm, 0);
    vtime_attach(&vm->time, &vm->timer[1], "VTIMER2", &periodic_ops, vm, 0);
    vtime_attach(&vm->time, &vm->timer[2], "VTIMER3", &oneshot_ops, vm, 0);
    vtime_set(&vm->time, &vm->timer[0], &first);
    vtime_set(&vm->time, &vm->timer[1], &second);
    arm_next(vm);
    vtime_vcpu_run(&vm->time, 0);
}

/* The queue as "VTIMER2 56 48, VTIMER3 62 -": the columns 470, 476 and 480 of figure 6A. */
static const char *contents(const struct vm *vm)
{
    static char text[200];
    size_t length = 0;

    assert_true(queue_check(&vm->time.queue));
    text[0] = '\0';
    for (const struct vtimer *t = queue_after(&vm->time.queue, NULL); t != NULL;
         t = queue_after(&vm->time.queue, t)) {
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "%s%s %u %u", length != 0 ? ", " : "",
                             t->name, (unsigned int)t->at, (unsigned int)t->schedule.period_num);
    }
    return text;
}

static void run_to(struct vm *vm, rt_t rt)
{
    while (vtime_deadline(&vm->time) <= rt) {
        vtime_advance(&vm->time, vtime_deadline(&vm->time));
    }
    vtime_advance(&vm->time, rt);
    assert_null(vtime_check(&vm->time));
}

static void test_figures_6a_to_6e(void **state)
{
    struct vm vm;

    (void)state;
    start(&vm);
    run_to(&vm, 40);
    assert_string_equal(contents(&vm), "VTIMER2 56 48, VTIMER3 62 0, VTIMER1 72 32"); /* 6A, [0098] */
    run_to(&vm, 47);
    vtime_latch(&vm.time, 48);
    vtime_vcpu_stop(&vm.time, 0);
    vtime_latch(&vm.time, 113);
    vtime_vcpu_run(&vm.time, 0);
    run_to(&vm, 113);
    assert_string_equal(contents(&vm), "VTIMER3 62 0, VTIMER1 72 32, VTIMER2 104 48"); /* 6B, [0100] */
    assert_int_equal(vtime_deadline(&vm.time), 116);
    run_to(&vm, 116);
    assert_string_equal(contents(&vm), "VTIMER1 72 32, VTIMER2 104 48, VTIMER3 124 0"); /* 6C, [0102] */
    assert_int_equal(vtime_deadline(&vm.time), 121);
    run_to(&vm, 121);
    assert_string_equal(contents(&vm), "VTIMER1 104 32, VTIMER2 104 48, VTIMER3 124 0"); /* 6D, [0103] */
    assert_int_equal(vtime_deadline(&vm.time), 137);
    run_to(&vm, 130);
    assert_int_equal(vtime_now(&vm.time), 90); /* [0110] */
    assert_int_equal(vtime_deadline(&vm.time), 137);
    run_to(&vm, 137);
    assert_string_equal(contents(&vm), "VTIMER3 124 0, VTIMER1 136 32, VTIMER2 152 48"); /* 6E, [0104] */
    assert_int_equal(vtime_deadline(&vm.time), 147);
}

/* [0088]: "if the timer emulator updates ... the next event for VTIMER1 ... 51, ... the entry is moved to be
 * the first". And no further than needed: 56 stays behind its equal, 62 in front of it. */
static void test_reprogramming_moves_as_far_as_needed(void **state)
{
    struct vm vm;
    struct vt_schedule s = {.first = 51, .period_num = 32, .period_den = 1};

    (void)state;
    start(&vm);
    run_to(&vm, 40);
    vtime_set(&vm.time, &vm.timer[0], &s);
    assert_string_equal(contents(&vm), "VTIMER1 51 32, VTIMER2 56 48, VTIMER3 62 0");
    assert_int_equal(vtime_deadline(&vm.time), 51);
    s.first = 62;
    vtime_set(&vm.time, &vm.timer[0], &s); /* back, past strictly smaller ones only */
    assert_string_equal(contents(&vm), "VTIMER2 56 48, VTIMER1 62 32, VTIMER3 62 0");
    s.first = 72;
    vtime_set(&vm.time, &vm.timer[0], &s);
    s.first = 56;
    vtime_set(&vm.time, &vm.timer[0], &s); /* forward, past strictly greater ones only */
    assert_string_equal(contents(&vm), "VTIMER2 56 48, VTIMER1 56 32, VTIMER3 62 0");
    vtime_clear(&vm.time, &vm.timer[1]);
    vtime_set(&vm.time, &vm.timer[1], &s); /* a new entry goes behind its equals */
    assert_string_equal(contents(&vm), "VTIMER1 56 32, VTIMER2 56 32, VTIMER3 62 0");
}

/* Entries updated in one instant keep their order among each other, for ever. */
static void test_equal_timers_keep_their_order(void **state)
{
    struct vm vm;
    struct vt_schedule s = {.first = 10, .period_num = 10, .period_den = 1};

    (void)state;
    start(&vm);
    for (size_t i = 0; i < 3; i++) {
        vtime_clear(&vm.time, &vm.timer[i]);
    }
    vtime_set(&vm.time, &vm.timer[0], &s);
    vtime_set(&vm.time, &vm.timer[1], &s);
    for (rt_t rt = 10; rt < 200; rt += 10) {
        run_to(&vm, rt);
        assert_ptr_equal(vm.time.queue.head, &vm.timer[0]);
        assert_ptr_equal(queue_after(&vm.time.queue, &vm.timer[0]), &vm.timer[1]);
    }
}

/* ---- schedules ---- */

static uint64_t exact(const struct vt_schedule *s, uint64_t k)
{
    return s->first + (uint64_t)(((vt_u128)k * s->period_num + s->phase) / s->period_den);
}

static void test_fractional_periods_are_exact(void **state)
{
    /* a PIT of 1193181 2/3 Hz with a count of 1193, in AT of 2,893,299,000 Hz; and others */
    static const struct vt_schedule schedules[] = {
        {5, UINT64_C(1193) * 12 * 2893299000u, UINT64_C(14318180), 7654321},
        {0, 7, 3, 2},
        {100, 1, 1, 0},
        {3, UINT64_MAX - 1, UINT64_MAX / 5, 17},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++) {
        struct vtimer t = {.armed = true};

        schedule_start(&t, &schedules[i]);
        for (uint64_t k = 0; k < 1000; k++) {
            assert_true(t.at == exact(&schedules[i], k));
            assert_true(schedule_count(&t, t.at) == 1);
            assert_true(t.at == 0 || schedule_count(&t, t.at - 1) == 0);
            assert_true(schedule_count_all(&t, t.at) == k + 1);
            assert_true(schedule_skip(&t, 1));
        }
        assert_true(schedule_skip(&t, 1000000007));
        assert_true(t.at == exact(&schedules[i], 1000000007 + 1000));
        assert_true(schedule_count_all(&t, t.at) == 1000000007 + 1000 + 1);
    }
}

static void test_never_is_never(void **state)
{
    struct vt_schedule s = {.first = AT_LIMIT - 10, .period_num = 20, .period_den = 1};
    struct vt_schedule huge = {.first = 1, .period_num = UINT64_MAX, .period_den = 2, .phase = 1};
    struct vtimer t = {.armed = true};

    (void)state;
    schedule_start(&t, &s);
    assert_false(schedule_skip(&t, 1));
    schedule_start(&t, &huge);
    assert_false(schedule_skip(&t, 1));
    huge.phase = 0;
    schedule_start(&t, &huge);
    assert_false(schedule_skip(&t, 3)); /* the quotient needs 65 bits by a hair */
    schedule_start(&t, &s);
    assert_false(schedule_skip(&t, UINT64_MAX));
}

static void test_a_period_below_one_tick_is_one_tick(void **state)
{
    struct vt_schedule s = {.first = 10, .period_num = 2, .period_den = 3, .phase = 1};
    struct vtimer t = {.armed = true};

    (void)state;
    schedule_start(&t, &s);
    assert_true(schedule_skip(&t, 5));
    assert_int_equal(t.at, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_6a_to_6e),
        cmocka_unit_test(test_reprogramming_moves_as_far_as_needed),
        cmocka_unit_test(test_equal_timers_keep_their_order),
        cmocka_unit_test(test_fractional_periods_are_exact),
        cmocka_unit_test(test_never_is_never),
        cmocka_unit_test(test_a_period_below_one_tick_is_one_tick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
