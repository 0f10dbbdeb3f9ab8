#include "vmm/dispatch.h"

#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/cr.h"
#include "vmm/decode.h"
#include "vmm/emulate.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/insn.h"
#include "vmm/msr.h"
#include "vmm/no_bios.h"
#include "vmm/string_io.h"
#include "vmm/task.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

#define KVM_EPERM        1u
#define KVM_ENOSYS       1000u
#define HYPERCALL_LENGTH 3u
#define VECTOR_DB        1u
#define VECTOR_UD        6u
#define VECTOR_PF        14u
#define SPIN_PATIENCE    32u /* PAUSEs: shorter waits are cheaper than a switch */

typedef void (*exit_fn)(struct vcpu *vcpu, const struct exit_record *exit);

/* EDX:EAX as RDMSR, RDTSC and others return it. */
static void set_edx_eax(struct vcpu *vcpu, uint64_t value)
{
    vcpu->regs.gpr[GPR_RAX] = (uint32_t)value;
    vcpu->regs.gpr[GPR_RDX] = value >> 32;
}

/* The exit itself was the purpose: the host has had its interrupt, or the run loop looks for something to
 * inject. */
static void exit_seen(struct vcpu *vcpu, const struct exit_record *exit)
{
    (void)vcpu;
    (void)exit;
}

static void exit_unexpected(struct vcpu *vcpu, const struct exit_record *exit)
{
    host_log_vm(vcpu->vm, "vcpu %u: unexpected exit %s (%s, %u), qualification %llx", vcpu->id,
                exit_kind_name(exit->kind), exit->raw_name ? exit->raw_name : "?", exit->raw_reason,
                (unsigned long long)exit->raw_qualification);
    vcpu_dump(vcpu);
    vm_end_crash(vcpu->vm, "unexpected exit %s (%u) at rip %llx",
                 exit->raw_name ? exit->raw_name : exit_kind_name(exit->kind), exit->raw_reason,
                 (unsigned long long)vcpu->regs.rip);
}

static void exit_entry_failed(struct vcpu *vcpu, const struct exit_record *exit)
{
    vcpu_dump(vcpu);
    vm_end_crash(vcpu->vm, "the processor refused the guest's state (%s, %u, %llx)",
                 exit->raw_name ? exit->raw_name : "?", exit->raw_reason,
                 (unsigned long long)exit->raw_qualification);
}

static void exit_triple_fault(struct vcpu *vcpu, const struct exit_record *exit)
{
    (void)exit;
    vcpu_dump(vcpu);
    vm_end_crash(vcpu->vm, "triple fault at rip %llx", (unsigned long long)vcpu->regs.rip);
}

static void exit_undefined(struct vcpu *vcpu, const struct exit_record *exit)
{
    (void)exit;
    vcpu_inject_ud(vcpu);
}

static void exit_protection(struct vcpu *vcpu, const struct exit_record *exit)
{
    (void)exit;
    vcpu_inject_gp(vcpu);
}

static void exit_skip(struct vcpu *vcpu, const struct exit_record *exit)
{
    vcpu_skip(vcpu, exit->insn_len);
}

/* Who waits in a loop of PAUSEs for a sibling that has no processor gives its own up (host_yield()): PAUSE
 * exits only in VMs of several vCPUs. Where the processor itself does not tell loops from single ones they
 * are counted. The PAUSE itself is carried out in the guest's stead. */
static void exit_pause(struct vcpu *vcpu, const struct exit_record *exit)
{
    vcpu_skip(vcpu, exit->insn_len);
    host_relax();
    vcpu->spins += exit->u.pause.spin ? SPIN_PATIENCE : 1;
    if (vcpu->spins < SPIN_PATIENCE)
        return;
    vcpu->spins = 0;
    vcpu->quiet = false;
    host_yield(vcpu, NULL);
}

/* The trap of a single step ends HLT at once (SDM vol. 2, HLT). */
static void exit_hlt(struct vcpu *vcpu, const struct exit_record *exit)
{
    if (no_bios_is(vcpu->regs.rip) && no_bios_called(vcpu))
        return;
    vcpu_skip(vcpu, exit->insn_len);
    if (!(vcpu->regs.rflags & RFLAGS_TF))
        vcpu->state = VCPU_HALTED;
}

static void finish_cpuid(struct vcpu *vcpu, const struct exit_record *exit, const struct cpuid_answer *a)
{
    uint64_t *gpr = vcpu->regs.gpr;

    gpr[GPR_RAX] = a->out[CPUID_EAX];
    gpr[GPR_RBX] = a->out[CPUID_EBX];
    gpr[GPR_RCX] = a->out[CPUID_ECX];
    gpr[GPR_RDX] = a->out[CPUID_EDX];
    vcpu_skip(vcpu, exit->insn_len);
}

/* Not part of exit_cpuid, whose registers would have to be saved for it at each exit. */
static __attribute__((noinline)) void work_out_cpuid(struct vcpu *vcpu, const struct exit_record *exit)
{
    uint32_t leaf = (uint32_t)vcpu->regs.gpr[GPR_RAX], sub = (uint32_t)vcpu->regs.gpr[GPR_RCX];
    struct cpuid_answer *a = cpuid_slot(vcpu->cpuid, leaf, sub);

    cpuid_find_out(vcpu, a, leaf, sub);
    finish_cpuid(vcpu, exit, a);
}

static void exit_cpuid(struct vcpu *vcpu, const struct exit_record *exit)
{
    uint32_t leaf = (uint32_t)vcpu->regs.gpr[GPR_RAX], sub = (uint32_t)vcpu->regs.gpr[GPR_RCX];
    const struct cpuid_answer *a = cpuid_slot(vcpu->cpuid, leaf, sub);

    if (cpuid_known(a, leaf, sub))
        finish_cpuid(vcpu, exit, a);
    else
        work_out_cpuid(vcpu, exit);
}

bool exit_rdtsc_allowed(struct vcpu *vcpu)
{
    return !(hv->get_reg(vcpu, REG_CR4) & CR4_TSD) || vcpu_cpl(vcpu) == 0;
}

void exit_rdtsc_answer(struct vcpu *vcpu, const struct exit_record *exit, uint64_t tsc)
{
    set_edx_eax(vcpu, tsc);
    if (exit->kind == EXIT_RDTSCP)
        vcpu->regs.gpr[GPR_RCX] = (uint32_t)vcpu->msr.tsc_aux;
    vcpu_skip(vcpu, exit->insn_len);
}

static void exit_rdtsc(struct vcpu *vcpu, const struct exit_record *exit)
{
    if (exit_rdtsc_allowed(vcpu))
        exit_rdtsc_answer(vcpu, exit, tsc_read(&vcpu->tsc));
    else
        vcpu_inject_gp(vcpu);
}

static void exit_rdmsr(struct vcpu *vcpu, const struct exit_record *exit)
{
    uint64_t value;

    if (!msr_read(vcpu, exit->u.msr.index, &value)) {
        vcpu_inject_gp(vcpu);
        return;
    }
    set_edx_eax(vcpu, value);
    vcpu_skip(vcpu, exit->insn_len);
}

static void exit_wrmsr(struct vcpu *vcpu, const struct exit_record *exit)
{
    if (msr_write(vcpu, exit->u.msr.index, exit->u.msr.value))
        vcpu_skip(vcpu, exit->insn_len);
    else
        vcpu_inject_gp(vcpu);
}

/* There are no hypercalls. A guest that was told of KVM's CPUID leaves may try those of KVM, and hears so in
 * RAX as from KVM (hypercalls.rst, kvm_para.h); any other has no such instruction. */
static void exit_hypercall(struct vcpu *vcpu, const struct exit_record *exit)
{
    uint64_t answer = vcpu_cpl(vcpu) == 0 ? KVM_ENOSYS : KVM_EPERM;

    if (!pvclock_offered(vcpu->vm)) {
        vcpu_inject_ud(vcpu);
        return;
    }
    vcpu->regs.gpr[GPR_RAX] = guest_mode(vcpu) == 64 ? 0 - answer : (uint32_t)(0 - answer);
    vcpu_skip(vcpu, exit->insn_len);
}

/* KVM's guests call by either vendor's instruction (hypercalls.rst), and the processor knows its own only. */
static bool is_hypercall(struct vcpu *vcpu)
{
    static const uint8_t calls[][HYPERCALL_LENGTH] = {{0x0f, 0x01, 0xc1}, {0x0f, 0x01, 0xd9}};

    return pvclock_offered(vcpu->vm) &&
           (insn_is(vcpu, calls[0], HYPERCALL_LENGTH) || insn_is(vcpu, calls[1], HYPERCALL_LENGTH));
}

/* An intercepted exception that is the guest's own, back to it; or a call in the other vendor's words. */
static void exit_exception(struct vcpu *vcpu, const struct exit_record *exit)
{
    if (exit->u.exception.vector == VECTOR_UD && is_hypercall(vcpu)) {
        exit_hypercall(vcpu, &(struct exit_record){.insn_len = HYPERCALL_LENGTH});
        return;
    }
    if (exit->u.exception.vector !=
        VECTOR_DB) /* a fault, which pushes RF: not every processor has it set already */
        vcpu->regs.rflags |= RFLAGS_RF;
    if (exit->u.exception.vector == VECTOR_PF)
        hv->set_reg(vcpu, REG_CR2, exit->u.exception.address);
    hv->inject_exception(vcpu, exit->u.exception.vector, exit->u.exception.has_error,
                         exit->u.exception.error);
}

static void exit_xsetbv(struct vcpu *vcpu, const struct exit_record *exit)
{
    cr_xsetbv(vcpu, exit->insn_len);
}

/* The accumulator of 1, 2 or 4 bytes: 32-bit input clears the upper half (SDM vol. 1, 3.4.1.1). */
static void port_in(struct vcpu *vcpu, const struct exit_record *exit)
{
    uint64_t *rax = &vcpu->regs.gpr[GPR_RAX];
    unsigned int size = exit->u.io.size;
    uint64_t value = bus_port_read(&vcpu->vm->bus, vcpu, exit->u.io.port, size);

    *rax = size == 4 ? value : (*rax & (UINT64_MAX << 8 * size)) | value;
    vcpu_skip(vcpu, exit->insn_len);
}

/* RIP moves first, as no device looks at it: nothing has to be kept across the call. */
static void exit_io(struct vcpu *vcpu, const struct exit_record *exit)
{
    if (exit->u.io.string) {
        string_io(vcpu, exit);
    } else if (exit->u.io.in) {
        port_in(vcpu, exit);
    } else {
        vcpu_skip(vcpu, exit->insn_len);
        bus_port_write(&vcpu->vm->bus, vcpu, exit->u.io.port, exit->u.io.size, vcpu->regs.gpr[GPR_RAX]);
    }
}

#define NO_INSN 0 /* OP_MOV, which never exits by itself */

static const struct exit_desc {
    const char *name;
    exit_fn handle;
    uint8_t insn; /* enum insn_op of the instruction that is skipped, for processors that do not tell its
                     length */
    bool quiet; /* vcpu->quiet (vmm/vcpu.h), unless the handler knows better; EXIT_IO: unless the bus does */
} exits[EXIT_KINDS] = {
    [EXIT_INTERRUPT] = {"interrupt", exit_seen, NO_INSN, false},
    [EXIT_NMI] = {"nmi", exit_seen, NO_INSN, false},
    [EXIT_DEADLINE] = {"deadline", exit_seen, NO_INSN, false},
    [EXIT_IRQ_WINDOW] = {"irq-window", exit_seen, NO_INSN, false},
    [EXIT_NMI_WINDOW] = {"nmi-window", exit_seen, NO_INSN, false},
    [EXIT_EXCEPTION] = {"exception", exit_exception, NO_INSN, false},
    [EXIT_TRIPLE_FAULT] = {"triple-fault", exit_triple_fault, NO_INSN, false},
    [EXIT_INIT] = {"init", exit_unexpected, NO_INSN, false},
    [EXIT_SIPI] = {"sipi", exit_unexpected, NO_INSN, false},
    [EXIT_SMI] = {"smi", exit_unexpected, NO_INSN, false},
    [EXIT_TASK_SWITCH] = {"task-switch", task_switch, NO_INSN, false},
    [EXIT_HLT] = {"hlt", exit_hlt, OP_HLT, false},
    [EXIT_PAUSE] = {"pause", exit_pause, OP_PAUSE, true},
    [EXIT_CPUID] = {"cpuid", exit_cpuid, OP_CPUID, true},
    [EXIT_RDTSC] = {"rdtsc", exit_rdtsc, OP_RDTSC, true},
    [EXIT_RDTSCP] = {"rdtscp", exit_rdtsc, OP_RDTSCP, true},
    [EXIT_RDPMC] = {"rdpmc", exit_protection, NO_INSN,
                    false}, /* no performance counters (leaf 0Ah is zero) */
    [EXIT_RDMSR] = {"rdmsr", exit_rdmsr, OP_RDMSR, true},
    [EXIT_WRMSR] = {"wrmsr", exit_wrmsr, OP_WRMSR, false},
    [EXIT_IO] = {"io", exit_io, NO_INSN, true},
    [EXIT_MMIO] = {"mmio", emulate_mmio, NO_INSN, true},
    [EXIT_CR_ACCESS] = {"cr-access", cr_access, NO_INSN, false},
    [EXIT_DR_ACCESS] = {"dr-access", exit_unexpected, NO_INSN, false},
    [EXIT_XSETBV] = {"xsetbv", exit_xsetbv, OP_XSETBV, false},
    [EXIT_INVD] = {"invd", exit_skip, OP_INVD, false},       /* the caches are the host's and coherent: */
    [EXIT_WBINVD] = {"wbinvd", exit_skip, OP_WBINVD, false}, /* there is nothing to write back for */
    [EXIT_INVLPG] = {"invlpg", exit_unexpected, NO_INSN, false},
    [EXIT_MONITOR] = {"monitor", exit_undefined, NO_INSN, false}, /* CPUID does not offer it */
    [EXIT_MWAIT] = {"mwait", exit_undefined, NO_INSN, false},
    [EXIT_DESCRIPTOR] = {"descriptor", exit_unexpected, NO_INSN, false},
    [EXIT_HYPERCALL] = {"hypercall", exit_hypercall, OP_VMMCALL, false},
    [EXIT_VIRT_INSN] = {"virt-insn", exit_undefined, NO_INSN, false},
    [EXIT_ENTRY_FAILED] = {"entry-failed", exit_entry_failed, NO_INSN, false},
    [EXIT_UNEXPECTED] = {"unexpected", exit_unexpected, NO_INSN, false},
};

const char *exit_kind_name(enum exit_kind kind)
{
    return (unsigned int)kind < EXIT_KINDS && exits[kind].name ? exits[kind].name : "?";
}

static void handle(struct vcpu *vcpu, const struct exit_record *exit)
{
    const struct exit_desc *desc = &exits[exit->kind];

    ASSERT((unsigned int)exit->kind < EXIT_KINDS && desc->handle);
    vcpu->quiet = desc->quiet;
    desc->handle(vcpu, exit);
}

static __attribute__((noinline)) void find_out_and_handle(struct vcpu *vcpu, struct exit_record *exit)
{
    struct exit_insn *e = exit_insn_slot(vcpu->exit_insns, vcpu->regs.rip);

    vcpu->quiet = false;
    if (exit_insn_find_out(vcpu, e, exit, exits[exit->kind].insn))
        handle(vcpu, exit);
}

void dispatch_exit(struct vcpu *vcpu, struct exit_record *exit)
{
    const struct exit_insn *e;

    if (exit->insn_len == 0 && exits[exit->kind].insn) {
        e = exit_insn_slot(vcpu->exit_insns, vcpu->regs.rip);
        if (!exit_insn_holds(e, vcpu->regs.rip, exit)) {
            find_out_and_handle(vcpu, exit);
            return;
        }
        exit->kind = (enum exit_kind)e->real_kind;
        exit->insn_len = e->length;
    }
    handle(vcpu, exit);
}
