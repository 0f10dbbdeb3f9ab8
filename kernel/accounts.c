/* The ledger in words; see accounts.h. */
#include "kernel/accounts.h"

#include "timers/vtime.h"
#include "vmm/host.h"

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
}
