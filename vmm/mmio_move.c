#include "vmm/mmio_move.h"

#include "vmm/apic_bus.h"
#include "vmm/bus.h"
#include "vmm/exit.h"
#include "vmm/insn.h"
#include "vmm/string.h"
#include "vmm/vm.h"

static inline struct mmio_move *slot(struct vcpu *vcpu)
{
    uint64_t rip = vcpu->regs.rip;

    return &vcpu->mmio_moves[(rip ^ rip >> 4) % MMIO_MOVES];
}

static uint64_t eight_bytes(const uint8_t *code)
{
    uint64_t bytes;

    __builtin_memcpy(&bytes, code, sizeof(bytes)); /* one instruction, no call */
    return bytes;
}

static bool holds(const struct mmio_move *m, const struct vcpu *vcpu, const struct exit_record *exit)
{
    return m->rip == vcpu->regs.rip && m->cr3 == exit->cr3 && m->access == exit->u.mmio.access && m->code &&
           (eight_bytes(m->code) & m->mask[0]) == m->bytes[0] &&
           (m->length <= 8 || (eight_bytes(m->code + 8) & m->mask[1]) == m->bytes[1]);
}

/* The processor has checked segment, page and rights before it found that no memory is there (SDM vol. 3,
 * 28.3.3; APM vol. 2, 15.25.6), and an aligned operand lies in one page: so the exit's address is the
 * operand's. */
const struct mmio_move *mmio_move_find(struct vcpu *vcpu, const struct exit_record *exit)
{
    const struct mmio_move *m = slot(vcpu);

    return holds(m, vcpu, exit) && exit->u.mmio.gpa % 4 == 0 ? m : NULL;
}

/* A local APIC takes its processor's accesses before they reach the bus, and is what guests access most. RIP
 * moves before a write, as no device looks at it: nothing has to be kept across the call. */
void mmio_move(struct vcpu *vcpu, const struct exit_record *exit, const struct mmio_move *m)
{
    uint64_t gpa = exit->u.mmio.gpa;
    uint64_t *gpr = vcpu->regs.gpr;
    bool own = lapic_answers(&vcpu->lapic, gpa);

    if (m->write) {
        uint32_t value = m->immediate ? m->imm : (uint32_t)gpr[m->gpr];

        vcpu_skip(vcpu, m->length);
        if (own)
            apic_bus_write(&vcpu->lapic, vcpu, gpa % LAPIC_LENGTH, 4, value);
        else
            bus_mmio_write(&vcpu->vm->bus, vcpu, gpa, 4, value);
    } else {
        gpr[m->gpr] = own ? apic_bus_read(&vcpu->lapic, vcpu, gpa % LAPIC_LENGTH, 4)
                          : bus_mmio_read(&vcpu->vm->bus, vcpu, gpa, 4);
        vcpu_skip(vcpu, m->length);
    }
}

void mmio_move_remember(struct vcpu *vcpu, const struct exit_record *exit, const struct insn *insn)
{
    struct mmio_move *m = slot(vcpu);
    bool write = insn->dst.kind == OPERAND_MEM;
    struct operand other = write ? insn->src : insn->dst;
    bool immediate = other.kind == OPERAND_IMM;

    m->code = NULL;
    if (insn->op != OP_MOV || insn->size != 4 || (!immediate && other.kind != OPERAND_REG) ||
        write != exit->u.mmio.write || exit->u.mmio.fetch || exit->u.mmio.in_walk)
        return;
    m->code = insn_code(vcpu, sizeof(m->bytes));
    if (!m->code)
        return;
    m->rip = vcpu->regs.rip;
    m->cr3 = exit->cr3;
    for (unsigned int i = 0; i < 2; i++) {
        unsigned int n = insn->length > 8 * i ? insn->length - 8 * i : 0;
        m->mask[i] = n >= 8 ? UINT64_MAX : (1ull << 8 * n) - 1;
        m->bytes[i] = eight_bytes(m->code + 8 * i) & m->mask[i];
    }
    m->access = exit->u.mmio.access;
    m->length = insn->length;
    m->write = write;
    m->immediate = immediate;
    m->gpr = immediate ? 0 : other.reg;
    m->imm = immediate ? (uint32_t)insn->imm : 0;
}
