/* The one interface between common code and a virtualization backend (VMX, SVM): a const ops table, chosen
 * once at boot. Everything here is neutral; what both backends do is written once, above it.
 *
 * All calls about a vCPU are made on the processor that runs it, with host interrupts disabled. */
#ifndef VMM_BACKEND_H
#define VMM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timers/scaled.h"
#include "vmm/exit.h"

struct vcpu;
struct vm;

/* Guest registers that are not in struct vcpu_regs (vmm/vcpu.h). */
enum guest_reg {
    REG_CR0,
    REG_CR2,
    REG_CR3,
    REG_CR4,
    REG_EFER,
    REG_DR7,
    REG_STAR,
    REG_LSTAR,
    REG_CSTAR,
    REG_FMASK,
    REG_KERNEL_GS_BASE,
    REG_SYSENTER_CS,
    REG_SYSENTER_ESP,
    REG_SYSENTER_EIP,
    REG_PAT,
    REG_XCR0,
    REG_DEBUGCTL,
    REG_GDTR_BASE,
    REG_GDTR_LIMIT,
    REG_IDTR_BASE,
    REG_IDTR_LIMIT,
    REG_TSC_AUX, /* RDTSCP that does not exit gives it; what it reads without the feature is 0 */
    GUEST_REGS
};

enum guest_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, GUEST_SEGS };

struct guest_segment {
    uint16_t selector;
    uint16_t attr; /* SDM vol. 3, 24.4.1: bits 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G; bit 8:
                      unusable */
    uint32_t limit; /* in bytes */
    uint64_t base;
};
#define SEG_ATTR_UNUSABLE (1u << 8)

/* Rights of a nested mapping. */
#define NPT_READ  1u
#define NPT_WRITE 2u
#define NPT_EXEC  4u

enum inject_result {
    INJECT_TAKEN,  /* certain to be the next that the guest takes: acknowledge it now */
    INJECT_WINDOW, /* cannot be taken now: a window has been asked for */
};

struct hv_ops {
    const char *name; /* "vmx", "svm" */
    /* A guest's writes of control registers load PAE paging's four PDPTEs into the processor (SDM vol. 3,
     * 4.4.1). Else each walk reads them in memory (AMD APM vol. 2, 15.25.10). */
    bool loads_pdptes;

    /* Can this processor do it? On no, one clear phrase into why that names what is missing. */
    bool (*probe)(char *why, size_t size);
    /* Switches virtualization on (VMXON, EFER.SVME) on the calling processor. */
    bool (*cpu_enable)(char *why, size_t size);
    /* What of it this processor has and the backend uses, in words; after cpu_enable. */
    void (*describe)(char *text, size_t size);

    /* Per VM: nested page tables. map: gpa, hpa and length multiples of 4 KiB; uses 2 MiB pages where
     * alignment allows. False if memory is out. unmap takes rights away and flushes. */
    bool (*vm_init)(struct vm *vm);
    void (*vm_destroy)(struct vm *vm);
    bool (*map)(struct vm *vm, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights);
    void (*unmap)(struct vm *vm, uint64_t gpa, uint64_t length);

    /* Per vCPU: its control structure and save areas (false: out of memory); reset puts it into the state
     * after INIT (SDM vol. 3, table 9-1), except that the caller then sets what its loader wants. */
    bool (*vcpu_init)(struct vcpu *vcpu);
    void (*vcpu_destroy)(struct vcpu *vcpu);
    void (*vcpu_reset)(struct vcpu *vcpu);
    /* Before the first run() after another vCPU ran here, and after the last one before another does: loads
     * and saves what is not switched at every entry (FPU and AVX state, debug registers, FS/GS/syscall MSRs).
     */
    void (*vcpu_load)(struct vcpu *vcpu);
    void (*vcpu_save)(struct vcpu *vcpu);
    /* After vcpu_save: nothing of it stays in this processor, so that another may load it (VMX: VMCLEAR). On
     * the processor that had it last; without effect if none has. */
    void (*vcpu_unload)(struct vcpu *vcpu);

    /* One entry and one exit. `deadline`: the RT at which the guest must be out again whatever it does.
     * Host interrupts that were due have been taken when it returns. */
    void (*run)(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit);

    uint64_t (*get_reg)(struct vcpu *vcpu, enum guest_reg reg);
    /* The backend keeps its own control bits consistent (CR0/CR4 shadows, EFER.LMA and the entry controls,
     * paging mode PDPTEs); the caller has checked the value as the processor would. */
    void (*set_reg)(struct vcpu *vcpu, enum guest_reg reg, uint64_t value);
    void (*get_segment)(struct vcpu *vcpu, enum guest_seg seg, struct guest_segment *out);
    void (*set_segment)(struct vcpu *vcpu, enum guest_seg seg, const struct guest_segment *in);

    /* True if an external interrupt could be taken at the next entry: IF set, no STI or MOV SS shadow, no
     * event waiting to be injected. */
    bool (*irq_ready)(struct vcpu *vcpu);
    enum inject_result (*inject_irq)(struct vcpu *vcpu, uint8_t vector);
    /* Takes back a window that was asked for. */
    void (*retract_irq)(struct vcpu *vcpu);
    void (*inject_exception)(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
    void (*inject_nmi)(struct vcpu *vcpu); /* at the next entry that can take it */
    /* Ends the STI/MOV SS shadow: an instruction has been emulated. */
    void (*clear_shadow)(struct vcpu *vcpu);

    /* RDTSC and RDTSCP: exit always, or run free as (host TSC * ratio >> bits) + offset. */
    void (*set_tsc)(struct vcpu *vcpu, bool exiting, struct vt_tsc_line tsc);
    /* The bits of that ratio, and how large it may be; the same on every processor. Without bits set_tsc() is
     * only asked for a ratio of one. */
    struct vt_scaling (*tsc_scaling)(void);
    /* Whether loops of PAUSE exit (EXIT_PAUSE), or where the processor cannot tell loops each PAUSE: for a
     * vCPU that has to share its processor with a sibling, which it may be waiting for. Until told otherwise
     * they do in a VM of several. */
    void (*watch_spins)(struct vcpu *vcpu, bool on);
    /* An MSR that the guest may read and write without an exit (a per-VM decision at start). */
    void (*pass_msr)(struct vm *vm, uint32_t msr, bool read, bool write);

    /* Writes the vendor's state of the vCPU to the log (an unexpected exit, a failed entry). */
    void (*dump)(struct vcpu *vcpu);
};

extern const struct hv_ops vmx_ops;
extern const struct hv_ops svm_ops;

#endif
