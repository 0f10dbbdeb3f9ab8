/* A backend without a processor, for native tests: see fake_hv.h. */
#include "tests/unit/support/fake_hv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/fake_host.h"
#include "timers/vtime.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

struct fake_hv_faults fake_hv_faults;

struct vt_scaling fake_hv_scaling;

void fake_hv_reset(void)
{
    fake_hv_faults = (struct fake_hv_faults){0};
    fake_hv_scaling = (struct vt_scaling){0};
}

struct fake_vcpu *fake_vcpu(struct vcpu *vcpu)
{
    return vcpu->arch;
}

/* A script that does not fit is the test's own mistake: it ends here, not in a wrong result. */
static void check_room(size_t used, size_t size, const char *what)
{
    if (used >= size) {
        fprintf(stderr, "fake_hv: no room for another %s\n", what);
        abort();
    }
}

void fake_hv_push(struct vcpu *vcpu, const struct exit_record *exit)
{
    struct fake_vcpu *f = fake_vcpu(vcpu);
    check_room(f->script_end, FAKE_EXITS, "exit");
    f->script[f->script_end++] = *exit;
}

static bool fake_probe(char *why, size_t size)
{
    (void)why;
    (void)size;
    return true;
}

static bool fake_cpu_enable(char *why, size_t size)
{
    (void)why;
    (void)size;
    return true;
}

static bool fake_vm_init(struct vm *vm)
{
    if (fake_hv_faults.vm_init)
        return false;
    vm->arch = calloc(1, sizeof(struct fake_vm));
    return vm->arch != NULL;
}

static void fake_vm_destroy(struct vm *vm)
{
    free(vm->arch);
    vm->arch = NULL;
}

static void record_mapping(struct vm *vm, const struct fake_mapping *mapping)
{
    struct fake_vm *f = vm->arch;
    check_room(f->nmappings, FAKE_MAPPINGS, "mapping");
    f->mappings[f->nmappings++] = *mapping;
}

static bool fake_map(struct vm *vm, uint64_t gpa, uint64_t hpa, uint64_t length, unsigned int rights)
{
    if (fake_hv_faults.map)
        return false;
    record_mapping(vm, &(struct fake_mapping){gpa, hpa, length, rights, true});
    return true;
}

static void fake_unmap(struct vm *vm, uint64_t gpa, uint64_t length)
{
    record_mapping(vm, &(struct fake_mapping){gpa, 0, length, 0, false});
}

/* SDM vol. 3, table 9-1. */
static void fake_vcpu_reset(struct vcpu *vcpu)
{
    struct fake_vcpu *f = fake_vcpu(vcpu);
    memset(f->regs, 0, sizeof f->regs);
    f->regs[REG_CR0] = 0x60000010u;
    f->regs[REG_DR7] = 0x400u;
    f->regs[REG_GDTR_LIMIT] = 0xffffu;
    f->regs[REG_IDTR_LIMIT] = 0xffffu;
    f->regs[REG_PAT] = 0x0007040600070406u;
    f->regs[REG_XCR0] = 1;
    for (int i = 0; i < GUEST_SEGS; i++)
        f->segs[i] = (struct guest_segment){.attr = 0x93, .limit = 0xffffu};
    f->segs[SEG_CS] = (struct guest_segment){0xf000, 0x9b, 0xffffu, 0xffff0000u};
    f->segs[SEG_LDTR].attr = 0x82;
    f->segs[SEG_TR].attr = 0x8b;
    memset(&vcpu->regs, 0, sizeof vcpu->regs);
    vcpu->regs.rip = 0xfff0;
    vcpu->regs.rflags = 2;
    f->exception = -1;
    f->window = false;
    f->resets++;
}

static bool fake_vcpu_init(struct vcpu *vcpu)
{
    if (fake_hv_faults.vcpu_init)
        return false;
    vcpu->arch = calloc(1, sizeof(struct fake_vcpu));
    if (!vcpu->arch)
        return false;
    fake_vcpu(vcpu)->irq_answer = INJECT_TAKEN;
    vcpu->shadow = true; /* each skip has to end it */
    fake_vcpu_reset(vcpu);
    return true;
}

static void fake_vcpu_destroy(struct vcpu *vcpu)
{
    free(vcpu->arch);
    vcpu->arch = NULL;
}

static void fake_vcpu_load(struct vcpu *vcpu)
{
    fake_vcpu(vcpu)->loads++;
}

static void fake_vcpu_save(struct vcpu *vcpu)
{
    fake_vcpu(vcpu)->saves++;
}

static void fake_vcpu_unload(struct vcpu *vcpu)
{
    fake_vcpu(vcpu)->unloads++;
}

static void fake_run(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    struct fake_vcpu *f = fake_vcpu(vcpu);
    f->entries++;
    f->last_deadline = deadline;
    *exit = (struct exit_record){.kind = EXIT_DEADLINE, .raw_name = "fake"};
    if (f->on_run)
        f->on_run(vcpu, deadline, exit);
    else if (f->script_next < f->script_end)
        *exit = f->script[f->script_next++];
    else if (deadline != RT_NEVER && fake_host.now < deadline)
        fake_host.now = deadline;
    if ((exit->kind == EXIT_INTERRUPT || exit->kind == EXIT_DEADLINE) && exit->u.left == 0)
        exit->u.left = fake_host.now; /* the host's interrupts took no time */
}

static uint64_t fake_get_reg(struct vcpu *vcpu, enum guest_reg reg)
{
    return fake_vcpu(vcpu)->regs[reg];
}

static void fake_set_reg(struct vcpu *vcpu, enum guest_reg reg, uint64_t value)
{
    fake_vcpu(vcpu)->regs[reg] = value;
}

static void fake_get_segment(struct vcpu *vcpu, enum guest_seg seg, struct guest_segment *out)
{
    *out = fake_vcpu(vcpu)->segs[seg];
}

static void fake_set_segment(struct vcpu *vcpu, enum guest_seg seg, const struct guest_segment *in)
{
    fake_vcpu(vcpu)->segs[seg] = *in;
}

static bool fake_irq_ready(struct vcpu *vcpu)
{
    return !fake_vcpu(vcpu)->not_ready && (vcpu->regs.rflags & (1u << 9)) != 0;
}

static enum inject_result fake_inject_irq(struct vcpu *vcpu, uint8_t vector)
{
    struct fake_vcpu *f = fake_vcpu(vcpu);
    fake_host.now += f->inject_takes;
    if (!fake_irq_ready(vcpu) || f->irq_answer == INJECT_WINDOW) {
        f->window = true;
        return INJECT_WINDOW;
    }
    check_room(f->nirqs, FAKE_INJECTIONS, "injection");
    f->irqs[f->nirqs++] = vector;
    return f->irq_answer;
}

static void fake_retract_irq(struct vcpu *vcpu)
{
    struct fake_vcpu *f = fake_vcpu(vcpu);
    f->window = false;
    f->retracted++;
}

static void fake_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    struct fake_vcpu *f = fake_vcpu(vcpu);
    f->exception = vector;
    f->exception_has_error = has_error;
    f->exception_error = error;
    f->exceptions++;
}

static void fake_inject_nmi(struct vcpu *vcpu)
{
    fake_vcpu(vcpu)->nmis++;
}

static void fake_clear_shadow(struct vcpu *vcpu)
{
    fake_vcpu(vcpu)->shadows_cleared++;
}

static void fake_watch_spins(struct vcpu *vcpu, bool on)
{
    (void)vcpu;
    (void)on;
}

static void fake_set_tsc(struct vcpu *vcpu, bool exiting, struct vt_tsc_line tsc)
{
    fake_vcpu(vcpu)->tsc_exiting = exiting;
    fake_vcpu(vcpu)->tsc = tsc;
}

static struct vt_scaling fake_tsc_scaling(void)
{
    return fake_hv_scaling;
}

static void fake_pass_msr(struct vm *vm, uint32_t msr, bool read, bool write)
{
    struct fake_vm *f = vm->arch;
    (void)read;
    (void)write;
    check_room(f->npassed, FAKE_MAPPINGS, "MSR");
    f->passed_msrs[f->npassed++] = msr;
}

static void fake_dump(struct vcpu *vcpu)
{
    fake_vcpu(vcpu)->dumps++;
}

static void fake_describe(char *text, size_t size)
{
    if (size)
        text[0] = 0;
}

const struct hv_ops fake_hv_ops = {
    .name = "fake",
    .loads_pdptes = true,
    .probe = fake_probe,
    .cpu_enable = fake_cpu_enable,
    .describe = fake_describe,
    .vm_init = fake_vm_init,
    .vm_destroy = fake_vm_destroy,
    .map = fake_map,
    .unmap = fake_unmap,
    .vcpu_init = fake_vcpu_init,
    .vcpu_destroy = fake_vcpu_destroy,
    .vcpu_reset = fake_vcpu_reset,
    .vcpu_load = fake_vcpu_load,
    .vcpu_save = fake_vcpu_save,
    .vcpu_unload = fake_vcpu_unload,
    .run = fake_run,
    .get_reg = fake_get_reg,
    .set_reg = fake_set_reg,
    .get_segment = fake_get_segment,
    .set_segment = fake_set_segment,
    .irq_ready = fake_irq_ready,
    .inject_irq = fake_inject_irq,
    .retract_irq = fake_retract_irq,
    .inject_exception = fake_inject_exception,
    .inject_nmi = fake_inject_nmi,
    .clear_shadow = fake_clear_shadow,
    .watch_spins = fake_watch_spins,
    .set_tsc = fake_set_tsc,
    .tsc_scaling = fake_tsc_scaling,
    .pass_msr = fake_pass_msr,
    .dump = fake_dump,
};
