/* What the files of the VMX backend share. Nobody outside arch/x86/vmx includes this: they have vmx_ops. */
#ifndef ARCH_X86_VMX_VMX_H
#define ARCH_X86_VMX_VMX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/events.h"
#include "arch/x86/fpu.h"
#include "arch/x86/nested.h"
#include "arch/x86/percpu.h"
#include "arch/x86/vmx/caps.h"
#include "vmm/vcpu.h"

/* MSRs that the guest reaches without exits and that no VMCS field holds (msrs.c has their numbers). */
#define VMX_SWITCHED_MSRS 6

/* One processor: percpu's hv. */
struct vmx_cpu {
    void *vmxon;              /* VMXON region */
    struct vmx_vcpu *current; /* whose VMCS is loaded */
};

/* One VM: vm->arch. */
struct vmx_vm {
    struct nested ept;
    uint64_t eptp;
    uint64_t ept_generation; /* counts changes that cached translations do not show */
    uint8_t *msr_bitmap;
};

/* Things to do before the next entry (struct vmx_vcpu, work). */
#define WORK_EVENT       (1u << 0) /* events: one at least */
#define WORK_FLUSH       (1u << 1) /* the guest's cached translations are stale */
#define WORK_SINGLE_STEP (1u << 2) /* an instruction was emulated with RFLAGS.TF set */
#define WORK_GUARD       (1u << 3) /* always: mitigate_entry() */

/* One vCPU: vcpu->arch. The first part is touched at every entry; copies named in_* are what the VMCS holds,
 * so that only what differs is written. */
struct vmx_vcpu {
    struct vcpu *vcpu;
    struct vmx_vm *vm;
    uint64_t host_rsp; /* HOST_RSP; written by entry.asm when it differs */
    uint64_t in_rip, in_rsp, in_rflags;
    uint32_t proc, in_proc; /* primary processor-based controls */
    uint32_t intr, in_intr; /* interruptibility state */
    bool nmi_entered;       /* the entry injects an NMI */
    uint32_t work;          /* WORK_* */
    bool launched;
    bool loaded; /* between vcpu_load and vcpu_save: FPU, DR and MSR state is in the processor */
    struct events events;
    uint64_t ept_generation; /* of the VM, when this vCPU last flushed */

    void *vmcs;
    uint64_t vmcs_phys;
    struct vmx_cpu *cpu; /* where the VMCS is active; NULL: nowhere */
    uint16_t vpid;
    struct vt_tsc_line tsc; /* the TSC multiplier and offset that the VMCS holds */

    uint64_t msr[VMX_SWITCHED_MSRS];
    uint64_t cr2, dr[4], dr6; /* valid while not loaded */
    struct guest_fpu fpu;
};

extern struct vmx_caps vmx_caps; /* set by probe */

static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu)
{
    return vcpu->arch;
}

/* enable.c */
bool vmx_probe(char *why, size_t size);
bool vmx_cpu_enable(char *why, size_t size);
void vmx_describe(char *text, size_t size);

/* vm.c */
bool vmx_vm_init(struct vm *vm);
void vmx_vm_destroy(struct vm *vm);
bool vmx_map(struct vm *vm, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights);
void vmx_unmap(struct vm *vm, uint64_t gpa, uint64_t length);
/* Physical addresses of the two I/O bitmaps, which all VMs share: every port exits. */
uint64_t vmx_io_bitmap(unsigned int which);
/* Once, before the first VM. False: no memory. */
bool vmx_make_io_bitmaps(void);

/* vcpu.c */
bool vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_destroy(struct vcpu *vcpu);
void vmx_vcpu_reset(struct vcpu *vcpu);
void vmx_vcpu_load(struct vcpu *vcpu);
void vmx_vcpu_save(struct vcpu *vcpu);
void vmx_vcpu_unload(struct vcpu *vcpu);
void vmx_watch_spins(struct vcpu *vcpu, bool on);
void vmx_set_tsc(struct vcpu *vcpu, bool exiting, struct vt_tsc_line tsc);
struct vt_scaling vmx_tsc_scaling(void);
void vmx_vmcs_switch(struct vmx_cpu *cpu, struct vmx_vcpu *v);

/* Makes v's VMCS the current one of this processor. Before any vmread or vmwrite. */
static inline void vmx_vmcs_use(struct vmx_vcpu *v)
{
    struct vmx_cpu *cpu = this_cpu()->hv;
    if (cpu->current != v)
        vmx_vmcs_switch(cpu, v);
}

/* run.c */
void vmx_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit);

/* exit.c: after an exit of this basic reason, the VMCS current: fills the record. */
void vmx_exit_decode(struct vmx_vcpu *v, uint32_t reason, struct exit_record *exit);

/* inject.c: all of it works on memory alone (native test); run.c writes the outcome into the VMCS. */
bool vmx_irq_ready(struct vcpu *vcpu);
enum inject_result vmx_inject_irq(struct vcpu *vcpu, uint8_t vector);
void vmx_retract_irq(struct vcpu *vcpu);
void vmx_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
void vmx_inject_nmi(struct vcpu *vcpu);
void vmx_clear_shadow(struct vcpu *vcpu);
/* Puts ev in the place of what waits (events_replace). */
void vmx_inject_event(struct vmx_vcpu *v, const struct event *ev);
/* The delivery of an event was interrupted by an exit: it is done again. info: IDT-vectoring information. */
void vmx_redeliver(struct vmx_vcpu *v, uint32_t info, uint32_t error, uint32_t length);
/* Just before entry: moves a queued NMI or a held interrupt into the event where that is possible now, else
 * opens the window for it. */
void vmx_event_promote(struct vmx_vcpu *v);

/* regs.c */
uint64_t vmx_get_reg(struct vcpu *vcpu, enum guest_reg reg);
void vmx_set_reg(struct vcpu *vcpu, enum guest_reg reg, uint64_t value);
/* segments.c */
void vmx_get_segment(struct vcpu *vcpu, enum guest_seg seg, struct guest_segment *out);
void vmx_set_segment(struct vcpu *vcpu, enum guest_seg seg, const struct guest_segment *in);

/* msrs.c */
enum vmx_switched_msr { SW_STAR, SW_LSTAR, SW_CSTAR, SW_FMASK, SW_KERNEL_GS_BASE, SW_TSC_AUX };
void vmx_msrs_load(const struct vmx_vcpu *v);
void vmx_msrs_save(struct vmx_vcpu *v);
uint64_t vmx_msr_get(const struct vmx_vcpu *v, enum vmx_switched_msr which);
void vmx_msr_set(struct vmx_vcpu *v, enum vmx_switched_msr which, uint64_t value);
void vmx_pass_msr(struct vm *vm, uint32_t msr, bool read, bool write);

/* dump.c */
void vmx_dump(struct vcpu *vcpu);

/* entry.asm: enters the guest (VMRESUME if launched, else VMLAUNCH) with the general registers of regs, and
 * stores them there at the exit. 0: the guest ran, or the exit tells of a failed entry; 1: VMfailInvalid, 2:
 * VMfailValid. */
int vmx_enter(struct vcpu_regs *regs, bool launched, uint64_t *host_rsp);
extern const uint8_t vmx_exit_point[];   /* HOST_RIP */
extern const uint8_t vmx_exit_guarded[]; /* ... where guests must be kept out of the branch predictors */

#endif
