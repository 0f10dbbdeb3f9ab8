#include "vmm/siblings.h"

#include "timers/vtime.h"
#include "vmm/host.h"
#include "vmm/startup.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* Is there anything for it to do? One in the guest is taken out for all that has come. */
static bool has_to_look(struct vcpu *vcpu)
{
    const struct lapic *l = &vcpu->lapic;

    return l->init_pending || l->sipi_pending || startup_wake(vcpu);
}

void siblings_call(struct vm *vm, const struct vcpu *self)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        struct vcpu *vcpu = vm->vcpus[i];

        if (vcpu == self || !vcpu->lapic.news)
            continue;
        vcpu->lapic.news = false;
        if (!has_to_look(vcpu))
            continue;
        if (vcpu->state == VCPU_RUNNABLE)
            vtime_vcpu_wake(&vm->time, i);
        host_kick(vcpu);
    }
}

/* What siblings_call() does, for those that have no processor to look for themselves. */
static void call_halted(struct vm *vm, struct vcpu *vcpu)
{
    if (vcpu->state == VCPU_RUNNABLE)
        return;
    vcpu->lapic.news = false;
    if (has_to_look(vcpu)) {
        if (vcpu->state == VCPU_RUNNABLE)
            vtime_vcpu_wake(&vm->time, vcpu->id);
        host_kick(vcpu);
    } else if (vm->state != VM_RUNNING || vm->reset_requested) {
        host_kick(vcpu);
    }
}

void siblings_wake(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        call_halted(vm, vm->vcpus[i]);
    siblings_call(vm, NULL);
}

void siblings_make_way(struct vcpu *self)
{
    const struct vtime *t = &self->vm->time;
    unsigned int mask = vtime_waits_for(t) & ~(1u << self->id);

    /* Two that made way for one another would never execute. */
    if (mask && !vtime_waits_for_running(t, self->id))
        host_yield(self, self->vm->vcpus[__builtin_ctz(mask)]);
}

static bool is_in_guest(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->in_guest, __ATOMIC_ACQUIRE);
}

static void take_out(struct vcpu *vcpu)
{
    host_kick(vcpu);
    while (is_in_guest(vcpu))
        host_relax();
}

static bool is_off_line(const struct vcpu *vcpu, const struct vt_outlook *outlook)
{
    return vcpu->free_tsc.free && !vt_same_line(outlook->line, vcpu->free_tsc.line);
}

bool siblings_settle(struct vcpu *self, const struct vt_outlook *outlook)
{
    struct vm *vm = self->vm;
    const struct vt_outlook left = *outlook;
    bool any = false;

    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        struct vcpu *vcpu = vm->vcpus[i];

        if (vcpu == self || !is_in_guest(vcpu) || !is_off_line(vcpu, &left))
            continue;
        take_out(vcpu);
        uint64_t now = host_now_in_order();
        vtime_advance(&vm->time, now);
        vtime_shown(&vm->time, vt_tsc_line_at(vm->time.scaling, vcpu->free_tsc.line, now));
        any = true;
    }
    return any;
}

void siblings_note(struct vcpu *self, uint64_t now)
{
    struct vm *vm = self->vm;

    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        struct vcpu *vcpu = vm->vcpus[i];

        if (vcpu != self && is_in_guest(vcpu) && is_off_line(vcpu, vtime_outlook(&vm->time)))
            vtime_shown(&vm->time, vt_tsc_line_at(vm->time.scaling, vcpu->free_tsc.line, now));
    }
}

void siblings_take_over(struct vm *vm, const struct vcpu *self)
{
    uint64_t deadline = vtime_deadline(&vm->time);
    struct vcpu *any = NULL;

    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        struct vcpu *vcpu = vm->vcpus[i];

        if (vcpu == self || !is_in_guest(vcpu))
            continue;
        if (vcpu->out_by <= deadline)
            return;
        any = vcpu;
    }
    if (any)
        host_kick(any);
}

void siblings_take_out(struct vcpu *self)
{
    struct vm *vm = self->vm;

    for (unsigned int i = 0; i < vm->nvcpus; i++)
        if (vm->vcpus[i] != self && is_in_guest(vm->vcpus[i]))
            take_out(vm->vcpus[i]);
}
