/* Events on their way into the guest. One event fits into an entry; what else waits is an NMI (queued until
 * NMIs are not blocked) and an interrupt that was acknowledged but overtaken (held until the guest can take
 * one). Whatever waits opens the window that tells when its time has come. */
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"

#define VECTOR_NMI_GUEST 2u
#define RFLAGS_IF_BIT    (1ull << 9)
#define RFLAGS_TF_BIT    (1ull << 8)

/* No interrupt is taken right behind STI, MOV SS or POP SS (SDM vol. 3, table 25-3). */
static bool interruptible(const struct vmx_vcpu *v)
{
    return (v->vcpu->regs.rflags & RFLAGS_IF_BIT) && !(v->intr & INTR_SHADOW);
}

static void set_event(struct vmx_vcpu *v, uint32_t info)
{
    v->event = (struct vmx_event){.info = info | EVENT_VALID};
    v->work |= WORK_EVENT;
}

void vmx_event_promote(struct vmx_vcpu *v)
{
    if (v->nmi_queued && !v->event.info && !(v->intr & (INTR_NMI | INTR_SHADOW))) {
        v->nmi_queued = false;
        set_event(v, EVENT_TYPE_NMI | VECTOR_NMI_GUEST);
    }
    if (v->held_irq >= 0 && !v->event.info && interruptible(v)) {
        set_event(v, EVENT_TYPE_IRQ | (uint32_t)v->held_irq);
        v->held_irq = -1;
    }
    v->proc = v->nmi_queued ? v->proc | PROC_NMI_WINDOW : v->proc & ~PROC_NMI_WINDOW;
    if (v->held_irq >= 0)
        v->proc |= PROC_IRQ_WINDOW;
    if (!v->event.info && !v->nmi_queued && v->held_irq < 0)
        v->work &= ~WORK_EVENT;
}

bool vmx_irq_ready(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    if (v->work & WORK_EVENT)
        vmx_event_promote(v);
    return interruptible(v) && !v->event.info;
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
    if (v->held_irq < 0)
        v->proc &= ~PROC_IRQ_WINDOW;
}

void vmx_inject_event(struct vmx_vcpu *v, const struct vmx_event *ev)
{
    /* A waiting exception or INT n is dropped: its instruction has not been completed and comes to it again.
     * An interrupt or NMI would be lost for good. */
    if (v->event.info) {
        if ((v->event.info & EVENT_TYPE) == EVENT_TYPE_IRQ)
            v->held_irq = (int16_t)(v->event.info & EVENT_VECTOR);
        else if ((v->event.info & EVENT_TYPE) == EVENT_TYPE_NMI)
            v->nmi_queued = true;
    }
    v->event = *ev;
    v->work |= WORK_EVENT;
}

void vmx_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    const struct vmx_event ev = {
        .info = EVENT_VALID | EVENT_TYPE_FAULT | vector | (has_error ? EVENT_ERROR : 0),
        .error = error,
    };
    struct vmx_vcpu *v = vmx_of(vcpu);
    /* One that is being reflected is queued already, and knows more: INT1's length, for one. */
    if (v->event.info && (v->event.info & EVENT_TYPE) != EVENT_TYPE_IRQ &&
        (v->event.info & EVENT_TYPE) != EVENT_TYPE_SOFT && (v->event.info & EVENT_VECTOR) == vector)
        return;
    vmx_inject_event(v, &ev);
}

void vmx_inject_nmi(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    v->nmi_queued = true;
    v->work |= WORK_EVENT;
}

void vmx_redeliver(struct vmx_vcpu *v, uint32_t info, uint32_t error, uint32_t length)
{
    /* Entry refuses to inject an NMI while NMIs are blocked, which its first delivery had begun (27.3.1.5).
     */
    if ((info & EVENT_TYPE) == EVENT_TYPE_NMI)
        v->intr &= ~INTR_NMI;
    v->event = (struct vmx_event){
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
    if (vcpu->regs.rflags & RFLAGS_TF_BIT)
        v->work |= WORK_SINGLE_STEP;
}
