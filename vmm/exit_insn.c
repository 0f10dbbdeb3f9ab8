#include "vmm/exit_insn.h"

#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/insn.h"
#include "vmm/vm.h"

/* Four bytes may be read, `length` count. */
static uint32_t first_bytes(const uint8_t *code, unsigned int length)
{
    const uint32_t bytes =
        code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
    return bytes << (32 - 8 * length);
}

/* A guest that maps another page at the address of an instruction, with the same CR3, is told by the bytes as
 * well, unless it left the old ones where they were and put a longer form of the same instruction at the new
 * place: then it is that guest's RIP that comes out short. */
static bool holds(const struct exit_insn *e, uint64_t rip, uint64_t cr3, enum exit_kind kind)
{
    return e->rip == rip && e->cr3 == cr3 && e->code && e->kind == kind &&
           first_bytes(e->code, e->length) == e->bytes;
}

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
    e->bytes = first_bytes(e->code, e->length);
}

/* Not part of exit_insn_length, whose registers would have to be saved for it at each exit. */
static __attribute__((noinline)) bool find_out(struct vcpu *vcpu, struct exit_insn *e,
                                               struct exit_record *exit, unsigned int op)
{
    const enum exit_kind kind = exit->kind;
    struct insn insn;

    if (!insn_fetch(vcpu, &insn))
        return false;
    if (kind == EXIT_RDTSC && insn.op == OP_RDTSCP) {
        exit->kind = EXIT_RDTSCP;
    } else if (insn.op != op) {
        vm_end_crash(vcpu->vm, "exit %s, but another instruction at rip %llx", exit_kind_name(kind),
                     (unsigned long long)vcpu->regs.rip);
        return false;
    }
    exit->insn_len = insn.length;
    remember(vcpu, e, kind, exit);
    return true;
}

bool exit_insn_length(struct vcpu *vcpu, struct exit_record *exit, unsigned int op)
{
    const uint64_t rip = vcpu->regs.rip;
    struct exit_insn *e = &vcpu->exit_insns[(rip ^ rip >> 4) % EXIT_INSN_CACHE];

    if (!holds(e, rip, exit->cr3, exit->kind))
        return find_out(vcpu, e, exit, op);
    exit->kind = (enum exit_kind)e->real_kind;
    exit->insn_len = e->length;
    return true;
}
