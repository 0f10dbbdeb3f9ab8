/* One entry and one exit: the hot path of the whole machine. */
#include "arch/x86/cpu.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"

/* entry.asm counts on this layout. */
_Static_assert(offsetof(struct vcpu_regs, gpr) == 0, "entry.asm: general registers first");
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
    v->npt_generation = v->vm->npt_generation;
    v->work &= ~WORK_FLUSH;
}

static void prepare(struct svm_vcpu *v)
{
    if (v->work & WORK_EVENT)
        svm_events_enter(v);
    if ((v->work & WORK_FLUSH) || v->npt_generation != v->vm->npt_generation)
        flush(v);
}

/* The physical LAPIC takes the guest out: the kernel arms it for the earliest deadline of all, the slice's
 * end included, and its interrupt is an exit whatever the guest's IF is. What has passed before the entry is
 * not waited for. */
void svm_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    struct svm_vcpu *v = svm_of(vcpu);
    struct vmcb *c = v->vmcb;
    struct vcpu_regs *regs = &vcpu->regs;

    ASSERT(v->fpu.loaded);
    if (rdtsc() >= deadline) {
        *exit = (struct exit_record){.kind = EXIT_DEADLINE, .raw_name = "deadline before the entry"};
        return;
    }
    c->rax = regs->gpr[GPR_RAX];
    c->rsp = regs->gpr[GPR_RSP];
    c->rip = regs->rip;
    c->rflags = regs->rflags;
    if (v->work || v->npt_generation != v->vm->npt_generation)
        prepare(v);
    svm_enter(regs, v->vmcb_phys, v->cpu->host_state_phys, c->int_state & INTERRUPT_SHADOW);
    c->clean = svm_caps.clean;
    c->tlb_control = TLB_KEEP;
    c->event_inj = 0;
    regs->gpr[GPR_RAX] = c->rax;
    regs->gpr[GPR_RSP] = c->rsp;
    regs->rip = c->rip;
    regs->rflags = c->rflags;
    svm_exit_decode(v, exit);
}
