#include "kernel/watchdog.h"

#include "arch/x86/nmi_tick.h"
#include "arch/x86/traps.h"
#include "kernel/panic.h"
#include "kernel/processor.h"
#include "timers/muldiv.h"
#include "vmm/host.h"

#define NS_PER_SECOND 1000000000u

static struct {
    uint64_t patience; /* RT ticks; 0: not watching */
    uint64_t progress; /* as it was ... */
    uint64_t since;    /* ... from this RT on */
    uint64_t seen;     /* RT at the tick before */
} watch;

static void tick(const struct trap_frame *frame)
{
    uint64_t progress = processor_progress(), now = host_now();

    if (!watch.patience)
        return;
    if (now < watch.seen)
        panic_trap(frame, "the TSC has gone back from %llu to %llu: this machine's time cannot be trusted",
                   (unsigned long long)watch.seen, (unsigned long long)now);
    watch.seen = now;
    if (progress != watch.progress) {
        watch.progress = progress;
        watch.since = now;
    } else if (now - watch.since > watch.patience) {
        panic_trap(frame, "watchdog: the processor has made no progress for %llu ms (watchdog=)",
                   (unsigned long long)vt_mul_div(now - watch.since, 1000, host_hz()));
    }
}

void watchdog_start(uint64_t ns)
{
    if (ns == 0)
        return;
    trap_on_nmi(tick);
    watch.progress = processor_progress();
    watch.since = host_now();
    watch.patience = vt_mul_div(ns, host_hz(), NS_PER_SECOND);
    if (!nmi_tick_start())
        host_log("watchdog: off: ACPI names no IOAPIC");
}

void watchdog_stop(void)
{
    watch.patience = 0;
    nmi_tick_stop();
}
