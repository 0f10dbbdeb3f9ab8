/* The message bus between the APICs of one VM: see apic_bus.h. */
#include "vmm/apic_bus.h"

#include <stdbool.h>
#include <stddef.h>

#include "vmm/lapic_regs.h"
#include "vmm/lapic_x2.h"
#include "vmm/startup.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

static bool is_target(const struct vcpu *vcpu, const struct vcpu *sender, const struct apic_message *m)
{
    if (!lapic_hw_enabled(&vcpu->lapic))
        return false;
    switch ((enum apic_shorthand)m->shorthand) {
    case APIC_DEST_SELF:
        return vcpu == sender;
    case APIC_DEST_ALL:
        return true;
    case APIC_DEST_OTHERS:
        return vcpu != sender;
    case APIC_DEST_FIELD:
        break;
    }
    return lapic_matches(&vcpu->lapic, m->dest, m->logical);
}

/* ExtINT is not latched by anybody: platform_pending() asks the PIC while the way is open. SMI: there is no
 * system management mode. */
static enum apic_result deliver(struct vcpu *vcpu, const struct apic_message *m)
{
    struct lapic *l = &vcpu->lapic;
    switch ((enum apic_mode)m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        return lapic_accept(l, m->vector, m->level);
    case APIC_NMI:
        return vcpu_raise_nmi(vcpu) ? APIC_ACCEPTED : APIC_MERGED;
    case APIC_INIT:
        startup_init(vcpu);
        return APIC_ACCEPTED;
    case APIC_SIPI:
        startup_sipi(vcpu, m->vector);
        return APIC_ACCEPTED;
    case APIC_SMI:
    case APIC_EXTINT:
        break;
    }
    return APIC_NO_TARGET;
}

/* 10.6.2.4: the target of the lowest priority; among equals the one with the lowest number, so
 * that runs repeat. */
static struct vcpu *lowest_target(struct vm *vm, const struct vcpu *sender, const struct apic_message *m)
{
    struct vcpu *best = NULL;
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpus[i];
        if (!is_target(v, sender, m) || !lapic_enabled(&v->lapic))
            continue;
        if (!best || lapic_ppr(&v->lapic) < lapic_ppr(&best->lapic))
            best = v;
    }
    return best;
}

enum apic_result apic_bus_send(struct vm *vm, const struct vcpu *sender, const struct apic_message *message)
{
    enum apic_result strongest = APIC_NO_TARGET;
    if (message->mode == APIC_LOWEST) {
        struct vcpu *target = lowest_target(vm, sender, message);
        return target ? deliver(target, message) : APIC_NO_TARGET;
    }
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        if (!is_target(vm->vcpus[i], sender, message))
            continue;
        enum apic_result result = deliver(vm->vcpus[i], message);
        if (result > strongest)
            strongest = result;
    }
    return strongest;
}

/* The first that a message would reach, -1: none. */
static int first_reached(const struct vm *vm, const struct apic_message *message)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        const struct vcpu *v = vm->vcpus[i];
        if (is_target(v, NULL, message) && (message->mode == APIC_NMI || lapic_enabled(&v->lapic)))
            return (int)i;
    }
    return -1;
}

bool apic_bus_reachable(const struct vm *vm, const struct apic_message *message)
{
    return first_reached(vm, message) >= 0;
}

unsigned int apic_bus_target(const struct vm *vm, const struct apic_message *message)
{
    int first = first_reached(vm, message);

    return first < 0 ? 0 : (unsigned int)first;
}

bool apic_bus_waiting(const struct vm *vm, const struct apic_message *message)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        const struct vcpu *v = vm->vcpus[i];
        if (!is_target(v, NULL, message))
            continue;
        if (message->mode == APIC_NMI ? v->nmis_pending : lapic_waiting(&v->lapic, message->vector))
            return true;
    }
    return false;
}

uint64_t apic_bus_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    (void)size;
    if ((offset & 0xf) >= 4)
        return 0;
    vcpu->quiet = false; /* an illegal register is an error, and that an interrupt */
    return lapic_read(self, (uint32_t)offset) >> ((offset & 3) * 8);
}

static __attribute__((noinline)) void broadcast(struct vcpu *vcpu, uint8_t vector)
{
    vcpu->quiet = false;
    ioapic_eoi(&vcpu->vm->platform.ioapic, vector);
}

/* Most of what guests write. With nothing else requested it leaves the run loop nothing to look at. */
static void end_of_interrupt(struct lapic *l, struct vcpu *vcpu)
{
    int vector;

    if (l->irr.used || vcpu->vm->platform.intr)
        vcpu->quiet = false;
    vector = lapic_eoi(l);
    if (vector >= 0)
        broadcast(vcpu, (uint8_t)vector);
}

/* What a write other than an EOI asks of others. */
static void carry_out(struct vcpu *vcpu, uint32_t offset, const struct lapic_effect *effect)
{
    vcpu->quiet = false;
    if (lapic_changes_wires(offset))
        vcpu->vm->platform.wires_changed = true;
    if (effect->ipi)
        apic_bus_send(vcpu->vm, vcpu, &effect->message);
}

bool apic_bus_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    return lapic_x2_read(&vcpu->lapic, msr, value);
}

bool apic_bus_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct lapic_effect effect;

    if (msr == MSR_X2APIC_EOI && value == 0 && lapic_is_x2(&vcpu->lapic)) {
        vcpu->quiet = true;
        end_of_interrupt(&vcpu->lapic, vcpu);
        return true;
    }
    if (!lapic_x2_write(&vcpu->lapic, msr, value, &effect))
        return false;
    carry_out(vcpu, (msr - MSR_X2APIC_FIRST) << 4, &effect);
    return true;
}

/* Not part of apic_bus_write, whose registers would have to be saved for it at each EOI. */
static __attribute__((noinline)) void write_register(struct lapic *l, struct vcpu *vcpu, uint32_t offset,
                                                     uint32_t value)
{
    struct lapic_effect effect = lapic_write(l, offset, value);

    carry_out(vcpu, offset, &effect);
}

void apic_bus_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    if (size < 4)
        return;
    if (offset == LAPIC_EOI)
        end_of_interrupt(self, vcpu);
    else if ((offset & 0xf) == 0)
        write_register(self, vcpu, (uint32_t)offset, (uint32_t)value);
}
