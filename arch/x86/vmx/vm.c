/* What belongs to a VM as a whole: its extended page tables and its bitmaps; and the ops table. */
#include "vmm/vm.h"

#include "arch/x86/mitigate.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/ept.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define PAGE 4096u

_Static_assert(sizeof(struct vmx_vm) <= PAGE, "allocated as one page");

/* Every port of every VM exits: one pair of bitmaps for all. */
static uint8_t *io_bitmaps;

uint64_t vmx_io_bitmap(unsigned int which)
{
    return host_phys(io_bitmaps) + which * PAGE;
}

bool vmx_make_io_bitmaps(void)
{
    if (!io_bitmaps) {
        io_bitmaps = host_alloc_pages(2, PAGE);
        if (io_bitmaps)
            memset(io_bitmaps, 0xff, 2 * PAGE);
    }
    return io_bitmaps != NULL;
}

bool vmx_vm_init(struct vm *vm)
{
    struct vmx_vm *v = host_alloc_pages(1, PAGE);
    vm->arch = v;
    if (!v || !nested_init(&v->ept, vmx_caps.ept_2m, ept_leaf_flags))
        return false;
    v->eptp = host_phys(v->ept.root) | vmx_caps.ept_flags;
    v->msr_bitmap = host_alloc_pages(1, PAGE);
    if (!v->msr_bitmap)
        return false;
    memset(v->msr_bitmap, 0xff, PAGE);
    return true;
}

void vmx_vm_destroy(struct vm *vm)
{
    struct vmx_vm *v = vm->arch;
    if (!v)
        return;
    mitigate_forget(vm);
    nested_destroy(&v->ept);
    if (v->msr_bitmap)
        host_free_pages(v->msr_bitmap, 1);
    host_free_pages(v, 1);
    vm->arch = NULL;
}

/* Each vCPU flushes before its next entry when it sees the generation change (run.c). One that runs on
 * another processor just now has to be taken out by the caller. */
bool vmx_map(struct vm *vm, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights)
{
    struct vmx_vm *v = vm->arch;
    bool stale = false;
    const bool ok = nested_map(&v->ept, gpa, hpa, length, rights, &stale);
    v->ept_generation += stale;
    return ok;
}

void vmx_unmap(struct vm *vm, uint64_t gpa, uint64_t length)
{
    struct vmx_vm *v = vm->arch;
    v->ept_generation += nested_unmap(&v->ept, gpa, length);
}

const struct hv_ops vmx_ops = {
    .name = "vmx",
    .loads_pdptes = true,
    .probe = vmx_probe,
    .cpu_enable = vmx_cpu_enable,
    .describe = vmx_describe,
    .vm_init = vmx_vm_init,
    .vm_destroy = vmx_vm_destroy,
    .map = vmx_map,
    .unmap = vmx_unmap,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_destroy = vmx_vcpu_destroy,
    .vcpu_reset = vmx_vcpu_reset,
    .vcpu_load = vmx_vcpu_load,
    .vcpu_save = vmx_vcpu_save,
    .vcpu_unload = vmx_vcpu_unload,
    .run = vmx_run,
    .get_reg = vmx_get_reg,
    .set_reg = vmx_set_reg,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .irq_ready = vmx_irq_ready,
    .inject_irq = vmx_inject_irq,
    .retract_irq = vmx_retract_irq,
    .inject_exception = vmx_inject_exception,
    .inject_nmi = vmx_inject_nmi,
    .clear_shadow = vmx_clear_shadow,
    .watch_spins = vmx_watch_spins,
    .set_tsc = vmx_set_tsc,
    .tsc_scaling = vmx_tsc_scaling,
    .pass_msr = vmx_pass_msr,
    .dump = vmx_dump,
};
