#include "vmm/insn.h"

#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/vm.h"

#define PAGE_SIZE 4096u

struct code {
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n;
};

static uint64_t size_mask(unsigned int size)
{
    return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static uint64_t code_linear(struct vcpu *vcpu, unsigned int mode)
{
    if (mode == 64)
        return vcpu->regs.rip;
    struct guest_segment cs;
    hv->get_segment(vcpu, SEG_CS, &cs);
    return (uint32_t)(cs.base + vcpu->regs.rip);
}

/* Code is fetched from RAM only: a device would see reads that no processor makes. */
static bool fetch_piece(struct vcpu *vcpu, uint64_t linear, struct code *code, size_t length,
                        struct fault *fault)
{
    struct walk_regs regs;
    uint64_t gpa;

    walk_regs_get(vcpu, &regs);
    if (!walk(vcpu->vm, &regs, linear, ACCESS_FETCH | guest_user(vcpu), &gpa, fault)) {
        fault_inject(vcpu, fault);
        return false;
    }
    const uint8_t *ram = vm_ram(vcpu->vm, gpa, length);
    if (!ram) {
        vm_end_crash(vcpu->vm, "no RAM under the code at rip %llx, gpa %llx",
                     (unsigned long long)vcpu->regs.rip, (unsigned long long)gpa);
        return false;
    }
    for (size_t i = 0; i < length; i++)
        code->bytes[code->n++] = ram[i];
    return true;
}

const uint8_t *insn_code(struct vcpu *vcpu, size_t length)
{
    const uint64_t linear = code_linear(vcpu, guest_mode(vcpu));
    struct walk_regs regs;
    struct fault fault;
    uint64_t gpa;

    walk_regs_get(vcpu, &regs);
    if (linear % PAGE_SIZE > PAGE_SIZE - length ||
        !walk(vcpu->vm, &regs, linear, ACCESS_FETCH | guest_user(vcpu), &gpa, &fault))
        return NULL;
    return vm_ram(vcpu->vm, gpa, length);
}

bool insn_is(struct vcpu *vcpu, const uint8_t *bytes, size_t length)
{
    const uint64_t linear = code_linear(vcpu, guest_mode(vcpu));
    struct walk_regs regs;
    struct fault fault;
    uint64_t gpa;

    walk_regs_get(vcpu, &regs);
    for (size_t i = 0; i < length; i++) {
        if (!walk(vcpu->vm, &regs, linear + i, ACCESS_FETCH | guest_user(vcpu), &gpa, &fault))
            return false;
        const uint8_t *ram = vm_ram(vcpu->vm, gpa, 1);
        if (!ram || *ram != bytes[i])
            return false;
    }
    return true;
}

static void refuse(struct vcpu *vcpu, const struct code *code)
{
    char text[3 * INSN_MAX_LENGTH + 1];
    size_t at = 0;

    for (size_t i = 0; i < code->n; i++)
        at += (size_t)host_snprintf(text + at, sizeof(text) - at, " %02x", code->bytes[i]);
    text[at] = '\0';
    vm_end_crash(vcpu->vm, "cannot emulate%s at rip %llx", text, (unsigned long long)vcpu->regs.rip);
}

/* The bytes of the page that RIP is in, and if they do not suffice those of the next: an instruction at the
 * end of a page must not fault on a page that it does not reach. */
static bool fetch(struct vcpu *vcpu, struct code *code, unsigned int mode, struct insn *insn,
                  enum decode_result *result)
{
    struct fault fault;
    uint64_t linear = code_linear(vcpu, mode);
    size_t room = PAGE_SIZE - (size_t)(linear % PAGE_SIZE);

    code->n = 0;
    if (!fetch_piece(vcpu, linear, code, room < INSN_MAX_LENGTH ? room : INSN_MAX_LENGTH, &fault))
        return false;
    *result = decode(code->bytes, code->n, mode, insn);
    if (*result != DECODE_MORE)
        return true;
    if (!fetch_piece(vcpu, linear + code->n, code, INSN_MAX_LENGTH - code->n, &fault))
        return false;
    *result = decode(code->bytes, code->n, mode, insn);
    return true;
}

bool insn_fetch(struct vcpu *vcpu, struct insn *insn)
{
    struct code code;
    enum decode_result result;

    if (!fetch(vcpu, &code, guest_mode(vcpu), insn, &result))
        return false;
    switch (result) {
    case DECODE_OK:
        return true;
    case DECODE_TOO_LONG:
        vcpu_inject_gp(vcpu);
        return false;
    case DECODE_INVALID:
        vcpu_inject_ud(vcpu);
        return false;
    case DECODE_MORE:
    case DECODE_UNKNOWN:
        break;
    }
    refuse(vcpu, &code);
    return false;
}

uint64_t insn_reg_read(const struct vcpu *vcpu, struct operand operand, unsigned int size)
{
    uint64_t value = vcpu->regs.gpr[operand.reg];
    if (operand.kind == OPERAND_HIGH)
        value >>= 8;
    return value & size_mask(size);
}

void insn_reg_write(struct vcpu *vcpu, struct operand operand, unsigned int size, uint64_t value)
{
    uint64_t *reg = &vcpu->regs.gpr[operand.reg];
    uint64_t mask = size >= 4 ? UINT64_MAX : size_mask(size);

    value &= size_mask(size);
    if (operand.kind == OPERAND_HIGH) {
        mask <<= 8;
        value <<= 8;
    }
    *reg = (*reg & ~mask) | value;
}

uint64_t insn_offset(const struct vcpu *vcpu, const struct insn *insn)
{
    uint64_t offset = insn->disp;
    if (insn->base != INSN_NO_REG)
        offset += vcpu->regs.gpr[insn->base];
    if (insn->index != INSN_NO_REG)
        offset += vcpu->regs.gpr[insn->index] * insn->scale;
    if (insn->rip_relative)
        offset += vcpu->regs.rip + insn->length;
    return offset & size_mask(insn->address_size);
}

uint64_t insn_string_offset(const struct vcpu *vcpu, const struct insn *insn, unsigned int reg)
{
    return vcpu->regs.gpr[reg] & size_mask(insn->address_size);
}

static void add_to(struct vcpu *vcpu, const struct insn *insn, unsigned int reg, uint64_t step)
{
    struct operand operand = {OPERAND_REG, (uint8_t)reg};
    insn_reg_write(vcpu, operand, insn->address_size, vcpu->regs.gpr[reg] + step);
}

void insn_string_step(struct vcpu *vcpu, const struct insn *insn, unsigned int reg)
{
    uint64_t step = vcpu->regs.rflags & RFLAGS_DF ? 0 - (uint64_t)insn->size : insn->size;
    add_to(vcpu, insn, reg, step);
}

uint64_t insn_repeats(const struct vcpu *vcpu, const struct insn *insn)
{
    return insn->rep ? insn_string_offset(vcpu, insn, GPR_RCX) : 1;
}

bool insn_trap_between(struct vcpu *vcpu, const struct insn *insn)
{
    if (!(vcpu->regs.rflags & RFLAGS_TF) || !insn->rep || !insn_repeats(vcpu, insn))
        return false;
    hv->clear_shadow(vcpu);
    return true;
}

void insn_count_down(struct vcpu *vcpu, const struct insn *insn)
{
    if (insn->rep)
        add_to(vcpu, insn, GPR_RCX, UINT64_MAX);
}
