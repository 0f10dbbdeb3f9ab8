#include "vmm/emulate.h"

#include "vmm/alu.h"
#include "vmm/cr.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/insn.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

/* Elements of a repeated string instruction done in one go (as STRING_IO_CHUNK: an interrupt may come
 * between). */
#define STRING_CHUNK 256

#define PAGE_MASK (~4095ull)

/* One instruction under way. */
struct emulation {
    struct vcpu *vcpu;
    struct insn insn;
    unsigned int user;  /* ACCESS_USER at CPL 3 */
    uint64_t linear;    /* of the memory operand, once resolved */
    struct fault fault; /* valid when a step has returned false */
    uint64_t exit_page; /* the guest-physical page that the exit was about */
    bool stray;         /* the instruction has nothing to do with it */
};

typedef bool (*handler_fn)(struct emulation *e);

/* Both ends of an access are translated, to see whether the instruction is what caused the exit. If it is
 * not, the processor was delivering an event or reading a descriptor; there is no instruction to carry out
 * then. */
static bool reaches_exit_page(struct emulation *e, uint64_t linear, unsigned int size, unsigned int access)
{
    struct walk_regs regs;
    uint64_t first, last;

    walk_regs_get(e->vcpu, &regs);
    if (!walk(e->vcpu->vm, &regs, linear, access, &first, &e->fault) ||
        !walk(e->vcpu->vm, &regs, linear + size - 1, access, &last, &e->fault))
        return false;
    e->stray = (first & PAGE_MASK) != e->exit_page && (last & PAGE_MASK) != e->exit_page;
    return !e->stray;
}

static bool resolve(struct emulation *e, uint64_t offset, unsigned int size, bool write)
{
    unsigned int access = e->user | (write ? ACCESS_WRITE : 0);
    enum guest_seg seg = (enum guest_seg)e->insn.seg;

    return guest_linear(e->vcpu, seg, offset, size, write, &e->linear, &e->fault) &&
           reaches_exit_page(e, e->linear, size, access);
}

/* Resolves the ModRM operand. write: the instruction stores to it, which it must be allowed to before it
 * loads. */
static bool resolve_operand(struct emulation *e, unsigned int size, bool write)
{
    return resolve(e, insn_offset(e->vcpu, &e->insn), size, write);
}

static bool load(struct emulation *e, struct operand operand, unsigned int size, uint64_t *value)
{
    *value = 0;
    if (operand.kind == OPERAND_MEM)
        return guest_read(e->vcpu, e->linear, value, size, e->user, &e->fault);
    if (operand.kind == OPERAND_IMM)
        *value = e->insn.imm;
    else if (operand.kind != OPERAND_NONE)
        *value = insn_reg_read(e->vcpu, operand, size);
    return true;
}

static bool store(struct emulation *e, struct operand operand, uint64_t value)
{
    if (operand.kind == OPERAND_MEM)
        return guest_write(e->vcpu, e->linear, &value, e->insn.size, e->user, &e->fault);
    insn_reg_write(e->vcpu, operand, e->insn.size, value);
    return true;
}

static bool do_move(struct emulation *e)
{
    const struct insn *i = &e->insn;
    uint64_t value;

    if (!resolve_operand(e, i->source_size, i->dst.kind == OPERAND_MEM) ||
        !load(e, i->src, i->source_size, &value))
        return false;
    if (i->op == OP_MOVSX) {
        uint64_t sign = 1ull << (8 * i->source_size - 1);
        value = (value ^ sign) - sign;
    }
    return store(e, i->dst, value);
}

static bool do_arithmetic(struct emulation *e)
{
    const struct insn *i = &e->insn;
    bool stores = i->op != OP_CMP && i->op != OP_TEST;
    uint64_t a, b, flags = e->vcpu->regs.rflags;

    if (!resolve_operand(e, i->size, stores && i->dst.kind == OPERAND_MEM) || !load(e, i->dst, i->size, &a) ||
        !load(e, i->src, i->size, &b))
        return false;
    a = alu((enum insn_op)i->op, i->size, a, b, &flags);
    if (stores && !store(e, i->dst, a))
        return false;
    e->vcpu->regs.rflags = flags;
    return true;
}

static bool do_exchange(struct emulation *e)
{
    const struct insn *i = &e->insn;
    uint64_t memory, reg;

    if (!resolve_operand(e, i->size, true) || !load(e, i->dst, i->size, &memory) ||
        !load(e, i->src, i->size, &reg) || !store(e, i->dst, reg))
        return false;
    return store(e, i->src, memory);
}

/* A bit number in a register reaches beyond the operand, in both directions (SDM vol. 2, BT). */
static uint64_t bit_offset(const struct emulation *e, uint64_t number)
{
    unsigned int bits = 8u * e->insn.size;
    uint64_t sign = 1ull << (bits - 1);
    int64_t index = (int64_t)((number ^ sign) - sign) >> (e->insn.size == 8 ? 6 : e->insn.size == 4 ? 5 : 4);
    uint64_t mask = e->insn.address_size == 8 ? UINT64_MAX : (1ull << (8 * e->insn.address_size)) - 1;

    return (insn_offset(e->vcpu, &e->insn) + (uint64_t)index * e->insn.size) & mask;
}

static bool do_bit(struct emulation *e)
{
    const struct insn *i = &e->insn;
    uint64_t number, value, flags = e->vcpu->regs.rflags;
    bool stores = i->op != OP_BT;

    load(e, i->src, i->size, &number);
    uint64_t offset = i->src.kind == OPERAND_IMM ? insn_offset(e->vcpu, i) : bit_offset(e, number);
    if (!resolve(e, offset, i->size, stores) || !load(e, i->dst, i->size, &value))
        return false;
    value = alu_bit((enum insn_op)i->op, value, (unsigned int)(number % (8u * i->size)), &flags);
    if (stores && !store(e, i->dst, value))
        return false;
    e->vcpu->regs.rflags = flags;
    return true;
}

/* One element. The store is known to work before a device is read. */
static bool string_element(struct emulation *e)
{
    const struct insn *i = &e->insn;
    struct vcpu *vcpu = e->vcpu;
    bool from_memory = i->op != OP_STOS, to_memory = i->op != OP_LODS;
    uint64_t source = 0, target = 0, value;

    if (from_memory && !guest_linear(vcpu, (enum guest_seg)i->seg, insn_string_offset(vcpu, i, GPR_RSI),
                                     i->size, false, &source, &e->fault))
        return false;
    if (to_memory && (!guest_linear(vcpu, SEG_ES, insn_string_offset(vcpu, i, GPR_RDI), i->size, true,
                                    &target, &e->fault) ||
                      !guest_probe(vcpu, target, i->size, e->user | ACCESS_WRITE, &e->fault)))
        return false;
    value = vcpu->regs.gpr[GPR_RAX];
    if (from_memory && !guest_read(vcpu, source, &value, i->size, e->user, &e->fault))
        return false;
    if (to_memory && !guest_write(vcpu, target, &value, i->size, e->user, &e->fault))
        return false;
    if (!to_memory)
        insn_reg_write(vcpu, i->dst, i->size, value);
    if (from_memory)
        insn_string_step(vcpu, i, GPR_RSI);
    if (to_memory)
        insn_string_step(vcpu, i, GPR_RDI);
    return true;
}

/* After a part of a repeated instruction RIP stays on it: insn.length 0 says so. */
static bool do_string(struct emulation *e)
{
    unsigned int done = 0;

    while (insn_repeats(e->vcpu, &e->insn)) {
        if (done++ == STRING_CHUNK) {
            e->insn.length = 0;
            return true;
        }
        if (!string_element(e))
            return false;
        insn_count_down(e->vcpu, &e->insn);
        if (insn_trap_between(e->vcpu, &e->insn)) {
            e->insn.length = 0;
            return true;
        }
        if (!e->insn.rep)
            break;
    }
    return true;
}

static const handler_fn handlers[INSN_OPS] = {
    [OP_MOV] = do_move,       [OP_MOVZX] = do_move,     [OP_MOVSX] = do_move,      [OP_STOS] = do_string,
    [OP_LODS] = do_string,    [OP_MOVS] = do_string,    [OP_ADD] = do_arithmetic,  [OP_OR] = do_arithmetic,
    [OP_ADC] = do_arithmetic, [OP_SBB] = do_arithmetic, [OP_AND] = do_arithmetic,  [OP_SUB] = do_arithmetic,
    [OP_XOR] = do_arithmetic, [OP_CMP] = do_arithmetic, [OP_TEST] = do_arithmetic, [OP_NOT] = do_arithmetic,
    [OP_NEG] = do_arithmetic, [OP_INC] = do_arithmetic, [OP_DEC] = do_arithmetic,  [OP_XCHG] = do_exchange,
    [OP_BT] = do_bit,         [OP_BTS] = do_bit,        [OP_BTR] = do_bit,         [OP_BTC] = do_bit,
    /* INS and OUTS come as EXIT_IO; here only if their memory is a device, which happens while that is
       handled. */
};

static bool refused(struct vcpu *vcpu, const struct exit_record *exit)
{
    unsigned long long gpa = exit->u.mmio.gpa, rip = vcpu->regs.rip;

    if (exit->u.mmio.fetch)
        vm_end_crash(vcpu->vm, "jumped to where there is no RAM: rip %llx, gpa %llx", rip, gpa);
    else if (exit->u.mmio.in_walk)
        vm_end_crash(vcpu->vm, "page tables where there is no RAM: rip %llx, gpa %llx", rip, gpa);
    else
        return false;
    return true;
}

static __attribute__((noinline)) void decode_and_emulate(struct vcpu *vcpu, const struct exit_record *exit)
{
    struct emulation e = {.vcpu = vcpu, .exit_page = exit->u.mmio.gpa & PAGE_MASK};

    vcpu->quiet = false;
    if (refused(vcpu, exit) || !insn_fetch(vcpu, &e.insn))
        return;
    e.user = guest_user(vcpu);
    handler_fn handler = handlers[e.insn.op];
    mmio_move_remember(vcpu, exit, &e.insn);
    if (handler && handler(&e)) {
        if (e.insn.length)
            vcpu_skip(vcpu, e.insn.length);
    } else if (handler && !e.stray) {
        fault_inject(vcpu, &e.fault);
    } else {
        vm_end_crash(vcpu->vm,
                     "event delivery or a descriptor table where there is no RAM: rip %llx, gpa %llx",
                     (unsigned long long)vcpu->regs.rip, (unsigned long long)exit->u.mmio.gpa);
    }
}

void emulate_mmio(struct vcpu *vcpu, const struct exit_record *exit)
{
    const struct mmio_move *move = mmio_move_find(vcpu, exit);

    if (move)
        mmio_move(vcpu, exit, move);
    else
        decode_and_emulate(vcpu, exit);
}
