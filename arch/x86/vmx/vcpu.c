/* A vCPU's VMCS: made, filled, reset, and moved in and out of the processor. */
#include "vmm/vcpu.h"

#include "arch/x86/cpu.h"
#include "arch/x86/guest_debug.h"
#include "arch/x86/guest_reset.h"
#include "arch/x86/mitigate.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

#define PAGE          4096u
#define INTERCEPT_DB  (1u << 1)
#define INTERCEPT_UD  (1u << 6)
#define INTERCEPT_AC  (1u << 17)
#define INTERCEPT_MC  (1u << 18)
#define NO_GENERATION UINT64_MAX

_Static_assert(sizeof(struct vmx_vcpu) <= PAGE, "allocated as one page");

/* The state that an exit loads (SDM vol. 3, 25.5): this kernel as it is now, on this processor. */
static void write_host_state(void)
{
    struct descriptor_table gdt, idt;
    sgdt(&gdt);
    sidt(&idt);
    vmwrite(VMCS_HOST_CR0, read_cr0());
    vmwrite(VMCS_HOST_CR3, read_cr3());
    vmwrite(VMCS_HOST_CR4, read_cr4());
    vmwrite(VMCS_HOST_CS_SELECTOR, SEL_CODE64);
    vmwrite(VMCS_HOST_SS_SELECTOR, SEL_DATA);
    vmwrite(VMCS_HOST_DS_SELECTOR, 0);
    vmwrite(VMCS_HOST_ES_SELECTOR, 0);
    vmwrite(VMCS_HOST_FS_SELECTOR, 0);
    vmwrite(VMCS_HOST_GS_SELECTOR, 0);
    vmwrite(VMCS_HOST_TR_SELECTOR, SEL_TSS);
    vmwrite(VMCS_HOST_FS_BASE, 0);
    vmwrite(VMCS_HOST_GS_BASE, (uint64_t)(uintptr_t)this_cpu());
    vmwrite(VMCS_HOST_TR_BASE, (uint64_t)(uintptr_t)&this_cpu()->tss);
    vmwrite(VMCS_HOST_GDTR_BASE, gdt.base);
    vmwrite(VMCS_HOST_IDTR_BASE, idt.base);
    vmwrite(VMCS_HOST_SYSENTER_CS, 0);
    vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
    vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
    vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(VMCS_HOST_RIP, (uint64_t)(uintptr_t)(mitigate_guards() ? vmx_exit_guarded : vmx_exit_point));
}

/* A VMCS may be active on one processor only (SDM vol. 3, 25.11.1): one that comes from another must have
 * been cleared there. */
void vmx_vmcs_switch(struct vmx_cpu *cpu, struct vmx_vcpu *v)
{
    const bool fresh = v->cpu != cpu;
    if (fresh) {
        ASSERT(!v->cpu);
        vmclear(v->vmcs_phys);
        v->launched = false;
    }
    const bool ok = vmptrld(v->vmcs_phys);
    ASSERT(ok);
    (void)ok;
    cpu->current = v;
    if (fresh) {
        v->cpu = cpu;
        v->host_rsp = 0;
        v->work |= WORK_FLUSH;
        v->ept_generation = NO_GENERATION;
        write_host_state();
    }
}

/* SDM vol. 3, 25.1.3, in TSC ticks: PAUSEs that are not further apart are a loop, and one that lasts longer
 * than the window exits. A lock is held for less. */
#define PLE_GAP    128u
#define PLE_WINDOW 4096u

void vmx_watch_spins(struct vcpu *vcpu, bool on)
{
    struct vmx_vcpu *v = vmx_of(vcpu);

    v->proc = on ? v->proc | vmx_caps.pause_proc : v->proc & ~vmx_caps.pause_proc;
    vmx_vmcs_use(v);
    vmwrite(VMCS_PROC2_CONTROLS, vmx_caps.proc2 | (on ? vmx_caps.pause_proc2 : 0));
}

static void write_controls(struct vmx_vcpu *v)
{
    vmwrite(VMCS_PIN_CONTROLS, vmx_caps.pin);
    vmwrite(VMCS_PROC_CONTROLS, v->proc);
    vmwrite(VMCS_PROC2_CONTROLS, vmx_caps.proc2);
    if (vmx_caps.pause_proc2) {
        vmwrite(VMCS_PLE_GAP, PLE_GAP);
        vmwrite(VMCS_PLE_WINDOW, PLE_WINDOW);
    }
    vmwrite(VMCS_EXIT_CONTROLS, vmx_caps.exit);
    vmwrite(VMCS_ENTRY_CONTROLS, vmx_caps.entry);
    vmwrite(VMCS_EXCEPTION_BITMAP,
            INTERCEPT_DB | INTERCEPT_AC | INTERCEPT_MC | (v->vcpu->vm->config.pvclock ? INTERCEPT_UD : 0));
    vmwrite(VMCS_PF_ERROR_MASK, 0);
    vmwrite(VMCS_PF_ERROR_MATCH, 0);
    vmwrite(VMCS_CR3_TARGET_COUNT, 0);
    vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite(VMCS_ENTRY_INTR_INFO, 0);
    vmwrite(VMCS_IO_BITMAP_A, vmx_io_bitmap(0));
    vmwrite(VMCS_IO_BITMAP_B, vmx_io_bitmap(1));
    vmwrite(VMCS_MSR_BITMAP, host_phys(v->vm->msr_bitmap));
    v->tsc = (struct vt_tsc_line){.ratio = vt_ratio_one(vmx_tsc_scaling())};
    vmwrite(VMCS_TSC_OFFSET, v->tsc.offset);
    if (vmx_caps.proc2 & PROC2_TSC_SCALING)
        vmwrite(VMCS_TSC_MULTIPLIER, v->tsc.ratio); /* it must not be 0 */
    vmwrite(VMCS_EPT_POINTER, v->vm->eptp);
    vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
    if (vmx_caps.proc2 & PROC2_VPID)
        vmwrite(VMCS_VPID, v->vpid);
    if (vmx_caps.proc2 & PROC2_ENCLS)
        vmwrite(VMCS_ENCLS_EXITING_BITMAP, UINT64_MAX);
}

bool vmx_vcpu_init(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = host_alloc_pages(1, PAGE);
    vcpu->arch = v;
    if (!v)
        return false;
    v->vcpu = vcpu;
    v->vm = vcpu->vm->arch;
    v->vmcs = host_alloc_pages(1, PAGE);
    if (!v->vmcs || !fpu_create(&v->fpu))
        return false;
    memcpy(v->vmcs, &vmx_caps.revision, sizeof(vmx_caps.revision));
    v->vmcs_phys = host_phys(v->vmcs);
    if (vmx_caps.proc2 & PROC2_VPID)
        v->vpid = (uint16_t)(vcpu->vm->index * VM_MAX_VCPUS + vcpu->id + 1);
    v->proc = v->in_proc = vmx_caps.proc | PROC_RDTSC;
    events_reset(&v->events);
    vmx_vmcs_use(v);
    write_controls(v);
    vmx_watch_spins(vcpu, vcpu->vm->config.cpus > 1);
    return true;
}

/* A VMCS that another processor is to use must have been written back to memory (SDM vol. 3, 25.11.1). What
 * the VMCS holds, and the copies of it in v, stay as they are. */
void vmx_vcpu_unload(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);

    ASSERT(!v->loaded);
    if (!v->cpu)
        return;
    ASSERT(v->cpu == this_cpu()->hv);
    vmclear(v->vmcs_phys);
    if (v->cpu->current == v)
        v->cpu->current = NULL;
    v->cpu = NULL;
}

void vmx_vcpu_destroy(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    if (!v)
        return;
    vmx_vcpu_unload(vcpu);
    fpu_destroy(&v->fpu);
    if (v->vmcs)
        host_free_pages(v->vmcs, 1);
    host_free_pages(v, 1);
    vcpu->arch = NULL;
}

void vmx_vcpu_reset(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    const bool loaded = v->loaded;
    if (loaded)
        vmx_vcpu_save(vcpu);
    vmx_vmcs_use(v);
    guest_reset(&vmx_ops, vcpu);
    fpu_reset(&v->fpu);
    memset(v->dr, 0, sizeof(v->dr));
    v->dr6 = GUEST_DR6_RESET;
    vmwrite(VMCS_GUEST_ACTIVITY, 0);
    vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
    v->in_rip = v->in_rsp = v->in_rflags = 0;
    vmwrite(VMCS_GUEST_RIP, 0);
    vmwrite(VMCS_GUEST_RSP, 0);
    vmwrite(VMCS_GUEST_RFLAGS, 0);
    v->intr = v->in_intr = 0;
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
    events_reset(&v->events);
    v->work = WORK_FLUSH | (mitigate_guards() ? WORK_GUARD : 0);
    v->proc &= ~(PROC_IRQ_WINDOW | PROC_NMI_WINDOW);
    if (loaded)
        vmx_vcpu_load(vcpu);
}

void vmx_vcpu_load(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    ASSERT(!v->loaded);
    vmx_vmcs_use(v);
    mitigate_switch(vcpu->vm);
    vmx_msrs_load(v);
    fpu_load(&v->fpu);
    write_cr2(v->cr2);
    guest_breakpoints_load(v->dr);
    write_dr6(v->dr6);
    v->loaded = true;
}

void vmx_vcpu_save(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    ASSERT(v->loaded);
    guest_breakpoints_save(v->dr);
    v->dr6 = read_dr6();
    v->cr2 = read_cr2();
    fpu_save(&v->fpu);
    vmx_msrs_save(v);
    v->loaded = false;
}

/* SDM vol. 3, 24.6.5 and 25.3: TSC = (host TSC * multiplier >> 48) + offset. */
#define MULTIPLIER_BITS 48

void vmx_set_tsc(struct vcpu *vcpu, bool exiting, struct vt_tsc_line tsc)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    v->proc = exiting ? v->proc | PROC_RDTSC : v->proc & ~PROC_RDTSC;
    if (exiting)
        return;
    if (v->tsc.offset != tsc.offset) {
        v->tsc.offset = tsc.offset;
        vmx_vmcs_use(v);
        vmwrite(VMCS_TSC_OFFSET, tsc.offset);
    }
    if (v->tsc.ratio != tsc.ratio) {
        v->tsc.ratio = tsc.ratio;
        vmx_vmcs_use(v);
        vmwrite(VMCS_TSC_MULTIPLIER, tsc.ratio);
    }
}

struct vt_scaling vmx_tsc_scaling(void)
{
    if (!(vmx_caps.proc2 & PROC2_TSC_SCALING))
        return (struct vt_scaling){0};
    return (struct vt_scaling){MULTIPLIER_BITS, UINT64_C(1) << (64 - MULTIPLIER_BITS)};
}
