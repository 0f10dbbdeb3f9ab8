#include "vmm/string_io.h"

#include "vmm/bus.h"
#include "vmm/exit.h"
#include "vmm/insn.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

static bool out_element(struct vcpu *vcpu, const struct insn *insn, uint16_t port, struct fault *fault)
{
    uint64_t linear, value = 0;

    if (!guest_linear(vcpu, (enum guest_seg)insn->seg, insn_string_offset(vcpu, insn, GPR_RSI), insn->size,
                      false, &linear, fault) ||
        !guest_read(vcpu, linear, &value, insn->size, guest_user(vcpu), fault))
        return false;
    bus_port_write(&vcpu->vm->bus, vcpu, port, insn->size, value);
    insn_string_step(vcpu, insn, GPR_RSI);
    return true;
}

/* The port is read only when the store is known to work: its value would be lost. */
static bool in_element(struct vcpu *vcpu, const struct insn *insn, uint16_t port, struct fault *fault)
{
    uint64_t linear;

    if (!guest_linear(vcpu, SEG_ES, insn_string_offset(vcpu, insn, GPR_RDI), insn->size, true, &linear,
                      fault) ||
        !guest_probe(vcpu, linear, insn->size, ACCESS_WRITE | guest_user(vcpu), fault))
        return false;
    uint64_t value = bus_port_read(&vcpu->vm->bus, vcpu, port, insn->size);
    if (!guest_write(vcpu, linear, &value, insn->size, guest_user(vcpu), fault))
        return false;
    insn_string_step(vcpu, insn, GPR_RDI);
    return true;
}

static bool vm_goes_on(const struct vm *vm)
{
    return vm->state == VM_RUNNING && !vm->reset_requested;
}

void string_io(struct vcpu *vcpu, const struct exit_record *exit)
{
    struct insn insn;
    struct fault fault;

    if (!insn_fetch(vcpu, &insn))
        return;
    if (insn.op != (exit->u.io.in ? OP_INS : OP_OUTS)) {
        vm_end_crash(vcpu->vm, "string I/O, but another instruction at rip %llx",
                     (unsigned long long)vcpu->regs.rip);
        return;
    }
    for (unsigned int done = 0; insn_repeats(vcpu, &insn); done++) {
        if (done == STRING_IO_CHUNK || !vm_goes_on(vcpu->vm))
            return;
        if (!(exit->u.io.in ? in_element : out_element)(vcpu, &insn, exit->u.io.port, &fault)) {
            fault_inject(vcpu, &fault);
            return;
        }
        insn_count_down(vcpu, &insn);
        if (insn_trap_between(vcpu, &insn))
            return;
        if (!insn.rep)
            break;
    }
    vcpu_skip(vcpu, insn.length);
}
