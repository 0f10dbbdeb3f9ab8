/* One entry and one exit. The way in and out is the hot path of the whole machine: what differs from the VMCS
 * is written, what every caller needs is read, and nothing else. */
#include "arch/x86/cpu.h"
#include "arch/x86/mitigate.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/reasons.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/vm.h"

/* entry.asm counts on this layout. */
_Static_assert(offsetof(struct vcpu_regs, gpr) == 0, "entry.asm: general registers first");
_Static_assert(sizeof(((struct vcpu_regs *)0)->gpr) == 16 * 8, "entry.asm: sixteen registers of 8 bytes");
_Static_assert(GPR_RAX == 0 && GPR_RCX == 1 && GPR_RDX == 2 && GPR_RBX == 3 && GPR_RSP == 4 && GPR_RBP == 5 &&
                   GPR_RSI == 6 && GPR_RDI == 7 && GPR_R8 == 8 && GPR_R15 == 15,
               "entry.asm: the order of the encoding");
_Static_assert(VMCS_HOST_RSP == 0x6c14, "entry.asm writes this field");

/* The processor takes an error code only in protected mode (SDM vol. 3, 27.2.1.3). */
static void write_event(struct vmx_vcpu *v)
{
    struct event *ev = &v->events.next;
    if ((ev->info & EVENT_ERROR) && !(vmread(VMCS_GUEST_CR0) & CR0_PE))
        ev->info &= ~EVENT_ERROR;
    if (ev->info & EVENT_ERROR)
        vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, ev->error);
    if ((ev->info & EVENT_TYPE) >= EVENT_TYPE_SOFT)
        vmwrite(VMCS_ENTRY_INSN_LENGTH, ev->length);
    vmwrite(VMCS_ENTRY_INTR_INFO, ev->info);
    v->nmi_entered = (ev->info & EVENT_TYPE) == EVENT_TYPE_NMI;
    ev->info = 0;
    if (events_none(&v->events))
        v->work &= ~WORK_EVENT;
}

/* An emulated instruction's single-step trap; not while branches are stepped (SDM vol. 3, 18.4.4). */
static void write_single_step(struct vmx_vcpu *v)
{
    if (!(vmread(VMCS_GUEST_DEBUGCTL) & 2))
        vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
    v->work &= ~WORK_SINGLE_STEP;
}

static void do_work(struct vmx_vcpu *v)
{
    if (v->work & WORK_EVENT)
        vmx_event_promote(v);
    if (v->events.next.info)
        write_event(v);
    if (v->work & WORK_SINGLE_STEP)
        write_single_step(v);
    if (v->work & WORK_FLUSH) {
        if (v->vpid)
            invvpid(vmx_caps.invvpid_type, v->vpid);
        v->work &= ~WORK_FLUSH;
    }
    if (v->work & WORK_GUARD)
        mitigate_entry();
}

static void write_state(struct vmx_vcpu *v, const struct vcpu_regs *regs)
{
    if (v->in_rip != regs->rip)
        vmwrite(VMCS_GUEST_RIP, regs->rip);
    if (v->in_rsp != regs->gpr[GPR_RSP])
        vmwrite(VMCS_GUEST_RSP, regs->gpr[GPR_RSP]);
    if (v->in_rflags != regs->rflags)
        vmwrite(VMCS_GUEST_RFLAGS, regs->rflags);
    if (v->work)
        do_work(v);
    if (v->in_proc != v->proc) {
        v->in_proc = v->proc;
        vmwrite(VMCS_PROC_CONTROLS, v->proc);
    }
    if (v->in_intr != v->intr)
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, v->intr);
    if (v->ept_generation != v->vm->ept_generation) {
        v->ept_generation = v->vm->ept_generation;
        invept(vmx_caps.invept_type, v->vm->eptp);
    }
}

/* Virtual NMIs are blocked by the injection of one, and by nothing else (SDM vol. 3, 25.3, 27.6.1). Bochs
 * keeps the blocking of the guest that ran before, if that one was left in its handler: an entry that says
 * "not blocked" does not end it, and the next NMI of this guest would wait for an IRET that has been. */
static inline uint32_t without_foreign_blocking(const struct vmx_vcpu *v, uint32_t intr)
{
    const bool own = (v->intr & INTR_NMI) || v->nmi_entered;

    return own ? intr : intr & ~INTR_NMI;
}

static void read_state(struct vmx_vcpu *v, struct vcpu_regs *regs)
{
    v->in_rip = regs->rip = vmread(VMCS_GUEST_RIP);
    v->in_rsp = regs->gpr[GPR_RSP] = vmread(VMCS_GUEST_RSP);
    v->in_rflags = regs->rflags = vmread(VMCS_GUEST_RFLAGS);
    v->in_intr = vmread32(VMCS_GUEST_INTERRUPTIBILITY);
    v->intr = v->in_intr & INTR_NMI ? without_foreign_blocking(v, v->in_intr) : v->in_intr;
    v->nmi_entered = false;
    v->vcpu->shadow = (v->intr & INTR_SHADOW) != 0;
}

static void unknown_state(struct vmx_vcpu *v, const struct vcpu_regs *regs)
{
    v->in_rip = ~regs->rip;
    v->in_rsp = ~regs->gpr[GPR_RSP];
    v->in_rflags = ~regs->rflags;
    v->in_intr = ~v->intr;
}

/* VMLAUNCH or VMRESUME itself failed: controls or host state, so our own doing, or a shadow that should not
 * be. */
static void instruction_failed(struct vmx_vcpu *v, int how, struct exit_record *exit)
{
    const uint32_t error = how == 2 ? vmread32(VMCS_INSTRUCTION_ERROR) : 0;
    *exit = (struct exit_record){
        .kind = EXIT_ENTRY_FAILED,
        .raw_reason = error,
        .raw_name = how == 2 ? vmx_instruction_error_name(error) : "no current VMCS",
    };
    unknown_state(v, &v->vcpu->regs);
}

/* The processor refused the guest's state (SDM vol. 3, 27.8): nothing of it has changed, no event was
 * delivered. */
static void entry_failed(struct vmx_vcpu *v, uint32_t reason, struct exit_record *exit)
{
    vmx_exit_decode(v, reason, exit);
    exit->kind = EXIT_ENTRY_FAILED;
    unknown_state(v, &v->vcpu->regs);
    if ((reason & REASON_BASIC) == REASON_ENTRY_MACHINE_CHECK)
        __asm__ volatile("int $18" : : : "memory");
}

void vmx_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    struct vcpu_regs *regs = &vcpu->regs;

    vmx_vmcs_use(v);
    ASSERT(v->loaded);
    write_state(v, regs);
    if (vmx_caps.pin & PIN_PREEMPTION_TIMER)
        vmwrite(VMCS_PREEMPTION_TIMER, vmx_timer_value(rdtsc(), deadline, vmx_caps.timer_rate));
    const int failed = vmx_enter(regs, v->launched, &v->host_rsp);
    if (failed) {
        instruction_failed(v, failed, exit);
        return;
    }
    const uint32_t reason = vmread32(VMCS_EXIT_REASON);
    if (reason & REASON_ENTRY_FAILED) {
        entry_failed(v, reason, exit);
        return;
    }
    v->launched = true;
    read_state(v, regs);
    vmx_exit_decode(v, reason, exit);
}
