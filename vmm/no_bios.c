#include "vmm/no_bios.h"

#include "vmm/backend.h"
#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

#define HLT          0xF4
#define VECTOR_BYTES 4u /* offset, segment (SDM vol. 3, 20.1.4) */

void no_bios_write(struct vm *vm)
{
    uint8_t *vectors = vm_ram(vm, 0, NO_BIOS_VECTORS * VECTOR_BYTES);
    uint8_t *code = vm_ram(vm, NO_BIOS_OFFSET, NO_BIOS_VECTORS);

    ASSERT(vectors != NULL && code != NULL);
    for (unsigned int i = 0; i < NO_BIOS_VECTORS; i++) {
        uint32_t vector = NO_BIOS_OFFSET + i;

        memcpy(vectors + i * VECTOR_BYTES, &vector, VECTOR_BYTES);
    }
    memset(code, HLT, NO_BIOS_VECTORS);
}

/* What the guest may have put there instead, its own code with a HLT perhaps, is its own. */
static bool is_intact(struct vm *vm)
{
    const uint8_t *code = vm_ram(vm, NO_BIOS_OFFSET, NO_BIOS_VECTORS);

    for (unsigned int i = 0; i < NO_BIOS_VECTORS; i++) {
        if (code[i] != HLT)
            return false;
    }
    return true;
}

/* Where it called from: IP and CS, as INT has pushed them. All ones if its stack is nowhere. */
static uint32_t return_address(struct vcpu *vcpu)
{
    struct guest_segment ss;
    uint32_t address = UINT32_MAX;
    const void *at;

    hv->get_segment(vcpu, SEG_SS, &ss);
    at = vm_ram(vcpu->vm, ss.base + (uint16_t)vcpu->regs.gpr[GPR_RSP], sizeof(address));
    if (at)
        memcpy(&address, at, sizeof(address));
    return address;
}

bool no_bios_called(struct vcpu *vcpu)
{
    struct guest_segment cs;
    uint32_t from;

    hv->get_segment(vcpu, SEG_CS, &cs);
    if (cs.base != 0 || (hv->get_reg(vcpu, REG_CR0) & CR0_PE) || !is_intact(vcpu->vm))
        return false;
    from = return_address(vcpu);
    vm_end_crash(vcpu->vm,
                 "interrupt %02llXh (AX=%04llXh, to return to %04X:%04X) went to the BIOS; there is none",
                 (unsigned long long)(vcpu->regs.rip - NO_BIOS_OFFSET),
                 (unsigned long long)(vcpu->regs.gpr[GPR_RAX] & 0xFFFF), from >> 16, from & 0xFFFF);
    return true;
}
