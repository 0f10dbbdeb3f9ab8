/* Events on their way into the guest (arch/x86/events.h). Exceptions and NMIs go by EVENTINJ; external
 * interrupts by V_IRQ, which the guest takes as its first act: it is only set when nothing but an exit can
 * come before, after which it is set again. So it counts as taken when it is set. (EVENTINJ of external
 * interrupts delivers them twice at times in QEMU.) V_IRQ with its intercept is also the window that tells
 * when an interrupt can be taken. The TPR never counts: the virtual interrupt controllers have looked at
 * theirs, which the guest cannot change without an exit. */
#include "arch/x86/cpu.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"

#define DR6_HITS  0xfull
#define DR6_BS    (1ull << 14)
#define VECTOR_DB 1u
#define VECTOR_BP 3u
#define VECTOR_OF 4u

static bool shadow(const struct svm_vcpu *v)
{
    return (v->vmcb->int_state & INTERRUPT_SHADOW) != 0;
}

/* No interrupt is taken right behind STI, MOV SS or POP SS. */
static bool interruptible(const struct svm_vcpu *v)
{
    return (v->vcpu->regs.rflags & RFLAGS_IF) && !shadow(v);
}

static void set_virq(struct svm_vcpu *v, enum virq use, uint8_t vector)
{
    struct vmcb *c = v->vmcb;
    c->int_ctl = V_INTR_MASKING | V_IGN_TPR | V_IRQ | (uint32_t)(vector >> 4) << V_INTR_PRIO_SHIFT;
    c->int_vector = vector;
    c->intercepts[0] &= ~INTERCEPT_VINTR;
    if (use == VIRQ_WINDOW)
        c->intercepts[0] |= INTERCEPT_VINTR;
    v->virq = (uint8_t)use;
    svm_changed(v, CLEAN_INTR | CLEAN_INTERCEPTS);
}

static void free_virq(struct svm_vcpu *v)
{
    v->vmcb->int_ctl = V_INTR_MASKING;
    v->vmcb->intercepts[0] &= ~INTERCEPT_VINTR;
    v->virq = VIRQ_FREE;
    svm_changed(v, CLEAN_INTR | CLEAN_INTERCEPTS);
}

static void open_window(struct svm_vcpu *v)
{
    if (v->virq == VIRQ_FREE)
        set_virq(v, VIRQ_WINDOW, 0);
}

static void intercept_iret(struct svm_vcpu *v, bool on)
{
    uint32_t *word = &v->vmcb->intercepts[0];
    *word = on ? *word | INTERCEPT_IRET : *word & ~INTERCEPT_IRET;
    svm_changed(v, CLEAN_INTERCEPTS);
}

/* The IRET has been executed when the guest is somewhere else. */
static bool nmi_blocked(const struct svm_vcpu *v)
{
    return v->nmi == NMI_BLOCKED || (v->nmi == NMI_IRET && v->vcpu->regs.rip == v->iret_rip);
}

static void promote_nmi(struct svm_vcpu *v)
{
    struct events *e = &v->events;
    if (!e->nmis_queued || e->next.info || shadow(v) || nmi_blocked(v))
        return;
    e->nmis_queued--;
    events_set(e, EVENT_TYPE_NMI | EVENT_VECTOR_NMI);
}

bool svm_irq_ready(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    if (v->work & WORK_EVENT)
        promote_nmi(v);
    return interruptible(v) && !v->events.next.info && v->events.held_irq < 0 && v->virq != VIRQ_HELD;
}

enum inject_result svm_inject_irq(struct vcpu *vcpu, uint8_t vector)
{
    struct svm_vcpu *v = svm_of(vcpu);
    if (!svm_irq_ready(vcpu)) {
        open_window(v);
        return INJECT_WINDOW;
    }
    set_virq(v, VIRQ_HELD, vector);
    return INJECT_TAKEN;
}

void svm_retract_irq(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    if (v->virq == VIRQ_WINDOW)
        free_virq(v);
}

void svm_virq_outcome(struct svm_vcpu *v)
{
    if (v->virq != VIRQ_HELD)
        return;                     /* irq_window() or retract_irq() ends a window */
    if (v->vmcb->int_ctl & V_IRQ) { /* something else came first: again */
        v->events.held_irq = (int16_t)(v->vmcb->int_vector & EVENT_VECTOR);
        v->work |= WORK_EVENT;
        free_virq(v);
    }
    v->virq = VIRQ_FREE;
}

void svm_irq_window(struct svm_vcpu *v)
{
    free_virq(v);
}

void svm_inject_event(struct svm_vcpu *v, const struct event *ev)
{
    events_replace(&v->events, ev);
    v->work |= WORK_EVENT;
}

void svm_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    struct svm_vcpu *v = svm_of(vcpu);
    events_exception(&v->events, vector, has_error, error);
    v->work |= WORK_EVENT;
}

void svm_inject_nmi(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    events_nmi(&v->events, nmi_blocked(v));
    v->work |= WORK_EVENT;
}

/* The single-step trap of an instruction that was emulated with TF set is an event like another, and DR6 says
 * what it is (APM vol. 2, 13.1.4). */
void svm_clear_shadow(struct vcpu *vcpu)
{
    static const struct event step = {.info = EVENT_VALID | EVENT_TYPE_FAULT | VECTOR_DB};
    struct svm_vcpu *v = svm_of(vcpu);
    v->vmcb->int_state &= ~INTERRUPT_SHADOW;
    if (vcpu->regs.rflags & RFLAGS_TF) {
        v->vmcb->dr6 = (v->vmcb->dr6 & ~DR6_HITS) | DR6_BS;
        svm_changed(v, CLEAN_DR);
        svm_inject_event(v, &step);
    }
}

static void write_event(struct svm_vcpu *v)
{
    struct event *ev = &v->events.next;
    v->work |= WORK_TIDY;
    v->vmcb->event_inj = ev->info;
    v->vmcb->event_inj_error = ev->error;
    if ((ev->info & EVENT_TYPE) == EVENT_TYPE_NMI) {
        v->nmi = NMI_BLOCKED;
        intercept_iret(v, true);
    }
    ev->info = 0;
}

/* There is no NMI window: IRET is intercepted while NMIs are blocked, and an exit behind it is to be had as a
 * single-step trap, which comes before the next instruction whatever IRET makes of RFLAGS (APM vol. 2,
 * 13.1.4). It stays armed if the IRET faults: the guest's handler returns to it with the TF of its frame. A
 * guest that steps for itself gives the exit anyway. */
static void step_over_iret(struct svm_vcpu *v)
{
    if (v->vcpu->regs.rflags & RFLAGS_TF)
        return;
    v->vcpu->regs.rflags |= RFLAGS_TF;
    v->stepping = true;
    v->step_dr6 = v->vmcb->dr6;
}

bool svm_stepped(struct svm_vcpu *v)
{
    const bool ours = v->stepping && (v->vmcb->dr6 & DR6_BS);
    const bool more = v->vmcb->dr6 & DR6_HITS; /* what IRET read lies under a breakpoint */
    if (!ours)
        return false;
    v->stepping = false;
    if (v->nmi == NMI_IRET)
        v->nmi = NMI_OPEN;
    v->vmcb->dr6 = more ? (v->vmcb->dr6 & ~DR6_BS) | (v->step_dr6 & DR6_BS) : v->step_dr6;
    svm_changed(v, CLEAN_DR);
    return !more;
}

/* For one that the IRET does not hold up: a shadow, or another event, and where IF is clear the next exit. */
static bool nmi_wants_window(const struct svm_vcpu *v)
{
    return v->events.nmis_queued && v->nmi != NMI_BLOCKED && !nmi_blocked(v);
}

void svm_events_enter(struct svm_vcpu *v)
{
    struct events *e = &v->events;
    promote_nmi(v);
    if (e->next.info) {
        write_event(v);
    } else if (e->held_irq >= 0 && interruptible(v)) {
        set_virq(v, VIRQ_HELD, (uint8_t)e->held_irq);
        e->held_irq = -1;
    }
    if (e->held_irq >= 0 || nmi_wants_window(v))
        open_window(v);
    if (e->nmis_queued && v->nmi == NMI_IRET && nmi_blocked(v))
        step_over_iret(v);
    if (events_none(e))
        v->work &= ~WORK_EVENT;
}

void svm_iret(struct svm_vcpu *v)
{
    intercept_iret(v, false);
    v->nmi = NMI_IRET;
    v->iret_rip = v->vcpu->regs.rip;
}

/* APM vol. 2, 15.7.2. Software interrupts and exceptions come again by themselves: RIP is still at their
 * instruction. */
bool svm_redeliver(struct svm_vcpu *v, bool virq_pending)
{
    const uint32_t info = v->vmcb->exit_int_info;
    const uint32_t vector = info & EVENT_VECTOR, type = info & EVENT_TYPE;
    if (!(info & EVENT_VALID))
        return false;
    if (virq_pending)
        return true; /* QEMU counts V_IRQ as taken at the end of its delivery: not yet */
    if (type == EVENT_TYPE_IRQ) {
        v->events.held_irq = (int16_t)vector;
    } else if (type == EVENT_TYPE_NMI) {
        v->nmi = NMI_OPEN;
        events_nmi(&v->events, false);
        intercept_iret(v, false);
    } else if (type == EVENT_TYPE_FAULT && vector != VECTOR_BP && vector != VECTOR_OF) {
        v->events.next = (struct event){
            .info = info & (EVENT_VALID | EVENT_ERROR | EVENT_TYPE | EVENT_VECTOR),
            .error = v->vmcb->exit_int_error,
        };
    }
    v->work |= WORK_EVENT;
    return true;
}
