/* From an exit to the neutral record. reasons.c knows what each reason needs; here it is read from the VMCS,
 * and what the host owes the exit is done: its interrupts, NMIs and machine checks, and the exceptions that
 * are intercepted only to keep their delivery from looping inside the processor. */
#include "arch/x86/cpu.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/reasons.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "arch/x86/window.h"
#include "vmm/host.h"

#define VECTOR_DB 1u
#define VECTOR_UD 6u
#define VECTOR_DF 8u
#define VECTOR_MC 18u

/* Exit qualification of #DB (table 28-1), the bits of DR6 that it sets, and those that are always one. */
#define DB_TO_DR6    0x600full
#define DR6_HITS     0xfull
#define DR6_BD       (1ull << 13)
#define DR6_BS       (1ull << 14)
#define DR6_ONES     0xffff0ff0ull
#define DR7_GD       (1ull << 13)
#define DEBUGCTL_LBR (1ull << 0)
#define DEBUGCTL_BTF (1ull << 1)

/* What the processor does when it delivers #DB, and leaves undone when the #DB exits (SDM vol. 3, 28.1
 * and 18.3.1.1). INT1 is no condition of DR6's. At a general detect the step's trap that
 * MOV SS has held back is lost (6.8.3), but Bochs shows both. */
static void debug_exception_effects(struct vmx_vcpu *v, uint64_t qualification, bool int1)
{
    if (qualification & DR6_BD)
        qualification &= ~DR6_BS;
    if (!int1)
        write_dr6((read_dr6() & ~DR6_HITS) | (qualification & DB_TO_DR6) | DR6_ONES);
    vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
    vmwrite(VMCS_GUEST_DEBUGCTL, vmread(VMCS_GUEST_DEBUGCTL) & ~(DEBUGCTL_LBR | DEBUGCTL_BTF));
    /* With a shadow and TF, entry insists on a pending single step (27.3.1.5). */
    if ((v->intr & INTR_SHADOW) && (v->vcpu->regs.rflags & RFLAGS_TF))
        vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

/* #DB and #AC: a guest can arrange that the delivery of either raises it anew, for ever and with no interrupt
 * taken in between (CVE-2015-8104, CVE-2015-5307). Through the exit the host keeps its say; the guest gets
 * its exception. */
static void reflect_exception(struct vmx_vcpu *v, uint32_t info, struct exit_record *exit)
{
    const struct event ev = {
        .info = info & (EVENT_VALID | EVENT_TYPE | EVENT_ERROR | EVENT_VECTOR),
        .error = info & EVENT_ERROR ? vmread32(VMCS_EXIT_INTR_ERROR) : 0,
        .length = vmread32(VMCS_EXIT_INSN_LENGTH), /* INT1 */
    };
    if ((info & EVENT_VECTOR) == VECTOR_DB)
        debug_exception_effects(v, exit->raw_qualification, (info & EVENT_TYPE) == EVENT_TYPE_PRIV);
    exit->u.exception.vector = (uint8_t)(info & EVENT_VECTOR);
    exit->u.exception.has_error = (info & EVENT_ERROR) != 0;
    exit->u.exception.error = ev.error;
    exit->u.exception.address = 0;
    if ((info & EVENT_VECTOR) != VECTOR_UD) /* which may be a call: not ours to tell */
        vmx_inject_event(v, &ev);
}

/* Exit reason 0. NMIs are blocked after an NMI exit; the host handler's IRET ends that (SDM vol. 3, 28.5.5).
 */
static void exception_exit(struct vmx_vcpu *v, bool redelivered, struct exit_record *exit)
{
    const uint32_t info = vmread32(VMCS_EXIT_INTR_INFO);
    const uint32_t vector = info & EVENT_VECTOR;
    if ((info & EVENT_TYPE) == EVENT_TYPE_NMI) {
        exit->kind = EXIT_NMI;
        __asm__ volatile("int $2" : : : "memory");
        return;
    }
    /* An IRET that faulted had already ended the guest's NMI blocking (28.2.3): as it will be executed again,
     * that is undone. */
    if ((info & EVENT_IRET_NMI) && vector != VECTOR_DF && !redelivered)
        v->intr |= INTR_NMI;
    if (vector == VECTOR_MC) {
        exit->kind = EXIT_NMI;
        __asm__ volatile("int $18" : : : "memory");
        return;
    }
    reflect_exception(v, info, exit);
}

static bool redeliver_interrupted(struct vmx_vcpu *v)
{
    const uint32_t info = vmread32(VMCS_IDT_VECTORING_INFO);
    if (!(info & EVENT_VALID))
        return false;
    vmx_redeliver(v, info, vmread32(VMCS_IDT_VECTORING_ERROR), vmread32(VMCS_EXIT_INSN_LENGTH));
    return true;
}

/* The event whose gate it was is delivered by the switch itself: it is not to come again. What an NMI blocks,
 * and an IRET ends, is what the switch would have done (25.4.2, 26.3). */
static void task_switch_exit(struct vmx_vcpu *v, struct exit_record *exit)
{
    const uint32_t info = vmread32(VMCS_IDT_VECTORING_INFO), type = info & EVENT_TYPE;
    const bool event = (info & EVENT_VALID) && exit->u.task.source == TASK_GATE;

    exit->u.task.soft = event && type >= EVENT_TYPE_SOFT;
    exit->u.task.external = event && !exit->u.task.soft;
    exit->u.task.has_error = event && (info & EVENT_ERROR);
    exit->u.task.error = exit->u.task.has_error ? vmread32(VMCS_IDT_VECTORING_ERROR) : 0;
    if (event && type == EVENT_TYPE_NMI)
        v->intr |= INTR_NMI;
    else if (exit->u.task.source == TASK_IRET)
        v->intr &= ~INTR_NMI;
}

void vmx_exit_decode(struct vmx_vcpu *v, uint32_t reason, struct exit_record *exit)
{
    const struct vmx_reason *r = vmx_reason(reason & REASON_BASIC);
    exit->kind = r->kind;
    exit->raw_reason = reason;
    exit->raw_name = r->name;
    exit->raw_qualification = r->flags & R_QUALIFICATION ? vmread(VMCS_EXIT_QUALIFICATION) : 0;
    exit->insn_len = r->flags & R_LENGTH ? (uint8_t)vmread(VMCS_EXIT_INSN_LENGTH) : 0;
    if (r->decode)
        r->decode(exit, r->flags & R_GPA ? vmread(VMCS_GUEST_PHYSICAL_ADDRESS) : 0, &v->vcpu->regs);
    if (r->kind == EXIT_PAUSE)
        exit->u.pause.spin = vmx_caps.pause_proc2 != 0;
    if (r->kind == EXIT_MMIO) {
        exit->cr3 = vmread(VMCS_GUEST_CR3);
        exit->u.mmio.code_attr = (uint16_t)vmread(VMCS_GUEST_CS_RIGHTS);
    }
    if (!(r->flags & (R_VECTORING | R_HOST_WINDOW | R_EXCEPTION | R_IRQ_WINDOW | R_NMI_WINDOW | R_TASK)))
        return;

    const bool redelivered = (r->flags & R_VECTORING) && redeliver_interrupted(v);
    if (r->flags & R_HOST_WINDOW)
        let_interrupts_in(exit);
    if (r->flags & R_EXCEPTION)
        exception_exit(v, redelivered, exit);
    if (r->flags & R_TASK)
        task_switch_exit(v, exit);
    if (r->flags & R_IRQ_WINDOW)
        v->proc &= ~PROC_IRQ_WINDOW;
    if (r->flags & R_NMI_WINDOW)
        v->proc &= ~PROC_NMI_WINDOW;
    if (redelivered && exit->kind == EXIT_MMIO) {
        /* The IDT, the GDT, the TSS or a stack where no memory is: there is no instruction to emulate. */
        exit->kind = EXIT_UNEXPECTED;
        exit->raw_name = "EPT violation while delivering an event";
    }
}
