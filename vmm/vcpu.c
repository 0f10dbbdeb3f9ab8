#include "vmm/vcpu.h"

#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

#define NMIS_MAX   2u
#define PAGE_SIZE  4096u
#define VCPU_PAGES ((sizeof(struct vcpu) + PAGE_SIZE - 1) / PAGE_SIZE)

struct vcpu *vcpu_create(struct vm *vm, unsigned int id)
{
    struct vcpu *vcpu = host_alloc_pages(VCPU_PAGES, PAGE_SIZE);
    if (!vcpu)
        return NULL;
    vcpu->vm = vm;
    vcpu->id = id;
    vcpu->state = VCPU_WAIT_SIPI;
    vcpu->watched = vm->config.trace_exits ? WATCH_PRINT : 0;
    vcpu->trace = host_trace();
    vcpu->who = trace_who(vm->index, id, TRACE_NO_TIMER);
    tsc_init(&vcpu->tsc, &vm->time);
    if (!hv->vcpu_init(vcpu)) {
        host_free_pages(vcpu, VCPU_PAGES);
        return NULL;
    }
    return vcpu;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    hv->vcpu_destroy(vcpu);
    host_free_pages(vcpu, VCPU_PAGES);
}

/* What RESET and INIT have in common. */
static void reset_registers(struct vcpu *vcpu)
{
    memset(&vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->nmis_pending = 0;
    vcpu->irq_window = false;
    hv->vcpu_reset(vcpu);
    vcpu->free_tsc = (struct vcpu_tsc){0};
    hv->set_tsc(vcpu, true, vcpu->free_tsc.hardware); /* vmm/run.c decides at each entry */
}

void vcpu_reset(struct vcpu *vcpu)
{
    reset_registers(vcpu);
    msr_reset(vcpu);
    vcpu->state = vcpu->id == 0 ? VCPU_RUNNABLE : VCPU_WAIT_SIPI;
}

void vcpu_init(struct vcpu *vcpu)
{
    static const enum guest_reg kept[] = {REG_PAT, REG_XCR0, REG_TSC_AUX};
    uint64_t values[sizeof(kept) / sizeof(kept[0])];
    uint64_t cache_bits = hv->get_reg(vcpu, REG_CR0) & (CR0_CD | CR0_NW);
    uint32_t signature[4];

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        values[i] = hv->get_reg(vcpu, kept[i]);
    reset_registers(vcpu);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        hv->set_reg(vcpu, kept[i], values[i]);
    hv->set_reg(vcpu, REG_CR0, (hv->get_reg(vcpu, REG_CR0) & ~(CR0_CD | CR0_NW)) | cache_bits);
    cpuid_read(vcpu, 1, 0, signature);
    vcpu->regs.gpr[GPR_RDX] = signature[CPUID_EAX];
    lapic_init_reset(&vcpu->lapic);
    pvclock_stop(vcpu);
    vcpu->state = VCPU_WAIT_SIPI;
}

bool vcpu_raise_nmi(struct vcpu *vcpu)
{
    vcpu->lapic.news = true;
    if (vcpu->nmis_pending == NMIS_MAX)
        return false;
    vcpu->nmis_pending++;
    return true;
}

unsigned int vcpu_cpl(struct vcpu *vcpu)
{
    struct guest_segment ss;
    hv->get_segment(vcpu, SEG_SS, &ss);
    return ss.attr >> 5 & 3u;
}

/* Delivered by the processor itself, a fault pushes RFLAGS with RF set, so that its handler may return to a
 * breakpoint that has been taken already (SDM vol. 3, 18.3.1.1). An injected one pushes what RFLAGS hold
 * (27.6.1.1). */
static void inject_fault(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    vcpu->regs.rflags |= RFLAGS_RF;
    hv->inject_exception(vcpu, vector, has_error, error);
}

void vcpu_inject_ud(struct vcpu *vcpu)
{
    inject_fault(vcpu, 6, false, 0);
}

/* In real-address mode exceptions push no error code (SDM vol. 3, 20.1.4), and VM entry insists on that. */
void vcpu_inject_error(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
    bool has_error = hv->get_reg(vcpu, REG_CR0) & CR0_PE;
    inject_fault(vcpu, vector, has_error, has_error ? error : 0);
}

void vcpu_inject_gp(struct vcpu *vcpu)
{
    vcpu_inject_error(vcpu, 13, 0);
}

/* EIP wraps; only code at the very end of 4 GiB pays for the question whether it is 64-bit code. */
void vcpu_skip_slow(struct vcpu *vcpu, uint64_t before)
{
    if (before <= UINT32_MAX && vcpu->regs.rip > UINT32_MAX && guest_mode(vcpu) != 64)
        vcpu->regs.rip &= UINT32_MAX;
    vcpu->regs.rflags &= ~RFLAGS_RF;
    hv->clear_shadow(vcpu);
}

static void dump_general(const struct vcpu *vcpu)
{
    static const char *const names[GPRS] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                            "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    const uint64_t *gpr = vcpu->regs.gpr;

    host_log("  rip %016llx rflags %016llx", (unsigned long long)vcpu->regs.rip,
             (unsigned long long)vcpu->regs.rflags);
    for (unsigned int i = 0; i < GPRS; i += 4)
        host_log("  %s %016llx %s %016llx %s %016llx %s %016llx", names[i], (unsigned long long)gpr[i],
                 names[i + 1], (unsigned long long)gpr[i + 1], names[i + 2], (unsigned long long)gpr[i + 2],
                 names[i + 3], (unsigned long long)gpr[i + 3]);
}

static void dump_segments(struct vcpu *vcpu)
{
    static const char *const names[GUEST_SEGS] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

    for (unsigned int i = 0; i < GUEST_SEGS; i++) {
        struct guest_segment s;
        hv->get_segment(vcpu, (enum guest_seg)i, &s);
        host_log("  %-4s %04x base %016llx limit %08x attr %04x", names[i], s.selector,
                 (unsigned long long)s.base, s.limit, s.attr);
    }
}

void vcpu_dump(struct vcpu *vcpu)
{
    host_log("vm %s: vcpu %u:", vcpu->vm->config.name, vcpu->id);
    dump_general(vcpu);
    host_log("  cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx",
             (unsigned long long)hv->get_reg(vcpu, REG_CR0), (unsigned long long)hv->get_reg(vcpu, REG_CR2),
             (unsigned long long)hv->get_reg(vcpu, REG_CR3), (unsigned long long)hv->get_reg(vcpu, REG_CR4),
             (unsigned long long)hv->get_reg(vcpu, REG_EFER));
    dump_segments(vcpu);
    hv->dump(vcpu);
}
