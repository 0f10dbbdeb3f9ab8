/* What the files of the SVM backend share. Nobody outside arch/x86/svm includes this: they have svm_ops. */
#ifndef ARCH_X86_SVM_SVM_H
#define ARCH_X86_SVM_SVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/events.h"
#include "arch/x86/fpu.h"
#include "arch/x86/nested.h"
#include "arch/x86/svm/asid.h"
#include "arch/x86/svm/caps.h"
#include "arch/x86/svm/vmcb.h"
#include "vmm/vcpu.h"

/* One processor: percpu's hv. */
struct svm_cpu {
    void *host_save;         /* where VMRUN keeps the host's state (VM_HSAVE_PA) */
    struct vmcb *host_state; /* the host's FS, GS, TR, LDTR and syscall MSRs, for VMLOAD at each exit */
    uint64_t host_state_phys;
    struct asid_pool asids;
    uint64_t tsc_ratio; /* what TSC_RATIO holds, where there is one: it counts in guests only */
};

/* One VM: vm->arch. */
struct svm_vm {
    struct nested npt;
    uint8_t *msrpm;
};

/* What V_IRQ of the VMCB is used for. One thing at a time. */
enum virq {
    VIRQ_FREE,
    VIRQ_WINDOW, /* with its intercept: tells when the guest can take an interrupt */
    VIRQ_HELD,   /* an interrupt, which common code has acknowledged */
};

/* Is the guest in an NMI handler? The processor does not say (15.20). */
enum nmi_state {
    NMI_OPEN,
    NMI_BLOCKED, /* an NMI has been delivered; IRET is intercepted */
    NMI_IRET,    /* the IRET at iret_rip is about to be executed */
};

/* 15.30.5: TSC_RATIO is a fraction of 32 bits, and eight bits of whole. */
#define SVM_TSC_RATIO_BITS  32
#define SVM_TSC_RATIO_BELOW 256u
#define SVM_TSC_RATIO_ONE   (UINT64_C(1) << SVM_TSC_RATIO_BITS)

/* Things to do before the next entry (struct svm_vcpu, work). */
#define WORK_EVENT (1u << 0) /* events: one at least */
#define WORK_FLUSH (1u << 1) /* the guest's cached translations are stale */
#define WORK_TIDY  (1u << 2) /* the entry before had a flush or an event: they are not for this one */
#define WORK_GUARD (1u << 3) /* always: entries and exits go the guarded way (arch/x86/mitigate.h) */

/* One vCPU: vcpu->arch. The VMCB is ordinary memory, so most of the state is there alone. The first four are
 * known to entry.asm (checked in run.c). */
struct svm_vcpu {
    struct vcpu *vcpu;
    struct vmcb *vmcb;
    uint64_t vmcb_phys;
    uint64_t host_state_phys; /* of the processor where it is loaded */
    struct svm_vm *vm;
    struct svm_cpu *cpu; /* where it is loaded or was last; NULL: nowhere yet */
    uint32_t work;       /* WORK_* */
    uint8_t virq;        /* enum virq */
    uint8_t nmi;         /* enum nmi_state */
    struct events events;
    uint64_t iret_rip;
    bool stepping; /* TF is ours, to see the IRET through; then DR6 is to be step_dr6 again */
    uint64_t step_dr6;
    struct asid_tag tag;

    uint64_t cr0, cr4; /* as the guest sees them, in the bits that the VMCB's differ in */
    uint64_t dr[4];    /* valid while not loaded */
    uint64_t tsc_aux;
    uint64_t tsc_ratio;
    struct guest_fpu fpu;
};

extern struct svm_caps svm_caps; /* set by probe */

static inline struct svm_vcpu *svm_of(const struct vcpu *vcpu)
{
    return vcpu->arch;
}

/* A part of the VMCB (CLEAN_*) has been written: the processor must not use its own copy. */
static inline void svm_changed(struct svm_vcpu *v, uint32_t parts)
{
    v->vmcb->clean &= ~parts;
}

/* enable.c */
bool svm_probe(char *why, size_t size);
bool svm_cpu_enable(char *why, size_t size);
void svm_describe(char *text, size_t size);

/* vm.c */
bool svm_vm_init(struct vm *vm);
void svm_vm_destroy(struct vm *vm);
bool svm_map(struct vm *vm, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights);
void svm_unmap(struct vm *vm, uint64_t gpa, uint64_t length);
/* Physical address of the I/O permission map, which all VMs share: every port exits. */
uint64_t svm_iopm(void);
/* Once, before the first VM. False: no memory. */
bool svm_make_iopm(void);
void svm_pass_msr(struct vm *vm, uint32_t msr, bool read, bool write);

/* vcpu.c */
bool svm_vcpu_init(struct vcpu *vcpu);
void svm_vcpu_destroy(struct vcpu *vcpu);
void svm_vcpu_reset(struct vcpu *vcpu);
void svm_vcpu_load(struct vcpu *vcpu);
void svm_vcpu_save(struct vcpu *vcpu);
void svm_vcpu_unload(struct vcpu *vcpu);
void svm_watch_spins(struct vcpu *vcpu, bool on);
void svm_set_tsc(struct vcpu *vcpu, bool exiting, struct vt_tsc_line tsc);
struct vt_scaling svm_tsc_scaling(void);

/* run.c */
void svm_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit);

/* exit.c: after an exit: fills the record. */
void svm_exit_decode(struct svm_vcpu *v, struct exit_record *exit);

/* inject.c: all of it works on memory alone (native test). */
bool svm_irq_ready(struct vcpu *vcpu);
enum inject_result svm_inject_irq(struct vcpu *vcpu, uint8_t vector);
void svm_retract_irq(struct vcpu *vcpu);
void svm_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
void svm_inject_nmi(struct vcpu *vcpu);
void svm_clear_shadow(struct vcpu *vcpu);
/* Puts ev in the place of what waits (events_replace). */
void svm_inject_event(struct svm_vcpu *v, const struct event *ev);
/* Just before entry, with WORK_EVENT: what can be injected now goes into the VMCB; for the rest a window is
 * opened. */
void svm_events_enter(struct svm_vcpu *v);
/* After an exit, while V_IRQ was in use: what became of it. */
void svm_virq_outcome(struct svm_vcpu *v);
/* After an exit: the delivery of an event that it interrupted is done again. virq_pending: V_IRQ is still
 * set. False: none was interrupted. */
bool svm_redeliver(struct svm_vcpu *v, bool virq_pending);
/* Exits of the windows. */
void svm_irq_window(struct svm_vcpu *v);
void svm_iret(struct svm_vcpu *v);
/* After an exit for #DB: true if it is the trap behind the IRET and no more; it is none of the guest's then.
 */
bool svm_stepped(struct svm_vcpu *v);

/* regs.c */
uint64_t svm_get_reg(struct vcpu *vcpu, enum guest_reg reg);
void svm_set_reg(struct vcpu *vcpu, enum guest_reg reg, uint64_t value);
/* segments.c */
void svm_get_segment(struct vcpu *vcpu, enum guest_seg seg, struct guest_segment *out);
void svm_set_segment(struct vcpu *vcpu, enum guest_seg seg, const struct guest_segment *in);

/* dump.c */
void svm_dump(struct vcpu *vcpu);

#endif
