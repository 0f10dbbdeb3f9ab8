/* The interrupt wiring of the virtual PC: ISA lines to the PIC pair and the IOAPIC, the PIC's INT output to
 * LINT0 of every local APIC and to IOAPIC input 0, and the question what a vCPU can take now. */
#include "vmm/platform_irq.h"

#include "vmm/apic_bus.h"
#include "vmm/host.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define ISA_IRQS  16u
#define GSI_INTR  0u /* where a PC wires the PIC's INT, for ExtINT through the IOAPIC */
#define LINT_INTR 0u

/* Input 2 of the PIC is the cascade: no ISA line has it, and the PIT has that IOAPIC input. */
static unsigned int gsi_of(unsigned int irq)
{
    return irq == 0 ? GSI_PIT : irq;
}

enum apic_result platform_send(void *ctx, const struct apic_message *message)
{
    return apic_bus_send(ctx, NULL, message);
}

/* May INTR reach this vCPU's INTA logic: through LINT0, or as an ExtINT message of the IOAPIC? The message is
 * not latched: while the entry is open the PIC's INT itself is looked at. */
static bool extint_open(const struct vcpu *vcpu)
{
    if (lapic_extint_open(&vcpu->lapic))
        return true;
    const struct ioapic *io = &vcpu->vm->platform.ioapic;
    if (ioapic_masked(io, GSI_INTR))
        return false;
    struct apic_message m = ioapic_message(io, GSI_INTR);
    return m.mode == APIC_EXTINT && lapic_enabled(&vcpu->lapic) &&
           lapic_matches(&vcpu->lapic, m.dest, m.logical);
}

static bool any_extint_open(const struct vm *vm)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        if (extint_open(vm->vcpus[i]))
            return true;
    return false;
}

/* ... or at least be an edge at an APIC input that is programmed for another mode (a timer as "virtual wire"
 * through a fixed LINT0, an NMI watchdog). */
static bool intr_open(const struct vm *vm)
{
    if (any_extint_open(vm) || !ioapic_masked(&vm->platform.ioapic, GSI_INTR))
        return true;
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        const struct lapic *l = &vm->vcpus[i]->lapic;
        if (lapic_enabled(l) && !(l->lvt[LVT_LINT0] & LVT_MASKED))
            return true;
    }
    return false;
}

bool platform_sync_intr(struct vm *vm)
{
    struct platform *p = &vm->platform;
    bool level = pic_output(&p->pic);
    if (level == p->intr)
        return level;
    p->intr = level;
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        if (lapic_lint(&vm->vcpus[i]->lapic, LINT_INTR, level))
            vcpu_raise_nmi(vm->vcpus[i]);
    if (level)
        ioapic_raise(&p->ioapic, GSI_INTR);
    else
        ioapic_lower(&p->ioapic, GSI_INTR);
    return true;
}

bool platform_irq_raise(struct vm *vm, unsigned int irq)
{
    struct platform *p = &vm->platform;
    ASSERT(irq < ISA_IRQS && irq != PIC_CASCADE);
    bool by_pic = !pic_masked(&p->pic, irq) && intr_open(vm);
    bool fresh = pic_raise(&p->pic, irq);
    platform_sync_intr(vm);
    /* Both always see the edge; a masked PIC's latch is no way to a processor. */
    enum apic_result result = ioapic_raise(&p->ioapic, gsi_of(irq));
    return (by_pic && fresh) || result == APIC_ACCEPTED;
}

void platform_irq_lower(struct vm *vm, unsigned int irq)
{
    struct platform *p = &vm->platform;
    ASSERT(irq < ISA_IRQS && irq != PIC_CASCADE);
    pic_lower(&p->pic, irq);
    platform_sync_intr(vm);
    ioapic_lower(&p->ioapic, gsi_of(irq));
}

static bool gsi_raise(void *ctx, unsigned int gsi)
{
    struct vm *vm = ctx;
    return ioapic_raise(&vm->platform.ioapic, gsi) == APIC_ACCEPTED;
}

static void gsi_lower(void *ctx, unsigned int gsi)
{
    struct vm *vm = ctx;
    ioapic_lower(&vm->platform.ioapic, gsi);
}

/* A vector in a local APIC's IRR is taken whatever the IOAPIC's mask says by now. */
static bool gsi_waiting(void *ctx, unsigned int gsi)
{
    const struct vm *vm = ctx;
    struct apic_message m = ioapic_message(&vm->platform.ioapic, gsi);
    return apic_bus_waiting(vm, &m);
}

static bool gsi_masked(void *ctx, unsigned int gsi)
{
    const struct vm *vm = ctx;
    struct apic_message m = ioapic_message(&vm->platform.ioapic, gsi);
    return ioapic_masked(&vm->platform.ioapic, gsi) || !apic_bus_reachable(vm, &m);
}

static const struct vt_line_ops gsi_ops = {
    .raise = gsi_raise, .lower = gsi_lower, .waiting = gsi_waiting, .masked = gsi_masked};

struct vt_line platform_gsi_line(struct vm *vm, unsigned int gsi)
{
    return (struct vt_line){.ops = &gsi_ops, .ctx = vm, .line = gsi};
}

static bool line_raise(void *ctx, unsigned int line)
{
    return platform_irq_raise(ctx, line);
}

static void line_lower(void *ctx, unsigned int line)
{
    platform_irq_lower(ctx, line);
}

static bool line_waiting(void *ctx, unsigned int line)
{
    const struct vm *vm = ctx;
    return (pic_waiting(&vm->platform.pic, line) && any_extint_open(vm)) || gsi_waiting(ctx, gsi_of(line));
}

static bool line_masked(void *ctx, unsigned int line)
{
    const struct vm *vm = ctx;
    return (pic_masked(&vm->platform.pic, line) || !intr_open(vm)) && gsi_masked(ctx, gsi_of(line));
}

static const struct vt_line_ops line_ops = {
    .raise = line_raise, .lower = line_lower, .waiting = line_waiting, .masked = line_masked};

struct vt_line platform_line(struct vm *vm, unsigned int irq)
{
    return (struct vt_line){.ops = &line_ops, .ctx = vm, .line = irq};
}

/* Not part of platform_pending, whose registers would have to be saved for it at each turn. */
static __attribute__((noinline)) int pending_with_intr(struct vcpu *vcpu, bool *from_pic)
{
    int vector = lapic_pending(&vcpu->lapic);
    if (vector >= 0 || !extint_open(vcpu))
        return vector;
    vector = pic_pending(&vcpu->vm->platform.pic);
    *from_pic = vector >= 0;
    return vector;
}

int platform_pending(struct vcpu *vcpu, bool *from_pic)
{
    *from_pic = false;
    if (vcpu->vm->platform.intr)
        return pending_with_intr(vcpu, from_pic);
    return lapic_pending(&vcpu->lapic);
}

uint8_t platform_acknowledge(struct vcpu *vcpu, bool from_pic)
{
    if (!from_pic)
        return lapic_ack(&vcpu->lapic);
    uint8_t vector = pic_ack(&vcpu->vm->platform.pic);
    platform_sync_intr(vcpu->vm);
    return vector;
}
