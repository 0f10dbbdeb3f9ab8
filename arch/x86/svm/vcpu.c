/* A vCPU's VMCB: made, filled, reset, and what is switched beside it. */
#include "vmm/vcpu.h"

#include "arch/x86/cpu.h"
#include "arch/x86/guest_debug.h"
#include "arch/x86/guest_reset.h"
#include "arch/x86/mitigate.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

#define PAGE          4096u
#define INTERCEPT_DB  (1u << 1)
#define INTERCEPT_UD  (1u << 6)
#define INTERCEPT_AC  (1u << 17)
#define INTERCEPT_MC  (1u << 18)
#define INTERCEPT_CR4 (1u << 4)
#define INTERCEPT_CR8 (1u << 8)

_Static_assert(sizeof(struct svm_vcpu) <= PAGE, "allocated as one page");

/* APM vol. 2, 15.14.4: a loop of so many PAUSEs, not more cycles apart than that. Some 50 us on processors
 * where PAUSE takes tens of cycles: longer than locks are held, far shorter than a slice. */
#define PAUSE_COUNT     3000u
#define PAUSE_THRESHOLD 128u

void svm_watch_spins(struct vcpu *vcpu, bool on)
{
    struct svm_vcpu *v = svm_of(vcpu);
    struct vmcb *c = v->vmcb;

    c->intercepts[0] = on ? c->intercepts[0] | INTERCEPT_PAUSE : c->intercepts[0] & ~INTERCEPT_PAUSE;
    if (svm_caps.pause_filter)
        c->pause_count = PAUSE_COUNT;
    if (svm_caps.pause_threshold)
        c->pause_threshold = PAUSE_THRESHOLD;
    svm_changed(v, CLEAN_INTERCEPTS);
}

/* All of CR8 exits: the TPR that counts is the virtual LAPIC's. regs.c adds CR0 and reads of CR4 while they
 * are not what the guest sees. */
static void write_controls(const struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    c->cr_read = INTERCEPT_CR8;
    c->cr_write = INTERCEPT_CR4 | INTERCEPT_CR8;
    c->exceptions = INTERCEPT_DB | INTERCEPT_AC | INTERCEPT_MC;
    if (v->vcpu->vm->config.pvclock)
        c->exceptions |= INTERCEPT_UD;
    memcpy(c->intercepts, svm_caps.intercepts, sizeof(c->intercepts));
    c->iopm = svm_iopm();
    c->msrpm = host_phys(v->vm->msrpm);
    c->int_ctl = V_INTR_MASKING;
    c->np_control = NP_ENABLE;
    c->nested_cr3 = host_phys(v->vm->npt.root);
}

bool svm_vcpu_init(struct vcpu *vcpu)
{
    struct svm_vcpu *v = host_alloc_pages(1, PAGE);
    vcpu->arch = v;
    if (!v)
        return false;
    v->vcpu = vcpu;
    v->tsc_ratio = SVM_TSC_RATIO_ONE;
    v->vm = vcpu->vm->arch;
    v->vmcb = host_alloc_pages(1, PAGE);
    if (!v->vmcb || !fpu_create(&v->fpu))
        return false;
    v->vmcb_phys = host_phys(v->vmcb);
    events_reset(&v->events);
    write_controls(v);
    svm_watch_spins(vcpu, vcpu->vm->config.cpus > 1);
    return true;
}

void svm_vcpu_destroy(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    if (!v)
        return;
    fpu_destroy(&v->fpu);
    if (v->vmcb)
        host_free_pages(v->vmcb, 1);
    host_free_pages(v, 1);
    vcpu->arch = NULL;
}

static void reset_vmcb(struct vmcb *c)
{
    c->int_ctl = V_INTR_MASKING;
    c->int_state = 0;
    c->event_inj = 0;
    c->tlb_control = TLB_KEEP;
    c->exit_int_info = 0;
    c->intercepts[0] &= ~(INTERCEPT_VINTR | INTERCEPT_IRET);
    c->dr6 = GUEST_DR6_RESET;
    c->clean = 0;
}

void svm_vcpu_reset(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    const bool loaded = v->fpu.loaded;
    if (loaded)
        svm_vcpu_save(vcpu);
    guest_reset(&svm_ops, vcpu);
    reset_vmcb(v->vmcb);
    fpu_reset(&v->fpu);
    memset(v->dr, 0, sizeof(v->dr));
    events_reset(&v->events);
    v->virq = VIRQ_FREE;
    v->nmi = NMI_OPEN;
    v->stepping = false;
    v->work = WORK_FLUSH | (mitigate_guards() ? WORK_GUARD : 0);
    if (loaded)
        svm_vcpu_load(vcpu);
}

/* The register is the processor's, not the VMCB's: written only where the guest before had another ratio. */
static void load_tsc_ratio(const struct svm_vcpu *v)
{
    if (!svm_caps.tsc_ratio || v->cpu->tsc_ratio == v->tsc_ratio)
        return;
    v->cpu->tsc_ratio = v->tsc_ratio;
    wrmsr(MSR_TSC_RATIO, v->tsc_ratio);
}

/* Clean bits and ASID mean something on the processor where they were used alone. */
void svm_vcpu_load(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    ASSERT(!v->fpu.loaded);
    mitigate_switch(vcpu->vm);
    if (v->cpu != this_cpu()->hv) {
        v->cpu = this_cpu()->hv;
        v->host_state_phys = v->cpu->host_state_phys;
        v->vmcb->clean = 0;
    }
    if (!asid_valid(&v->cpu->asids, &v->tag))
        v->work |= WORK_FLUSH;
    if (svm_caps.rdtscp)
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    load_tsc_ratio(v);
    guest_breakpoints_load(v->dr);
    fpu_load(&v->fpu);
}

void svm_vcpu_save(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    ASSERT(v->fpu.loaded);
    guest_breakpoints_save(v->dr);
    fpu_save(&v->fpu);
}

/* The VMCB is in memory after each exit (APM vol. 2, 15.5.2), and svm_vcpu_load() sees that the next
 * processor is another. The tag goes, lest it be taken for valid when the vCPU comes back. */
void svm_vcpu_unload(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);

    ASSERT(!v->fpu.loaded);
    v->cpu = NULL;
    v->tag = (struct asid_tag){0};
}

void svm_set_tsc(struct vcpu *vcpu, bool exiting, struct vt_tsc_line tsc)
{
    struct svm_vcpu *v = svm_of(vcpu);
    struct vmcb *c = v->vmcb;
    if (exiting) {
        c->intercepts[0] |= INTERCEPT_RDTSC;
        c->intercepts[1] |= INTERCEPT_RDTSCP;
    } else {
        c->intercepts[0] &= ~INTERCEPT_RDTSC;
        c->intercepts[1] &= ~INTERCEPT_RDTSCP;
    }
    c->tsc_offset = tsc.offset;
    svm_changed(v, CLEAN_INTERCEPTS);
    if (exiting)
        return;
    v->tsc_ratio = tsc.ratio;
    if (v->fpu.loaded)
        load_tsc_ratio(v);
}

/* No machine that this was tried on has TSC_RATIO: the arithmetic is unit-tested (test_scaled), and so is who
 * is said to have it. */
struct vt_scaling svm_tsc_scaling(void)
{
    if (!svm_caps.tsc_ratio)
        return (struct vt_scaling){0};
    return (struct vt_scaling){SVM_TSC_RATIO_BITS, SVM_TSC_RATIO_BELOW};
}
