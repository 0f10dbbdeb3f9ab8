#include "vmm/exit_insn.h"

#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/insn.h"
#include "vmm/vm.h"

static void remember(struct vcpu *vcpu, struct exit_insn *e, enum exit_kind kind,
                     const struct exit_record *exit)
{
    e->code = exit->insn_len <= sizeof(e->bytes) ? insn_code(vcpu, sizeof(e->bytes)) : NULL;
    if (!e->code)
        return;
    e->rip = vcpu->regs.rip;
    e->cr3 = exit->cr3;
    e->kind = (uint8_t)kind;
    e->real_kind = (uint8_t)exit->kind;
    e->length = exit->insn_len;
    e->mask = UINT32_MAX >> (32 - 8 * e->length);
    e->bytes = exit_insn_bytes(e->code) & e->mask;
}

bool exit_insn_find_out(struct vcpu *vcpu, struct exit_insn *e, struct exit_record *exit, unsigned int op)
{
    const enum exit_kind kind = exit->kind;
    struct insn insn;

    if (!insn_fetch(vcpu, &insn))
        return false;
    if (kind == EXIT_RDTSC && insn.op == OP_RDTSCP) {
        exit->kind = EXIT_RDTSCP;
    } else if (kind == EXIT_WBINVD && insn.op == OP_INVD) {
        exit->kind = EXIT_INVD;
    } else if (insn.op != op) {
        vm_end_crash(vcpu->vm, "exit %s, but another instruction at rip %llx", exit_kind_name(kind),
                     (unsigned long long)vcpu->regs.rip);
        return false;
    }
    exit->insn_len = insn.length;
    remember(vcpu, e, kind, exit);
    return true;
}
