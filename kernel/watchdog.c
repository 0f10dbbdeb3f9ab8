#include "kernel/watchdog.h"

#include "arch/x86/apic.h"
#include "arch/x86/nmi_tick.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"
#include "kernel/panic.h"
#include "kernel/processor.h"
#include "kernel/smp.h"
#include "timers/muldiv.h"
#include "vmm/host.h"

#define NS_PER_SECOND 1000000000u

static uint64_t patience; /* RT ticks; 0: not watching */

static struct watch {
    uint64_t progress; /* as it was ... */
    uint64_t since;    /* ... from this RT on */
    uint64_t seen;     /* RT at the tick before */
} watches[MAX_CPUS];

static void relay(void)
{
    for (unsigned int id = 1; id < processors_in_use; id++)
        apic_relay_nmi(percpu_of(id)->apic_id);
}

static void tick(const struct trap_frame *frame)
{
    struct watch *watch = &watches[this_cpu()->id];
    uint64_t progress = processor_progress(), now = host_now();

    if (!patience)
        return;
    if (this_cpu()->id == 0)
        relay();
    if (now < watch->seen)
        panic_trap(frame, "the TSC has gone back from %llu to %llu: this machine's time cannot be trusted",
                   (unsigned long long)watch->seen, (unsigned long long)now);
    watch->seen = now;
    if (progress != watch->progress) {
        watch->progress = progress;
        watch->since = now;
    } else if (now - watch->since > patience) {
        panic_trap(frame, "watchdog: processor %u has made no progress for %llu ms (watchdog=)",
                   this_cpu()->id, (unsigned long long)vt_mul_div(now - watch->since, 1000, host_hz()));
    }
}

void watchdog_start(uint64_t ns)
{
    if (ns == 0)
        return;
    trap_on_nmi(tick);
    for (unsigned int id = 0; id < processors_in_use; id++)
        watches[id].since = host_now();
    patience = vt_mul_div(ns, host_hz(), NS_PER_SECOND);
    if (!nmi_tick_start())
        host_log("watchdog: off: ACPI names no IOAPIC");
}

void watchdog_stop(void)
{
    patience = 0;
    nmi_tick_stop();
}
