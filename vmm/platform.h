/* The virtual PC of one VM: its devices and how they are wired (DESIGN.md section 4, "Guests"). */
#ifndef VMM_PLATFORM_H
#define VMM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/hpet.h"
#include "timers/lapic_timer.h"
#include "timers/pit.h"
#include "timers/pmtimer.h"
#include "timers/rtc.h"
#include "vmm/acpi_pm.h"
#include "vmm/ioapic.h"
#include "vmm/pic.h"
#include "vmm/uart.h"

struct vm;
struct vcpu;

#define GSI_PIT  2 /* ISA IRQ 0 reaches the IOAPIC at input 2 (MADT override) */
#define IRQ_UART 4
#define IRQ_RTC  8
#define IRQ_SCI  9

struct platform {
    struct pic_pair pic;
    struct ioapic ioapic;
    struct pit pit;
    struct rtc rtc;
    struct hpet hpet;
    bool replaced;             /* the HPET stands in for PIT and RTC */
    bool pit_level, rtc_level; /* what those two drive, let through or not */
    struct pmtimer pmtimer;
    struct acpi_pm acpi_pm;
    struct uart uart;
    uint8_t port92;
    uint8_t reset_control; /* port CF9h */
    bool intr;             /* the PIC's INT output, as last given to the LINT0 pins */
    bool wires_changed;    /* a controller was written to: a masked line may be open now */
    bool retrace;          /* VGA status: changes at each read, so that nobody waits for it in vain */
    uint8_t crtc_index;
    uint8_t crtc[256]; /* VGA CRTC registers, cursor position included: memory only */
};

/* Builds the devices on the VM's bus, the vCPUs' local APICs included, in power-on state. vm->time and
 * vm->vcpus must be there. */
void platform_init(struct vm *vm);
/* Power-on state again (a guest's reset). */
void platform_reset(struct vm *vm);

/* The RTC's date at AT 0, seconds since 1970 (UTC): rtc=. */
uint64_t platform_rtc_base(const struct vm *vm);

/* WRMSR to IA32_APIC_BASE: the register page moves, disappears or comes back. False: #GP(0), nothing has
 * changed. */
bool platform_write_apic_base(struct vcpu *vcpu, uint64_t value);
/* Takes in what has changed outside the guest (room in the console's ring, time for kvm-clock); once per turn
 * of the run loop. */
void platform_poll(struct vm *vm);

/* An ISA interrupt line (0..15) to both the PIC pair and the IOAPIC. Returns as vt_line_ops.raise. */
bool platform_irq_raise(struct vm *vm, unsigned int irq);
void platform_irq_lower(struct vm *vm, unsigned int irq);

/* The highest-priority interrupt that vcpu could take now: LAPIC first, then the PIC through LINT0 (ExtINT)
 * while the LAPIC lets it (SDM vol. 3, 10.5.1; software-disabled or global-disabled LAPIC: the PIC's INTR
 * goes straight in). Returns the vector or -1; *from_pic tells which of the two must be acknowledged. Peeks
 * only. */
int platform_pending(struct vcpu *vcpu, bool *from_pic);
/* The processor has taken it: IRR to ISR. Returns the vector (the PIC's may be spurious). */
uint8_t platform_acknowledge(struct vcpu *vcpu, bool from_pic);

#endif
