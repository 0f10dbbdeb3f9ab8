/* The ledger in words; see accounts.h. */
#include "kernel/accounts.h"

#include "timers/muldiv.h"
#include "timers/vtime.h"
#include "vmm/host.h"

#define LAGS_A_LINE 16u

static void print_timer(const struct vm *vm, const struct vtimer *timer)
{
    struct vt_ticks k;

    vtime_ticks(&vm->time, timer, &k);
    if (k.due == 0)
        return;
    host_log("vm %s timer %s due=%llu delivered=%llu merged=%llu dropped=%llu cancelled=%llu pending=%llu",
             vm->config.name, timer->name, (unsigned long long)k.due, (unsigned long long)k.delivered,
             (unsigned long long)k.merged, (unsigned long long)k.dropped, (unsigned long long)k.cancelled,
             (unsigned long long)k.pending);
}

static long long us_of(int64_t ticks)
{
    uint64_t us = vt_mul_div((uint64_t)(ticks < 0 ? -ticks : ticks), 1000000, host_hz());

    return ticks < 0 ? -(long long)us : (long long)us;
}

/* stats=lag: in us, some to a line. */
static void print_lag(const struct vm *vm)
{
    const struct lag_series *s = &vm->lag;
    char text[200];
    size_t length;

    for (unsigned int i = 0; i < s->used; i += LAGS_A_LINE) {
        length = 0;
        for (unsigned int k = i; k < s->used && k < i + LAGS_A_LINE; k++)
            length += (size_t)host_snprintf(text + length, sizeof text - length, " %lld", us_of(s->most[k]));
        host_log("vm %s lag from=%llu step=%llu us:%s", vm->config.name, (unsigned long long)(i * s->step),
                 (unsigned long long)s->step, text);
    }
}

void accounts_print(const struct vm *vm)
{
    struct vt_ledger l;

    vtime_ledger(&vm->time, &l);
    host_log("vm %s time rt=%llu at=%llu run=%llu leapt=%llu lag=%lld paused=%llu catchups=%llu leaps=%llu "
             "maxlag=%lld latency=%llu overshoot=%llu rdtsc=%llu balance=%s",
             vm->config.name, (unsigned long long)l.elapsed, (unsigned long long)l.at,
             (unsigned long long)l.run, (unsigned long long)l.leapt, (long long)l.lag,
             (unsigned long long)l.paused, (unsigned long long)l.catchups, (unsigned long long)l.leaps,
             (long long)l.max_lag, (unsigned long long)l.max_latency, (unsigned long long)l.max_overshoot,
             (unsigned long long)(vm_exits(vm, EXIT_RDTSC) + vm_exits(vm, EXIT_RDTSCP)),
             vtime_balances(&vm->time) ? "ok" : "BROKEN");
    for (const struct vtimer *timer = vm->time.timers; timer != NULL; timer = timer->sibling)
        print_timer(vm, timer);
    if (vm->config.keep_lag)
        print_lag(vm);
}
