/* Events on their way into the guest (arch/x86/events.h), by VM-entry event injection. Whatever waits opens
 * the window that tells when its time has come. */
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/x86.h"

/* No interrupt is taken right behind STI, MOV SS or POP SS (SDM vol. 3, table 25-3). */
static bool interruptible(const struct vmx_vcpu *v)
{
    return (v->vcpu->regs.rflags & RFLAGS_IF) && !(v->intr & INTR_SHADOW);
}

static void set_event(struct vmx_vcpu *v, uint32_t info)
{
    events_set(&v->events, info);
    v->work |= WORK_EVENT;
}

void vmx_event_promote(struct vmx_vcpu *v)
{
    struct events *e = &v->events;
    if (e->nmis_queued && !e->next.info && !(v->intr & (INTR_NMI | INTR_SHADOW))) {
        e->nmis_queued--;
        set_event(v, EVENT_TYPE_NMI | EVENT_VECTOR_NMI);
    }
    if (e->held_irq >= 0 && !e->next.info && interruptible(v)) {
        set_event(v, EVENT_TYPE_IRQ | (uint32_t)e->held_irq);
        e->held_irq = -1;
    }
    v->proc = e->nmis_queued ? v->proc | PROC_NMI_WINDOW : v->proc & ~PROC_NMI_WINDOW;
    if (e->held_irq >= 0)
        v->proc |= PROC_IRQ_WINDOW;
    if (events_none(e))
        v->work &= ~WORK_EVENT;
}

bool vmx_irq_ready(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    if (v->work & WORK_EVENT)
        vmx_event_promote(v);
    return interruptible(v) && !v->events.next.info;
}

/* What VM entry injects is delivered before anything else happens, so it is certain to be taken. */
enum inject_result vmx_inject_irq(struct vcpu *vcpu, uint8_t vector)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    if (!vmx_irq_ready(vcpu)) {
        v->proc |= PROC_IRQ_WINDOW;
        return INJECT_WINDOW;
    }
    v->proc &= ~PROC_IRQ_WINDOW;
    set_event(v, EVENT_TYPE_IRQ | vector);
    return INJECT_TAKEN;
}

void vmx_retract_irq(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    if (v->events.held_irq < 0)
        v->proc &= ~PROC_IRQ_WINDOW;
}

void vmx_inject_event(struct vmx_vcpu *v, const struct event *ev)
{
    events_replace(&v->events, ev);
    v->work |= WORK_EVENT;
}

void vmx_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    events_exception(&v->events, vector, has_error, error);
    v->work |= WORK_EVENT;
}

void vmx_inject_nmi(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    events_nmi(&v->events, v->intr & INTR_NMI);
    v->work |= WORK_EVENT;
}

void vmx_redeliver(struct vmx_vcpu *v, uint32_t info, uint32_t error, uint32_t length)
{
    /* Entry refuses to inject an NMI while NMIs are blocked, which its first delivery had begun (27.3.1.5).
     */
    if ((info & EVENT_TYPE) == EVENT_TYPE_NMI)
        v->intr &= ~INTR_NMI;
    v->events.next = (struct event){
        .info = info & (EVENT_VALID | EVENT_ERROR | EVENT_TYPE | EVENT_VECTOR),
        .error = error,
        .length = length,
    };
    v->work |= WORK_EVENT;
}

void vmx_clear_shadow(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    v->intr &= ~INTR_SHADOW;
    if (vcpu->regs.rflags & RFLAGS_TF)
        v->work |= WORK_SINGLE_STEP;
}
