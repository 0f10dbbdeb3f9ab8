/* What belongs to a VM as a whole: its nested page tables and its permission maps; and the ops table. */
#include "vmm/vm.h"

#include "arch/x86/mitigate.h"
#include "arch/x86/svm/npt.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define PAGE        4096u
#define IOPM_PAGES  3u /* 64 Ki bits and three (APM vol. 2, 15.10.1) */
#define MSRPM_PAGES 2u

_Static_assert(sizeof(struct svm_vm) <= PAGE, "allocated as one page");

/* Every port of every VM exits: one map for all. */
static uint8_t *iopm;

uint64_t svm_iopm(void)
{
    return host_phys(iopm);
}

bool svm_make_iopm(void)
{
    if (!iopm) {
        iopm = host_alloc_pages(IOPM_PAGES, PAGE);
        if (iopm)
            memset(iopm, 0xff, IOPM_PAGES * PAGE);
    }
    return iopm != NULL;
}

bool svm_vm_init(struct vm *vm)
{
    struct svm_vm *v = host_alloc_pages(1, PAGE);
    vm->arch = v;
    if (!v || !nested_init(&v->npt, true, npt_leaf_flags))
        return false;
    v->msrpm = host_alloc_pages(MSRPM_PAGES, PAGE);
    if (!v->msrpm)
        return false;
    memset(v->msrpm, 0xff, MSRPM_PAGES * PAGE);
    return true;
}

void svm_vm_destroy(struct vm *vm)
{
    struct svm_vm *v = vm->arch;
    if (!v)
        return;
    mitigate_forget(vm);
    nested_destroy(&v->npt);
    if (v->msrpm)
        host_free_pages(v->msrpm, MSRPM_PAGES);
    host_free_pages(v, 1);
    vm->arch = NULL;
}

/* None of the VM's vCPUs runs on another processor just now: the caller has taken them out. */
static void flush_all(struct vm *vm)
{
    for (unsigned int i = 0; i < VM_MAX_VCPUS; i++)
        if (vm->vcpus[i] && vm->vcpus[i]->arch)
            svm_of(vm->vcpus[i])->work |= WORK_FLUSH;
}

bool svm_map(struct vm *vm, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights)
{
    struct svm_vm *v = vm->arch;
    bool stale = false;
    const bool ok = nested_map(&v->npt, gpa, hpa, length, rights, &stale);
    if (stale)
        flush_all(vm);
    return ok;
}

void svm_unmap(struct vm *vm, uint64_t gpa, uint64_t length)
{
    struct svm_vm *v = vm->arch;
    if (nested_unmap(&v->npt, gpa, length))
        flush_all(vm);
}

const struct hv_ops svm_ops = {
    .name = "svm",
    .probe = svm_probe,
    .cpu_enable = svm_cpu_enable,
    .describe = svm_describe,
    .vm_init = svm_vm_init,
    .vm_destroy = svm_vm_destroy,
    .map = svm_map,
    .unmap = svm_unmap,
    .vcpu_init = svm_vcpu_init,
    .vcpu_destroy = svm_vcpu_destroy,
    .vcpu_reset = svm_vcpu_reset,
    .vcpu_load = svm_vcpu_load,
    .vcpu_save = svm_vcpu_save,
    .vcpu_unload = svm_vcpu_unload,
    .run = svm_run,
    .get_reg = svm_get_reg,
    .set_reg = svm_set_reg,
    .get_segment = svm_get_segment,
    .set_segment = svm_set_segment,
    .irq_ready = svm_irq_ready,
    .inject_irq = svm_inject_irq,
    .retract_irq = svm_retract_irq,
    .inject_exception = svm_inject_exception,
    .inject_nmi = svm_inject_nmi,
    .clear_shadow = svm_clear_shadow,
    .watch_spins = svm_watch_spins,
    .set_tsc = svm_set_tsc,
    .tsc_scaling = svm_tsc_scaling,
    .pass_msr = svm_pass_msr,
    .dump = svm_dump,
};
