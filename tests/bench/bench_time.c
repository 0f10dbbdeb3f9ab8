/* What each operation of the coordinator costs, for so many timers in a VM, or so many VMs: run by
 * tests/bench/bench_time.py under callgrind, which counts the instructions between BEGIN and END. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "timers/coordinator.h"
#include "timers/vtime.h"

#define ROUNDS 256
#define HZ     1000000000u

/* ---- a VM with n timers of different periods, each in the queue ---- */

static struct vtime t;
static struct vtimer *timers;
static unsigned int n;
static rt_t now;
static uint64_t sum; /* what is computed is used */

static enum vt_outcome on_event(void *self, at_t at)
{
    (void)self;
    sum += at;
    return VT_DELIVERED;
}

static const struct vtimer_ops ops = {.event = on_event};

static void start_vm(unsigned int count)
{
    struct vtime_policy p = vtime_policy_defaults(HZ);

    n = count;
    now = 0;
    timers = calloc(n, sizeof(*timers));
    p.progress = 0;
    vtime_init(&t, &p, HZ, 0);
    for (unsigned int i = 0; i < n; i++) {
        struct vt_schedule s = {
            .first = 1000000 + i * 997 % n, .period_num = 1000000 + i * 61, .period_den = 1};

        vtime_attach(&t, &timers[i], "bench", &ops, NULL, 0);
        vtime_set(&t, &timers[i], &s);
    }
    vtime_vcpu_run(&t, 0);
    vtime_advance(&t, 1);
    for (unsigned int i = 0; i < 4 * n; i++) { /* until the queue is as it is in the long run */
        now = vtime_deadline(&t);
        vtime_advance(&t, now);
    }
}

static void stop_vm(void)
{
    free(timers);
}

static struct vtimer *nth(unsigned int i)
{
    return &timers[i * 7919u % n];
}

static void op_set(unsigned int i)
{
    struct vt_schedule s = {
        .first = vtime_peek(&t) + 1000 + i * 7919u % 1000000, .period_num = 1000000, .period_den = 1};

    vtime_set(&t, nth(i), &s);
}

static void op_clear_and_set(unsigned int i)
{
    vtime_clear(&t, nth(i));
    op_set(i);
}

static void op_read(unsigned int i)
{
    (void)i;
    sum += vtime_now(&t);
}

static void op_deadline(unsigned int i)
{
    (void)i;
    sum += vtime_deadline(&t);
}

static void op_line(unsigned int i)
{
    uint64_t offset;

    (void)i;
    sum += vtime_line(&t, &offset);
}

static void op_advance(unsigned int i)
{
    (void)i;
    now += vtime_deadline(&t) > now + 2;
    vtime_advance(&t, now);
}

static void op_event(unsigned int i)
{
    (void)i;
    now = vtime_deadline(&t);
    vtime_advance(&t, now);
}

static void op_switch_out_and_in(unsigned int i)
{
    (void)i;
    vtime_vcpu_stop(&t, 0);
    vtime_latch(&t, now);
    vtime_vcpu_run(&t, 0);
    vtime_advance(&t, now);
}

/* ---- n VMs' deadlines ---- */

static struct coordinator coordinator;
static struct deadline *deadlines;

static void on_arm(void *ctx, rt_t deadline)
{
    (void)ctx;
    sum += deadline;
}

static const struct coordinator_alarm_ops alarm_ops = {.arm = on_arm};

static void start_vms(unsigned int count)
{
    n = count;
    now = 0;
    deadlines = calloc(n, sizeof(*deadlines));
    coordinator_init(&coordinator, &alarm_ops, NULL);
    for (unsigned int i = 0; i < n; i++) {
        deadline_init(&deadlines[i], NULL);
        coordinator_set(&coordinator, &deadlines[i], 1000 + i * 7919u % (10 * n));
    }
}

static void stop_vms(void)
{
    free(deadlines);
}

static void op_coordinator_set(unsigned int i)
{
    coordinator_set(&coordinator, &deadlines[i * 7919u % n], 1000 + i * 104729u % (10 * n));
    coordinator_arm(&coordinator, RT_NEVER);
}

static void op_coordinator_clear_and_set(unsigned int i)
{
    coordinator_clear(&coordinator, &deadlines[i * 7919u % n]);
    op_coordinator_set(i);
}

static void op_coordinator_due_and_set(unsigned int i)
{
    struct deadline *d = coordinator_due(&coordinator, coordinator_next(&coordinator, RT_NEVER));

    coordinator_set(&coordinator, d, d->at + 1000 + i * 104729u % (10 * n));
    coordinator_arm(&coordinator, RT_NEVER);
}

/* ---- */

static void op_nothing(unsigned int i)
{
    (void)i;
}

static const struct {
    const char *name;
    void (*start)(unsigned int n);
    void (*run)(unsigned int i);
    void (*stop)(void);
    unsigned int counts[5];
} operations[] = {
    {"nothing", start_vm, op_nothing, stop_vm, {1}},
    {"set", start_vm, op_set, stop_vm, {1, 3, 10, 1000}},
    {"clear, set", start_vm, op_clear_and_set, stop_vm, {1, 3, 10, 1000}},
    {"read", start_vm, op_read, stop_vm, {1, 3, 10, 1000}},
    {"advance without an event", start_vm, op_advance, stop_vm, {1, 3, 10, 1000}},
    {"deadline, advance with an event", start_vm, op_event, stop_vm, {1, 3, 10, 1000}},
    {"deadline", start_vm, op_deadline, stop_vm, {1, 3, 10, 1000}},
    {"line", start_vm, op_line, stop_vm, {1, 3, 10, 1000}},
    {"switch out, in", start_vm, op_switch_out_and_in, stop_vm, {1, 3, 10, 1000}},
    {"coordinator: set", start_vms, op_coordinator_set, stop_vms, {1, 10, 1000, 10000}},
    {"coordinator: clear, set", start_vms, op_coordinator_clear_and_set, stop_vms, {1, 10, 1000, 10000}},
    {"coordinator: due, set", start_vms, op_coordinator_due_and_set, stop_vms, {1, 10, 1000, 10000}},
};

int main(void)
{
    for (size_t o = 0; o < sizeof(operations) / sizeof(operations[0]); o++) {
        for (size_t c = 0; c < 5 && operations[o].counts[c] != 0; c++) {
            char name[100];

            snprintf(name, sizeof(name), "%s/%u/%u", operations[o].name, operations[o].counts[c], ROUNDS);
            operations[o].start(operations[o].counts[c]);
            CALLGRIND_ZERO_STATS;
            CALLGRIND_TOGGLE_COLLECT;
            for (unsigned int i = 0; i < ROUNDS; i++) {
                operations[o].run(i);
            }
            CALLGRIND_TOGGLE_COLLECT;
            CALLGRIND_DUMP_STATS_AT(name);
            operations[o].stop();
        }
    }
    fprintf(stderr, "checksum %llu\n", (unsigned long long)sum);
    return 0;
}
