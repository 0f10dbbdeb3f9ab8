/* Accesses to control registers of which the processor tells no more than the register: the instruction says
 * the rest. */
#include "vmm/cr.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/insn.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

static bool operand_linear(struct vcpu *vcpu, const struct insn *insn, bool write, uint64_t *linear,
                           struct fault *fault)
{
    return guest_linear(vcpu, (enum guest_seg)insn->seg, insn_offset(vcpu, insn), insn->size, write, linear,
                        fault);
}

static bool read_lmsw(struct vcpu *vcpu, const struct insn *insn, uint16_t *value)
{
    struct fault fault;
    uint64_t linear;

    if (insn->src.kind == OPERAND_REG) {
        *value = (uint16_t)insn_reg_read(vcpu, insn->src, 2);
        return true;
    }
    if (operand_linear(vcpu, insn, false, &linear, &fault) &&
        guest_read(vcpu, linear, value, sizeof(*value), guest_user(vcpu), &fault))
        return true;
    fault_inject(vcpu, &fault);
    return false;
}

/* SMSW stores CR0: 16 bits to memory, the operand size to a register (SDM vol. 2, SMSW). */
static void store_machine_status(struct vcpu *vcpu, const struct insn *insn)
{
    const uint64_t cr0 = hv->get_reg(vcpu, REG_CR0);
    struct fault fault;
    uint64_t linear;

    if (insn->dst.kind == OPERAND_REG) {
        insn_reg_write(vcpu, insn->dst, insn->size, cr0);
    } else if (!operand_linear(vcpu, insn, true, &linear, &fault) ||
               !guest_write(vcpu, linear, &cr0, 2, guest_user(vcpu), &fault)) {
        fault_inject(vcpu, &fault);
        return;
    }
    vcpu_skip(vcpu, insn->length);
}

bool cr_decode(struct vcpu *vcpu, struct exit_record *exit)
{
    struct insn insn;

    if (!insn_fetch(vcpu, &insn))
        return false;
    exit->insn_len = insn.length;
    switch (insn.op) {
    case OP_MOV_TO_CR:
        exit->u.cr.access = CR_WRITE;
        exit->u.cr.gpr = insn.src.reg;
        return true;
    case OP_MOV_FROM_CR:
        exit->u.cr.access = CR_READ;
        exit->u.cr.gpr = insn.dst.reg;
        return true;
    case OP_CLTS:
        exit->u.cr.access = CR_CLTS;
        return true;
    case OP_LMSW:
        exit->u.cr.access = CR_LMSW;
        return read_lmsw(vcpu, &insn, &exit->u.cr.lmsw);
    case OP_SMSW:
        store_machine_status(vcpu, &insn);
        return false;
    default:
        vm_end_crash(vcpu->vm, "access to CR%u, but another instruction at rip %llx", exit->u.cr.cr,
                     (unsigned long long)vcpu->regs.rip);
        return false;
    }
}
