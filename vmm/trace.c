#include "vmm/trace.h"

#include "timers/vtime.h"
#include "vmm/string.h"
#include "vmm/vm.h"

static void put(const struct vm *vm, const struct vtimer *timer, enum trace_kind kind, rt_t rt, at_t at,
                uint64_t value, uint32_t arg)
{
    uint32_t who =
        timer ? trace_who(vm->index, timer->vcpu, timer->id) : trace_who(vm->index, 0, TRACE_NO_TIMER);

    trace_put(&vm->trace->events, who, kind, rt, at, value, arg);
}

#define NORMAL ((uint32_t)VT_NORMAL << TRACE_MODE_SHIFT | TRACE_RATE_ONE)

static uint32_t with_mode(enum vt_mode mode, uint64_t rest)
{
    return (uint32_t)mode << TRACE_MODE_SHIFT | (uint32_t)(rest < TRACE_REST ? rest : TRACE_REST);
}

/* ---- a VM's time: what timers/ reports ---- */

/* The record's RT is the moment of the delivery; `rt` is the one at which it was due (timers/deliver.c). With
 * time=naive an event is not the one that NRT_P belongs to. */
static void on_event(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, enum vt_mode mode,
                     enum vt_outcome outcome)
{
    const struct vm *vm = ctx;
    rt_t now = vm->time.rt_c;
    rt_t nrt = vm->time.nrt_p + (at - vm->time.at_p);

    put(vm, timer, outcome == VT_DELIVERED ? TRACE_DELIVER : TRACE_MERGE, now, at, rt - nrt,
        with_mode(mode, now - rt));
}

static void on_drop(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, uint64_t ticks)
{
    const struct vm *vm = ctx;

    (void)rt;
    put(vm, timer, TRACE_DROP, vm->time.rt_c, at, ticks, 0);
}

/* The adaptive rate changes with nearly every event while a VM catches up; in normal mode nothing changes for
 * hours, and nothing is written. */
static void on_decide(void *ctx, rt_t rt, enum vt_mode mode, struct vt_ratio c, const struct vt_moment *rt_n)
{
    struct vm *vm = ctx;
    uint32_t answer = NORMAL;

    (void)rt;
    if (mode != VT_NORMAL)
        answer = with_mode(mode, c.num < TRACE_REST ? c.num * TRACE_RATE_ONE / c.den : TRACE_REST);
    if (answer == vm->traced_mode)
        return;
    vm->traced_mode = answer;
    put(vm, vm->time.queue.head, TRACE_DECIDE, vm->time.rt_c, vm->time.at_l, rt_n ? rt_n->whole : RT_NEVER,
        answer);
}

static void on_set(void *ctx, const struct vtimer *timer, rt_t rt, uint64_t cancelled)
{
    const struct vm *vm = ctx;
    const struct vt_schedule *s = &timer->schedule;

    if (cancelled)
        put(vm, timer, TRACE_CANCEL, rt, vm->time.at_l, cancelled, 0);
    if (timer->armed)
        put(vm, timer, TRACE_ARM, rt, timer->at, s->period_num / s->period_den, 0);
    else
        put(vm, timer, TRACE_DISARM, rt, vm->time.at_l, 0, 0);
}

static void on_access(void *ctx, rt_t rt, at_t at)
{
    const struct vm *vm = ctx;

    if (vm->trace->full)
        trace_put(&vm->trace->exits, trace_who(vm->index, 0, TRACE_NO_TIMER), TRACE_READ, rt, at, 0, 0);
}

static void on_leap(void *ctx, rt_t rt, at_t at, at_t leapt)
{
    put(ctx, NULL, TRACE_LEAP, rt, at, leapt, 0);
}

static void on_move(void *ctx, rt_t rt, at_t at, bool moving)
{
    put(ctx, NULL, moving ? TRACE_RESUME : TRACE_LOSE, rt, at, 0, 0);
}

void trace_vm_time(struct vm *vm)
{
    static const struct vtime_observer observer = {
        .event = on_event,
        .drop = on_drop,
        .decide = on_decide,
        .set = on_set,
        .access = on_access,
        .leap = on_leap,
        .move = on_move,
    };

    vm->trace = host_trace();
    vm->traced_mode = NORMAL;
    vtime_observe(&vm->time, &observer, vm);
}

/* ---- names and accounts ---- */

static void put_name(const struct vm *vm, const struct vtimer *timer, const char *name)
{
    char text[TRACE_NAME_MAX] = {0};
    uint64_t halves[2];
    size_t n = strlen(name);

    memcpy(text, name, n < sizeof(text) ? n : sizeof(text));
    memcpy(halves, text, sizeof(halves));
    put(vm, timer, TRACE_NAME, vm->time.rt_c, halves[0], halves[1], 0);
}

static void put_pair(const struct vm *vm, const struct vtimer *timer, enum trace_ledger which, uint64_t one,
                     uint64_t two)
{
    put(vm, timer, TRACE_LEDGER, vm->time.rt_c, one, two, which);
}

static void put_ticks(const struct vm *vm, const struct vtimer *timer)
{
    struct vt_ticks k;

    vtime_ticks(&vm->time, timer, &k);
    put_name(vm, timer, timer->name);
    put_pair(vm, timer, TRACE_DUE_DELIVERED, k.due, k.delivered);
    put_pair(vm, timer, TRACE_MERGED_DROPPED, k.merged, k.dropped);
    put_pair(vm, timer, TRACE_CANCELLED_PENDING, k.cancelled, k.pending);
}

void trace_vm_account(struct vm *vm)
{
    struct vt_ledger l;

    put_name(vm, NULL, vm->config.name);
    for (const struct vtimer *timer = vm->time.timers; timer != NULL; timer = timer->sibling)
        put_ticks(vm, timer);
    vtime_ledger(&vm->time, &l);
    put_pair(vm, NULL, TRACE_ELAPSED_AT, l.elapsed, l.at);
    put_pair(vm, NULL, TRACE_RUN_LEAPT, l.run, l.leapt);
    put_pair(vm, NULL, TRACE_LAG_PAUSED, (uint64_t)l.lag, l.paused);
    put_pair(vm, NULL, TRACE_LEAPS_CATCHUPS, l.leaps, l.catchups);
    put_pair(vm, NULL, TRACE_MAX_LAG_LATENCY, (uint64_t)l.max_lag, l.max_latency);
}
