/* The virtual PC of one VM: puts the devices together. */
#include "vmm/platform.h"

#include "vmm/apic_bus.h"
#include "vmm/host.h"
#include "vmm/platform_hpet.h"
#include "vmm/platform_irq.h"
#include "vmm/platform_ports.h"
#include "vmm/platform_target.h"
#include "vmm/string.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define APIC_WIDTH 8u

/* The IOAPIC's id follows those of the local APICs: they share one number space in physical mode. */
static uint8_t ioapic_id(const struct vm *vm)
{
    return (uint8_t)vm->nvcpus;
}

/* No firmware runs in a VM, so the PIC pair starts as firmware leaves it: vectors 08h and 70h, the SCI's
 * input level-triggered. All but the cascade is masked: where no firmware answers an interrupt, none may come
 * before the guest asks for it. */
static void firmware_pic(struct pic_pair *pic)
{
    static const uint8_t icw[2][4] = {{0x11, 0x08, 0x04, 0x01}, {0x11, 0x70, 0x02, 0x01}};
    pic_init(pic);
    for (unsigned int i = 0; i < 4; i++) {
        pic_master_write(pic, NULL, i != 0, 1, icw[0][i]);
        pic_slave_write(pic, NULL, i != 0, 1, icw[1][i]);
    }
    pic_master_write(pic, NULL, 1, 1, 0xff & ~(1u << PIC_CASCADE));
    pic_slave_write(pic, NULL, 1, 1, 0xff);
    pic_elcr_write(pic, NULL, 1, 1, 1u << (IRQ_SCI - 8));
}

static void reset_ports(struct platform *p)
{
    p->port92 = 0x02; /* A20 is on */
    p->reset_control = 0;
    p->retrace = false;
    p->crtc_index = 0;
    memset(p->crtc, 0, sizeof p->crtc);
}

static void move_lapic(struct vcpu *vcpu)
{
    struct lapic *l = &vcpu->lapic;
    bus_move_mmio(&vcpu->vm->bus, l, l->apic_base & APIC_BASE_ADDR, lapic_hw_enabled(l) && !lapic_is_x2(l));
}

static void ioapic_page_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size,
                              uint64_t value)
{
    ioapic_mmio_write(self, vcpu, offset, size, value);
    vcpu->vm->platform.wires_changed = true;
}

static void claim_mmio(struct vm *vm)
{
    bus_claim_mmio(&vm->bus, &(struct bus_range){.base = IOAPIC_BASE,
                                                 .length = IOAPIC_LENGTH,
                                                 .width = 4,
                                                 .read = ioapic_mmio_read,
                                                 .write = ioapic_page_write,
                                                 .self = &vm->platform.ioapic,
                                                 .name = "ioapic"});
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        bus_claim_mmio(&vm->bus, &(struct bus_range){.base = LAPIC_DEFAULT_BASE,
                                                     .length = LAPIC_LENGTH,
                                                     .width = APIC_WIDTH,
                                                     .read = apic_bus_read,
                                                     .write = apic_bus_write,
                                                     .self = &vm->vcpus[i]->lapic,
                                                     .only = vm->vcpus[i],
                                                     .quiet = BUS_QUIET_READ | BUS_QUIET_WRITE,
                                                     .name = "lapic"});
}

uint64_t platform_rtc_base(const struct vm *vm)
{
    return vm->config.rtc_host ? host_boot_seconds() : vm->config.rtc_seconds;
}

/* The controllers come before the devices: a device may drive its line as soon as it is there. */
void platform_init(struct vm *vm)
{
    struct platform *p = &vm->platform;
    memset(p, 0, sizeof *p);
    bus_init(&vm->bus);
    firmware_pic(&p->pic);
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        lapic_init(&vm->vcpus[i]->lapic, vm->vcpus[i]->id, &vm->time, &vm->vcpus[i]->tsc,
                   vm->config.tsc_deadline, vm->config.x2apic);
    ioapic_init(&p->ioapic, ioapic_id(vm), platform_send, vm);
    pit_init(&p->pit, &vm->time, platform_replaceable_line(vm, 0));
    rtc_init(&p->rtc, &vm->time, platform_replaceable_line(vm, IRQ_RTC), platform_rtc_base(vm));
    rtc_set_memory(&p->rtc, vm->ram.low, vm->ram.high);
    platform_hpet_init(vm);
    acpi_pm_init(&p->acpi_pm, &p->pmtimer, platform_line(vm, IRQ_SCI));
    pmtimer_init(&p->pmtimer, &vm->time, acpi_pm_timer_line(&p->acpi_pm), true);
    uart_init(&p->uart, vm, platform_line(vm, IRQ_UART));
    reset_ports(p);
    platform_claim_ports(vm);
    claim_mmio(vm);
}

/* The devices first: their lines fall before the controllers forget them. */
void platform_reset(struct vm *vm)
{
    struct platform *p = &vm->platform;
    uart_reset(&p->uart);
    acpi_pm_reset(&p->acpi_pm);
    pmtimer_reset(&p->pmtimer);
    platform_hpet_reset(vm);
    rtc_reset(&p->rtc);
    pit_reset(&p->pit);
    firmware_pic(&p->pic);
    platform_sync_intr(vm);
    p->wires_changed = true;
    ioapic_reset(&p->ioapic, ioapic_id(vm));
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        lapic_reset(&vm->vcpus[i]->lapic);
        move_lapic(vm->vcpus[i]);
    }
    reset_ports(p);
}

bool platform_write_apic_base(struct vcpu *vcpu, uint64_t value)
{
    if (value >> vcpu->vm->phys_bits != 0 || !lapic_write_base(&vcpu->lapic, value))
        return false;
    move_lapic(vcpu);
    vcpu->vm->platform.wires_changed = true;
    return true;
}

void platform_poll(struct vm *vm)
{
    struct platform *p = &vm->platform;
    if (p->uart.held)
        uart_poll(&p->uart);
    if (p->wires_changed) {
        p->wires_changed = false;
        pit_listen(&p->pit);
        if (vm->nvcpus > 1)
            platform_target_timers(vm);
    }
    pvclock_poll(vm);
}
