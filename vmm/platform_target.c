#include "vmm/platform_target.h"

#include "timers/vtime.h"
#include "vmm/apic_bus.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define GSI_NONE (-1)

static void target(struct vm *vm, struct vtimer *timer, int gsi)
{
    const struct ioapic *io = &vm->platform.ioapic;
    unsigned int cpu = 0;

    if (gsi != GSI_NONE && !ioapic_masked(io, (unsigned int)gsi)) {
        struct apic_message m = ioapic_message(io, (unsigned int)gsi);

        cpu = apic_bus_target(vm, &m);
    }
    vtime_target(&vm->time, timer, cpu);
}

static int hpet_gsi(const struct hpet *h, unsigned int n)
{
    int wire = hpet_wire(h, n);

    if (wire == (int)HPET_WIRE_ISA)
        return GSI_PIT;
    return wire == (int)HPET_WIRE_ISA + IRQ_RTC ? IRQ_RTC : wire;
}

void platform_target_timers(struct vm *vm)
{
    struct platform *p = &vm->platform;

    target(vm, &p->pit.timer, GSI_PIT);
    target(vm, &p->rtc.periodic, IRQ_RTC);
    target(vm, &p->rtc.alarm, IRQ_RTC);
    target(vm, &p->rtc.update, IRQ_RTC);
    target(vm, &p->pmtimer.timer, IRQ_SCI);
    for (unsigned int i = 0; i < HPET_TIMERS && !vm->config.no_hpet; i++)
        target(vm, &p->hpet.timer[i].timer, hpet_gsi(&p->hpet, i));
}
