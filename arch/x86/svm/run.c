/* One entry and one exit: the hot path of the whole machine. */
#include "arch/x86/cpu.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"

/* entry.asm counts on these layouts. */
_Static_assert(offsetof(struct svm_vcpu, vcpu) == 0 && offsetof(struct svm_vcpu, vmcb) == 8 &&
                   offsetof(struct svm_vcpu, vmcb_phys) == 16 &&
                   offsetof(struct svm_vcpu, host_state_phys) == 24,
               "entry.asm: struct svm_vcpu");
_Static_assert(offsetof(struct vmcb, int_state) == 0x68, "entry.asm: VMCB_INT_STATE");
_Static_assert(offsetof(struct vcpu, regs) == 0 && offsetof(struct vcpu_regs, gpr) == 0,
               "entry.asm: general registers first");
_Static_assert(sizeof(((struct vcpu_regs *)0)->gpr) == 16 * 8, "entry.asm: sixteen registers of 8 bytes");
_Static_assert(GPR_RCX == 1 && GPR_RDX == 2 && GPR_RBX == 3 && GPR_RBP == 5 && GPR_RSI == 6 && GPR_RDI == 7 &&
                   GPR_R8 == 8 && GPR_R15 == 15,
               "entry.asm: the order of the encoding");

/* A guest whose ASID is its own still takes another one where the processor cannot flush a single one. */
static void flush(struct svm_vcpu *v)
{
    struct svm_cpu *cpu = v->cpu;
    if (svm_caps.flush_by_asid && asid_valid(&cpu->asids, &v->tag)) {
        v->vmcb->tlb_control = TLB_FLUSH_ASID;
    } else {
        v->vmcb->tlb_control = asid_take(&cpu->asids, &v->tag) ? TLB_FLUSH_ALL : TLB_KEEP;
        v->vmcb->asid = v->tag.asid;
        svm_changed(v, CLEAN_ASID);
    }
    v->work = (v->work & ~WORK_FLUSH) | WORK_TIDY;
}

static void do_work(struct svm_vcpu *v)
{
    if (v->work & WORK_TIDY) {
        v->vmcb->tlb_control = TLB_KEEP;
        v->vmcb->event_inj = 0;
        v->work &= ~WORK_TIDY;
    }
    if (v->work & WORK_EVENT)
        svm_events_enter(v);
    if (v->work & WORK_FLUSH)
        flush(v);
}

/* entry.asm. It is no C function: it keeps RBP, RSP and RDI, and nothing else. */
static inline void enter(struct svm_vcpu *v)
{
    __asm__ volatile("call svm_enter"
                     : "+D"(v)
                     :
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
}

/* The deadline is not looked at: the kernel arms the physical LAPIC for the earliest of all, the slice's end
 * included (kernel/processor.c), and its interrupt is an exit whatever the guest's IF is; when it is due
 * already, before the guest's first instruction. */
void svm_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    struct svm_vcpu *v = svm_of(vcpu);
    struct vmcb *c = v->vmcb;
    struct vcpu_regs *regs = &vcpu->regs;

    (void)deadline;
    ASSERT(v->fpu.loaded);
    c->rax = regs->gpr[GPR_RAX];
    c->rsp = regs->gpr[GPR_RSP];
    c->rip = regs->rip;
    c->rflags = regs->rflags;
    if (v->work)
        do_work(v);
    enter(v);
    c->clean = svm_caps.clean;
    regs->gpr[GPR_RAX] = c->rax;
    regs->gpr[GPR_RSP] = c->rsp;
    regs->rip = c->rip;
    regs->rflags = c->rflags;
    svm_exit_decode(v, exit);
}
