/* What the monitor shows of time: apparent times, ledgers, queues, deadlines. */
#include "kernel/describe.h"
#include "kernel/monitor_internal.h"
#include "kernel/processor.h"
#include "kernel/smp.h"
#include "timers/queue.h"
#include "timers/muldiv.h"
#include "vmm/host.h"

/* ---- time ---- */

/* C as a person reads it: "1", "3.25", "4". */
static void show_rate(const struct vtime *t, char *out, size_t size)
{
    uint64_t hundredths = vtime_mode(t) == VT_CATCHUP ? vt_mul_div(t->c.num, 100, t->c.den) : 100;

    host_snprintf(out, size, "%llu.%02llu", (unsigned long long)(hundredths / 100),
                  (unsigned long long)(hundredths % 100));
}

static const char *mode_name(const struct vtime *t)
{
    return t->paused ? "paused" : vtime_mode(t) == VT_CATCHUP ? "catchup" : "normal";
}

static const char *balance(const struct vtime *t)
{
    return vtime_balances(t) ? "balances" : "DOES NOT BALANCE";
}

/* On its processor, as all of these. */
static void show_line(struct guest *g, void *arg)
{
    const struct vtime *t;
    struct vt_ledger l;
    char rate[24], at[MONITOR_TIME], rt[MONITOR_TIME], lag[MONITOR_TIME], leapt[MONITOR_TIME],
        paused[MONITOR_TIME];

    (void)arg;
    if (g->vm.state != VM_RUNNING)
        return;
    t = monitor_time_of(&g->vm, host_now());
    vtime_ledger(t, &l);
    show_rate(t, rate, sizeof rate);
    monitor_say("%-16s  %-7s  %5s  %12s  %12s  %11s  %9s  %9s  %s", g->vm.config.name, mode_name(t), rate,
                monitor_seconds(at, l.at), monitor_seconds(rt, l.elapsed), monitor_signed_ms(lag, l.lag),
                monitor_seconds(leapt, l.leapt), monitor_seconds(paused, l.paused), balance(t));
}

static void show_all(void)
{
    monitor_say(
        "%-16s  mode      rate          AT s          RT s       lag ms    leapt s   paused s  ledger", "vm");
    for (unsigned int i = 0; i < guests_count(); i++)
        processor_call(guests_get(i), show_line, NULL);
}

static void show_settings(const struct vtime_settings *s, const struct vtime *t)
{
    char text[160];

    describe_settings(text, sizeof text, s, t->policy.maxrate.num / t->policy.maxrate.den);
    monitor_say("  settings: %s", text);
}

static void show_ledger(const struct vtime *t)
{
    char a[MONITOR_TIME], b[MONITOR_TIME], c[MONITOR_TIME], d[MONITOR_TIME], e[MONITOR_TIME];
    struct vt_ledger l;

    vtime_ledger(t, &l);
    monitor_say("  RT %s s = run %s + leapt %s + lag %s ms + paused %s; AT = run + leapt; it %s",
                monitor_seconds(a, l.elapsed), monitor_seconds(b, l.run), monitor_seconds(c, l.leapt),
                monitor_signed_ms(d, l.lag), monitor_seconds(e, l.paused), balance(t));
    monitor_say("  %llu leaps, %llu catch-ups; at most: lag %s ms, latency %s ms, overshoot %s ms",
                (unsigned long long)l.leaps, (unsigned long long)l.catchups, monitor_signed_ms(a, l.max_lag),
                monitor_signed_ms(b, (int64_t)l.max_latency), monitor_signed_ms(c, (int64_t)l.max_overshoot));
}

static void show_ticks(const struct vtime *t)
{
    monitor_say("  %-12s %12s %12s %10s %10s %10s %8s", "timer", "due", "delivered", "merged", "dropped",
                "cancelled", "pending");
    for (const struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        struct vt_ticks k;

        vtime_ticks(t, timer, &k);
        monitor_say("  %-12s %12llu %12llu %10llu %10llu %10llu %8llu", timer->name,
                    (unsigned long long)k.due, (unsigned long long)k.delivered, (unsigned long long)k.merged,
                    (unsigned long long)k.dropped, (unsigned long long)k.cancelled,
                    (unsigned long long)k.pending);
    }
}

static void show_one(struct guest *g, void *arg)
{
    const struct vm *vm = &g->vm;
    const struct vtime *t = monitor_time_of(vm, host_now());
    char at[MONITOR_TIME], rate[24];

    (void)arg;
    show_rate(t, rate, sizeof rate);
    monitor_say("%s: AT %s s, mode %s, rate %s", vm->config.name, monitor_seconds(at, vtime_peek(t)),
                mode_name(t), rate);
    show_ledger(t);
    show_settings(&vm->config.time, t);
    show_ticks(t);
}

void command_time(unsigned int argc, char **argv)
{
    if (argc > 1)
        monitor_on_vm(argv[1], show_one, NULL);
    else
        show_all();
}

/* ---- queue: the columns of figure 6A ([0085]), and how far away each event is ---- */

static void show_entry(const struct vtimer *timer, at_t at)
{
    const struct vt_schedule *s = &timer->schedule;
    char period[48] = "-";
    char in[MONITOR_TIME];

    if (s->period_num != 0 && s->period_num % s->period_den == 0)
        host_snprintf(period, sizeof period, "%llu", (unsigned long long)(s->period_num / s->period_den));
    else if (s->period_num != 0)
        host_snprintf(period, sizeof period, "%llu %llu/%llu",
                      (unsigned long long)(s->period_num / s->period_den),
                      (unsigned long long)(s->period_num % s->period_den), (unsigned long long)s->period_den);
    monitor_say("  %-14s  %20llu  %-9s  %-24s  %s", timer->name, (unsigned long long)timer->at,
                s->period_num != 0 ? "PERIODIC" : "ONE-SHOT", period,
                monitor_signed_ms(in, (int64_t)(timer->at - at)));
}

static void show_queue(struct guest *g, void *arg)
{
    const struct vtime *t = monitor_time_of(&g->vm, host_now());
    at_t at = vtime_peek(t);

    (void)arg;
    monitor_say("%s at AT %llu (%llu ticks are a second)", g->vm.config.name, (unsigned long long)at,
                (unsigned long long)vtime_hz(t));
    if (!t->queue.head) {
        monitor_say("  no timer is armed");
        return;
    }
    monitor_say("  VIRTUAL TIMER       NEXT TIMER EVENT  TYPE       PERIOD                    in ms");
    for (const struct vtimer *timer = queue_after(&t->queue, NULL); timer;
         timer = queue_after(&t->queue, timer))
        show_entry(timer, at);
}

void command_queue(unsigned int argc, char **argv)
{
    (void)argc;
    monitor_on_vm(argv[1], show_queue, NULL);
}

/* ---- deadlines ---- */

static void show_deadline(const char *what, const char *name, rt_t at, rt_t now)
{
    char in[MONITOR_TIME];

    if (at != RT_NEVER)
        monitor_say("  %20llu  %12s  %s%s", (unsigned long long)at,
                    monitor_signed_ms(in, (int64_t)(at - now)), what, name);
}

/* As they were a moment ago: nothing here is worth stopping a processor for. */
static void show_processor(unsigned int id, rt_t now)
{
    struct processor_deadlines d = processor_deadlines(id);

    monitor_say("processor %u: its timer has been armed %llu times", id, (unsigned long long)d.arms);
    show_deadline("the timer is armed for this", "", d.armed, now);
    show_deadline("end of the slice", "", d.slice_end, now);
    show_deadline("a look at the console", "", d.console, now);
    for (unsigned int i = 0; i < guests_count(); i++) {
        const struct guest *g = guests_get(i);

        for (unsigned int k = 0; g->vm.state == VM_RUNNING && k < g->vm.nvcpus; k++) {
            if (g->seats[k].processor == id && deadline_waits(&g->seats[k].wake))
                show_deadline("RT_N of ", g->vm.config.name, g->seats[k].wake.at, now);
        }
    }
}

void command_deadlines(unsigned int argc, char **argv)
{
    (void)argc;
    (void)argv;
    monitor_say("  %20s  %12s  what", "RT", "in ms");
    for (unsigned int id = 0; id < processors_in_use; id++)
        show_processor(id, host_now());
    monitor_say("  a VM that waits for the processor has no deadline");
}
