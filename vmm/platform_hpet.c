#include "vmm/platform_hpet.h"

#include "vmm/platform.h"
#include "vmm/platform_irq.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define IRQ_PIT 0u

/* ---- the switch ---- */

/* What the PIT or the RTC drives, let through or not. */
static bool *source_level(struct vm *vm, unsigned int irq)
{
    return irq == IRQ_PIT ? &vm->platform.pit_level : &vm->platform.rtc_level;
}

static bool source_raise(void *ctx, unsigned int irq)
{
    struct vm *vm = ctx;
    *source_level(vm, irq) = true;
    return !vm->platform.replaced && platform_irq_raise(vm, irq);
}

static void source_lower(void *ctx, unsigned int irq)
{
    struct vm *vm = ctx;
    *source_level(vm, irq) = false;
    if (!vm->platform.replaced)
        platform_irq_lower(vm, irq);
}

static bool source_waiting(void *ctx, unsigned int irq)
{
    struct vm *vm = ctx;
    struct vt_line wire = platform_line(vm, irq);
    return !vm->platform.replaced && wire.ops->waiting(wire.ctx, wire.line);
}

static bool source_masked(void *ctx, unsigned int irq)
{
    struct vm *vm = ctx;
    struct vt_line wire = platform_line(vm, irq);
    return vm->platform.replaced || wire.ops->masked(wire.ctx, wire.line);
}

static const struct vt_line_ops source_ops = {
    .raise = source_raise, .lower = source_lower, .waiting = source_waiting, .masked = source_masked};

struct vt_line platform_replaceable_line(struct vm *vm, unsigned int irq)
{
    return (struct vt_line){.ops = &source_ops, .ctx = vm, .line = irq};
}

static void switch_over(struct vm *vm, unsigned int irq, bool to_hpet)
{
    if (!*source_level(vm, irq))
        return;
    if (!to_hpet)
        platform_irq_raise(vm, irq);
    else if (!hpet_drives(&vm->platform.hpet, HPET_WIRE_ISA + irq))
        platform_irq_lower(vm, irq);
}

/* A switched wire takes the level of its new source; that may be an edge. */
static void follow(struct vm *vm)
{
    struct platform *p = &vm->platform;
    bool replaced = hpet_legacy(&p->hpet);
    if (replaced == p->replaced)
        return;
    p->replaced = replaced;
    switch_over(vm, IRQ_PIT, replaced);
    switch_over(vm, IRQ_RTC, replaced);
    p->wires_changed = true; /* the PIT may have a listener again */
}

/* ---- the HPET's wires: IOAPIC inputs, and the two ISA interrupts ---- */

static struct vt_line wire_line(struct vm *vm, unsigned int wire)
{
    return wire >= HPET_WIRE_ISA ? platform_line(vm, wire - HPET_WIRE_ISA) : platform_gsi_line(vm, wire);
}

static bool wire_raise(void *ctx, unsigned int wire)
{
    struct vt_line l = wire_line(ctx, wire);
    return l.ops->raise(l.ctx, l.line);
}

static void wire_lower(void *ctx, unsigned int wire)
{
    struct vt_line l = wire_line(ctx, wire);
    l.ops->lower(l.ctx, l.line);
}

static bool wire_waiting(void *ctx, unsigned int wire)
{
    struct vt_line l = wire_line(ctx, wire);
    return l.ops->waiting(l.ctx, l.line);
}

static bool wire_masked(void *ctx, unsigned int wire)
{
    struct vt_line l = wire_line(ctx, wire);
    return l.ops->masked(l.ctx, l.line);
}

static const struct vt_line_ops wire_ops = {
    .raise = wire_raise, .lower = wire_lower, .waiting = wire_waiting, .masked = wire_masked};

/* ---- the page; self is the VM ---- */

static uint64_t page_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct vm *vm = self;
    (void)vcpu;
    return hpet_read(&vm->platform.hpet, offset, size);
}

static void page_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct vm *vm = self;
    (void)vcpu;
    hpet_write(&vm->platform.hpet, offset, size, value);
    follow(vm);
    if (vm->nvcpus > 1) /* it may have been a route */
        vm->platform.wires_changed = true;
}

void platform_hpet_init(struct vm *vm)
{
    if (vm->config.no_hpet)
        return;
    hpet_init(&vm->platform.hpet, &vm->time, &wire_ops, vm);
    bus_claim_mmio(&vm->bus, &(struct bus_range){.base = HPET_BASE,
                                                 .length = HPET_LENGTH,
                                                 .width = 8,
                                                 .read = page_read,
                                                 .write = page_write,
                                                 .self = vm,
                                                 .quiet = BUS_QUIET_READ,
                                                 .name = "hpet"});
}

void platform_hpet_reset(struct vm *vm)
{
    if (vm->config.no_hpet)
        return;
    hpet_reset(&vm->platform.hpet);
    follow(vm);
}
