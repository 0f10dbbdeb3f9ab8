/* Several busy VMs on one processor, by the coordinator ([0113], DESIGN.md 2.8 and 2.9): the adaptive rate
 * keeps the lag bounded and loses no tick; a fixed C below the number of VMs cannot, and leaps. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/coordinator.h"
#include "timers/vtime.h"

#define HZ       UINT64_C(1000000000)
#define MS       (HZ / 1000)
#define SLICE    (10 * MS)
#define HANDLING 3000 /* a guest's interrupt handler, in RT */
#define MOST     8
#define TIMERS   3

/* PIT, RTC and LAPIC timer: periods in ns. */
static const uint64_t periods[TIMERS] = {1000000, 976562, 2500000};

struct busy_vm;

struct busy_timer {
    struct vtimer timer;
    struct busy_vm *vm;
    uint64_t handled_at; /* the guest has taken the last interrupt when it has executed this much */
};

struct busy_vm {
    struct vtime time;
    struct busy_timer timers[TIMERS];
    at_t last;         /* event */
    uint64_t executed; /* before `since` */
    rt_t since;
};

static struct busy_vm vms[MOST];
static struct coordinator coordinator;
static rt_t armed;

static uint64_t executed(const struct busy_vm *vm)
{
    return vm->executed + (vm->time.cpu[0].state == VT_CPU_RUNNING ? vm->time.rt_c - vm->since : 0);
}

static enum vt_outcome on_event(void *self, at_t at)
{
    struct busy_timer *timer = self;
    bool merged = executed(timer->vm) < timer->handled_at;

    assert_true(at >= timer->vm->last); /* no inversion */
    timer->vm->last = at;
    timer->handled_at = executed(timer->vm) + HANDLING;
    return merged ? VT_MERGED : VT_DELIVERED;
}

static bool outstanding(void *self)
{
    const struct busy_timer *timer = self;

    return executed(timer->vm) < timer->handled_at;
}

static const struct vtimer_ops timer_ops = {.event = on_event, .outstanding = outstanding};

static void on_arm(void *ctx, rt_t deadline)
{
    (void)ctx;
    armed = deadline;
}

static const struct coordinator_alarm_ops alarm_ops = {on_arm};

static void start_vm(struct busy_vm *vm, const struct vtime_policy *p)
{
    *vm = (struct busy_vm){0};
    vtime_init(&vm->time, p, HZ, 0);
    for (size_t i = 0; i < TIMERS; i++) {
        struct vt_schedule s = {.first = periods[i], .period_num = periods[i], .period_den = 1};

        vm->timers[i].vm = vm;
        vtime_attach(&vm->time, &vm->timers[i].timer, "busy", &timer_ops, &vm->timers[i], 0);
        vtime_set(&vm->time, &vm->timers[i].timer, &s);
    }
}

/* One slice: the VM is taken out at the armed deadlines and at the slice's end. */
static void run_slice(struct busy_vm *vm, rt_t from, rt_t to)
{
    rt_t now = from;

    vtime_latch(&vm->time, from);
    vm->since = from;
    vtime_vcpu_run(&vm->time, 0);
    do {
        rt_t deadline;

        vtime_advance(&vm->time, now);
        deadline = vtime_deadline(&vm->time);
        coordinator_arm(&coordinator, deadline < to ? deadline : to);
        assert_true(armed == (deadline < to ? deadline : to));
        now = armed > now ? armed : now;
    } while (now < to);
    vtime_latch(&vm->time, to);
    vm->executed = executed(vm);
    vtime_vcpu_stop(&vm->time, 0);
    assert_null(vtime_check(&vm->time));
}

/* Round robin of n busy VMs for so many seconds. */
static void run_all(unsigned int n, const struct vtime_policy *p, unsigned int seconds)
{
    rt_t now = 0;

    coordinator_init(&coordinator, &alarm_ops, NULL);
    armed = RT_NEVER;
    for (unsigned int i = 0; i < n; i++) {
        start_vm(&vms[i], p);
    }
    for (unsigned int turn = 0; now < seconds * HZ; turn++) {
        run_slice(&vms[turn % n], now, now + SLICE);
        now += SLICE;
    }
}

static void adaptive(unsigned int n, unsigned int seconds)
{
    struct vtime_policy p = vtime_policy_defaults(HZ);
    /* It settles where share * C = 1, that is at a lag of (n - 1) tau when the slice ends; and away it grows.
     */
    int64_t bound = (int64_t)((n - 1) * (p.tau + SLICE) + SLICE);

    p.maxrate = (struct vt_ratio){4 * n, 1};
    run_all(n, &p, seconds);
    for (unsigned int i = 0; i < n; i++) {
        struct vt_ledger l;

        vtime_ledger(&vms[i].time, &l);
        assert_true(l.max_lag > 0 && l.max_lag <= bound);
        assert_int_equal(l.leaps, 0);
        for (size_t k = 0; k < TIMERS; k++) {
            struct vt_ticks ticks;

            vtime_ticks(&vms[i].time, &vms[i].timers[k].timer, &ticks);
            assert_int_equal(ticks.due, l.elapsed / periods[k]);
            assert_int_equal(ticks.merged, 0);
            assert_int_equal(ticks.dropped, 0);
            assert_true(ticks.pending <= (uint64_t)bound / periods[k] + 1);
        }
    }
}

static void p0094_adaptive_rate_with_2_busy_vms(void **state)
{
    (void)state;
    adaptive(2, 60);
}

static void p0094_adaptive_rate_with_4_busy_vms(void **state)
{
    (void)state;
    adaptive(4, 60);
}

static void p0094_adaptive_rate_with_8_busy_vms(void **state)
{
    (void)state;
    adaptive(8, 60);
}

/* DESIGN.md 2.8: "A fixed C can never catch up a VM that gets less than 1/C of the processor". */
static void p0094_a_fixed_rate_falls_behind_and_leaps(void **state)
{
    struct vtime_policy p = vtime_policy_defaults(HZ);
    struct vt_ledger l;
    struct vt_ticks ticks;

    (void)state;
    p.rate = VT_RATE_FIXED;
    p.leap = 2 * HZ;
    run_all(4, &p, 20); /* C = 2 */
    vtime_ledger(&vms[0].time, &l);
    assert_true(l.leaps >= 3);
    vtime_ticks(&vms[0].time, &vms[0].timers[0].timer, &ticks);
    assert_true(ticks.dropped > 1000);
    p.c = (struct vt_ratio){5, 1};
    run_all(4, &p, 20);
    vtime_ledger(&vms[0].time, &l);
    assert_int_equal(l.leaps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p0094_adaptive_rate_with_2_busy_vms),
        cmocka_unit_test(p0094_adaptive_rate_with_4_busy_vms),
        cmocka_unit_test(p0094_adaptive_rate_with_8_busy_vms),
        cmocka_unit_test(p0094_a_fixed_rate_falls_behind_and_leaps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
