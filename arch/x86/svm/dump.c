/* The VMCB in words, for an exit that nobody expected or an entry that the processor refused. */
#include "arch/x86/svm/codes.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"
#include "vmm/vm.h"

#define LL(x) ((unsigned long long)(x))

void svm_dump(struct vcpu *vcpu)
{
    const struct svm_vcpu *v = svm_of(vcpu);
    const struct vmcb *c = v->vmcb;
    host_log_vm(vcpu->vm, "vcpu %u: exit code %llx (%s), EXITINFO1 %llx EXITINFO2 %llx, next RIP %llx",
                vcpu->id, LL(c->exit_code), svm_code((uint32_t)c->exit_code)->name, LL(c->exit_info1),
                LL(c->exit_info2), LL(c->next_rip));
    host_log_vm(vcpu->vm, "VMCB: CR0 %08llx CR3 %016llx CR4 %08llx EFER %04llx DR6 %08llx DR7 %08llx CPL %u",
                LL(c->cr0), LL(c->cr3), LL(c->cr4), LL(c->efer), LL(c->dr6), LL(c->dr7), c->cpl);
    host_log_vm(
        vcpu->vm, "virtual interrupt %08x vector %02x shadow %llx, EVENTINJ %08x EXITINTINFO %08x %08x",
        c->int_ctl, c->int_vector, LL(c->int_state), c->event_inj, c->exit_int_info, c->exit_int_error);
    host_log_vm(vcpu->vm, "intercepts CR %04x/%04x exceptions %08x %08x %08x %08x, ASID %u, nested CR3 %llx",
                c->cr_read, c->cr_write, c->exceptions, c->intercepts[0], c->intercepts[1], c->intercepts[2],
                c->asid, LL(c->nested_cr3));
    host_log_vm(vcpu->vm, "GDTR %016llx/%x IDTR %016llx/%x, NMI state %u, V_IRQ use %u", LL(c->gdtr.base),
                c->gdtr.limit, LL(c->idtr.base), c->idtr.limit, v->nmi, v->virq);
}
