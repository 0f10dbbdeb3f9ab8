/* The VMCS in words, for an exit that nobody expected or an entry that the processor refused. */
#include "arch/x86/vmx/reasons.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/vm.h"

static unsigned long long rd(enum vmcs_field field)
{
    return vmread(field);
}

static void dump_segments(struct vcpu *vcpu)
{
    static const char *const names[GUEST_SEGS] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};
    for (unsigned int i = 0; i < GUEST_SEGS; i++) {
        struct guest_segment s;
        vmx_get_segment(vcpu, (enum guest_seg)i, &s);
        host_log_vm(vcpu->vm, "%-4s %04x base %016llx limit %08x attr %04x%s", names[i], s.selector,
                    (unsigned long long)s.base, s.limit, s.attr,
                    s.attr & SEG_ATTR_UNUSABLE ? " unusable" : "");
    }
}

void vmx_dump(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmx_vmcs_use(v);
    const uint32_t error = vmread32(VMCS_INSTRUCTION_ERROR);
    const uint32_t reason = vmread32(VMCS_EXIT_REASON);
    host_log_vm(vcpu->vm, "vcpu %u: exit reason %08x (%s), qualification %llx, instruction error %u (%s)",
                vcpu->id, reason, vmx_reason(reason & 0xffff)->name, rd(VMCS_EXIT_QUALIFICATION), error,
                error ? vmx_instruction_error_name(error) : "none");
    host_log_vm(vcpu->vm, "CR0 %08llx shadow %08llx CR3 %016llx CR4 %08llx shadow %08llx EFER %04llx",
                rd(VMCS_GUEST_CR0), rd(VMCS_CR0_SHADOW), rd(VMCS_GUEST_CR3), rd(VMCS_GUEST_CR4),
                rd(VMCS_CR4_SHADOW), rd(VMCS_GUEST_EFER));
    host_log_vm(vcpu->vm, "RIP %016llx RSP %016llx RFLAGS %08llx DR7 %08llx pending debug %llx",
                rd(VMCS_GUEST_RIP), rd(VMCS_GUEST_RSP), rd(VMCS_GUEST_RFLAGS), rd(VMCS_GUEST_DR7),
                rd(VMCS_GUEST_PENDING_DEBUG));
    host_log_vm(vcpu->vm,
                "interruptibility %llx activity %llx entry event %08llx exit event %08llx vectoring %08llx",
                rd(VMCS_GUEST_INTERRUPTIBILITY), rd(VMCS_GUEST_ACTIVITY), rd(VMCS_ENTRY_INTR_INFO),
                rd(VMCS_EXIT_INTR_INFO), rd(VMCS_IDT_VECTORING_INFO));
    host_log_vm(vcpu->vm, "controls pin %08llx proc %08llx proc2 %08llx exit %08llx entry %08llx",
                rd(VMCS_PIN_CONTROLS), rd(VMCS_PROC_CONTROLS), rd(VMCS_PROC2_CONTROLS),
                rd(VMCS_EXIT_CONTROLS), rd(VMCS_ENTRY_CONTROLS));
    host_log_vm(vcpu->vm, "guest-physical %016llx linear %016llx GDTR %016llx/%llx IDTR %016llx/%llx",
                rd(VMCS_GUEST_PHYSICAL_ADDRESS), rd(VMCS_GUEST_LINEAR_ADDRESS), rd(VMCS_GUEST_GDTR_BASE),
                rd(VMCS_GUEST_GDTR_LIMIT), rd(VMCS_GUEST_IDTR_BASE), rd(VMCS_GUEST_IDTR_LIMIT));
    dump_segments(vcpu);
}
