/* One entry and one exit: the hot path of the whole machine. */
#include "arch/x86/cpu.h"
#include "arch/x86/mitigate.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"

/* entry.asm counts on these layouts. */
_Static_assert(offsetof(struct svm_vcpu, vcpu) == 0 && offsetof(struct svm_vcpu, vmcb) == 8 &&
                   offsetof(struct svm_vcpu, vmcb_phys) == 16 &&
                   offsetof(struct svm_vcpu, host_state_phys) == 24,
               "entry.asm: struct svm_vcpu");
_Static_assert(offsetof(struct vmcb, int_state) == 0x68 && offsetof(struct vmcb, rflags) == 0x570 &&
                   offsetof(struct vmcb, rip) == 0x578 && offsetof(struct vmcb, rsp) == 0x5d8 &&
                   offsetof(struct vmcb, rax) == 0x5f8,
               "entry.asm: the VMCB");
_Static_assert(offsetof(struct vcpu_regs, rip) == 0x80 && offsetof(struct vcpu_regs, rflags) == 0x88,
               "entry.asm: RIP and RFLAGS after the general registers");
_Static_assert(offsetof(struct vcpu, regs) == 0 && offsetof(struct vcpu_regs, gpr) == 0,
               "entry.asm: general registers first");
_Static_assert(sizeof(((struct vcpu_regs *)0)->gpr) == 16 * 8, "entry.asm: sixteen registers of 8 bytes");
_Static_assert(GPR_RAX == 0 && GPR_RSP == 4 && GPR_RCX == 1 && GPR_RDX == 2 && GPR_RBX == 3 && GPR_RBP == 5 &&
                   GPR_RSI == 6 && GPR_RDI == 7 && GPR_R8 == 8 && GPR_R15 == 15,
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

/* entry.asm: registers in, guest, registers out; then svm_exit_decode(v, exit). */
void svm_enter(struct svm_vcpu *v, struct exit_record *exit);
void svm_enter_guarded(struct svm_vcpu *v, struct exit_record *exit);

/* Not part of svm_run, whose registers would have to be saved for it at each entry. */
static __attribute__((noinline)) void work_and_enter(struct svm_vcpu *v, struct exit_record *exit)
{
    do_work(v);
    if (v->work & WORK_GUARD) {
        mitigate_entry();
        svm_enter_guarded(v, exit);
    } else {
        svm_enter(v, exit);
    }
}

/* The deadline is not looked at: the kernel arms the physical LAPIC for the earliest of all, the slice's end
 * included (kernel/processor.c), and its interrupt is an exit whatever the guest's IF is; when it is due
 * already, before the guest's first instruction. */
void svm_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    struct svm_vcpu *v = svm_of(vcpu);

    (void)deadline;
    ASSERT(v->fpu.loaded);
    if (v->work)
        work_and_enter(v, exit);
    else
        svm_enter(v, exit);
}
