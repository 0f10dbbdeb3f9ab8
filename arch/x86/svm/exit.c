/* From an exit to the neutral record. codes.c knows what each code needs; what the host owes the exit is done
 * here: its interrupts and machine checks, and the exceptions that are intercepted only to keep their
 * delivery from looping inside the processor. A host NMI has come when the entry code set GIF. */
#include "arch/x86/cpu.h"
#include "arch/x86/svm/codes.h"
#include "arch/x86/svm/svm.h"
#include "arch/x86/window.h"
#include "vmm/host.h"

#define CODE_EXCEPTION 0x040u
#define VECTOR_DB      1u
#define VECTOR_UD      6u
#define VECTOR_AC      17u
#define VECTOR_MC      18u
#define INSN_MAX       15u

/* 0: the processor does not tell. */
static uint8_t insn_length(const struct svm_code *c, const struct vmcb *vmcb)
{
    if (!(c->flags & svm_caps.length_known))
        return 0;
    uint64_t next = c->flags & X_NEXT_INFO2 ? vmcb->exit_info2 : vmcb->next_rip;
    return next - vmcb->rip <= INSN_MAX ? (uint8_t)(next - vmcb->rip) : 0;
}

/* #DB and #AC: a guest can arrange that the delivery of either raises it anew, for ever and with no interrupt
 * taken in between (CVE-2015-8104, CVE-2015-5307). Through the exit the host keeps its say; the guest gets
 * its exception. DR6 and DR7 are already as its handler is to see them (APM vol. 2, 15.12.2). */
static void exception_exit(struct svm_vcpu *v, struct exit_record *exit)
{
    const uint32_t vector = exit->raw_reason - CODE_EXCEPTION;
    if (vector == VECTOR_MC) {
        __asm__ volatile("int $18" : : : "memory");
        return;
    }
    if (vector == VECTOR_DB && svm_stepped(v)) {
        exit->kind = EXIT_NMI_WINDOW;
        return;
    }
    const struct event ev = {
        .info = EVENT_VALID | EVENT_TYPE_FAULT | vector | (vector == VECTOR_AC ? EVENT_ERROR : 0),
        .error = vector == VECTOR_AC ? (uint32_t)v->vmcb->exit_info1 : 0,
    };
    exit->u.exception.vector = (uint8_t)vector;
    exit->u.exception.has_error = vector == VECTOR_AC;
    exit->u.exception.error = ev.error;
    exit->u.exception.address = 0;
    if (vector != VECTOR_UD) /* which may be a call: not ours to tell */
        svm_inject_event(v, &ev);
}

static void special_exit(struct svm_vcpu *v, const struct svm_code *c, struct exit_record *exit)
{
    if (c->flags & X_EXCEPTION)
        exception_exit(v, exit);
    if (c->flags & X_IRQ_WINDOW)
        svm_irq_window(v);
    if (c->flags & X_IRET)
        svm_iret(v);
}

/* V_IRQ first: whether it was taken decides what an interrupted delivery was. */
static bool settle_events(struct svm_vcpu *v)
{
    const bool pending = v->virq == VIRQ_HELD && (v->vmcb->int_ctl & V_IRQ);
    svm_virq_outcome(v);
    return svm_redeliver(v, pending);
}

static inline void fill(const struct vmcb *vmcb, const struct svm_code *c, struct exit_record *exit)
{
    exit->kind = (enum exit_kind)c->kind;
    exit->raw_reason = (uint32_t)vmcb->exit_code;
    exit->raw_qualification = vmcb->exit_info1;
    exit->insn_len = insn_length(c, vmcb);
    exit->cr3 = vmcb->cr3;
}

/* Not part of svm_exit_decode, whose registers would have to be saved for it at each exit. */
static __attribute__((noinline)) void any_exit(struct svm_vcpu *v, struct exit_record *exit)
{
    const struct vmcb *vmcb = v->vmcb;
    const struct svm_code *c = svm_code((uint32_t)vmcb->exit_code);
    fill(vmcb, c, exit);
    exit->raw_name = c->name;
    if (c->decode)
        c->decode(exit, vmcb, &v->vcpu->regs, svm_caps.decode_assists);
    if ((v->virq != VIRQ_FREE || (vmcb->exit_int_info & EVENT_VALID)) && settle_events(v) &&
        exit->kind == EXIT_MMIO) {
        /* The IDT, the GDT, the TSS or a stack where no memory is: there is no instruction to emulate. */
        exit->kind = EXIT_UNEXPECTED;
        exit->raw_name = "nested page fault while delivering an event";
    }
    if (c->flags & X_HOST_WINDOW)
        let_interrupts_in(exit);
    if (c->flags & (X_EXCEPTION | X_IRQ_WINDOW | X_IRET))
        special_exit(v, c, exit);
}

/* No event under way? */
static inline bool undisturbed(struct svm_vcpu *v, const struct vmcb *vmcb)
{
    if (vmcb->exit_int_info & EVENT_VALID)
        return false;
    if (v->virq == VIRQ_HELD && !(vmcb->int_ctl & V_IRQ))
        v->virq = VIRQ_FREE; /* taken */
    return v->virq == VIRQ_FREE;
}

/* First what the VMCB shows of each exit; then the shortest way for what is most frequent: an instruction's
 * exit or a host's interrupt, and no event under way. */
void svm_exit_decode(struct svm_vcpu *v, struct exit_record *exit)
{
    struct vmcb *vmcb = v->vmcb;
    const uint32_t code = (uint32_t)vmcb->exit_code;
    const struct svm_code *c = code < SVM_CODES ? &svm_codes[code] : &svm_code_npf;
    vmcb->clean = svm_caps.clean;
    v->vcpu->shadow = vmcb->int_state & INTERRUPT_SHADOW;
    if ((code >= SVM_CODES && code != CODE_NPF) || !(c->flags & (X_PLAIN | X_HOST_WINDOW)) ||
        !undisturbed(v, vmcb)) {
        any_exit(v, exit);
        return;
    }
    if (c->flags & X_HOST_WINDOW)
        let_interrupts_in(exit);
    fill(vmcb, c, exit);
    exit->raw_name = NULL; /* its kind says it all */
    if (c->decode)
        c->decode(exit, vmcb, &v->vcpu->regs, svm_caps.decode_assists);
}
