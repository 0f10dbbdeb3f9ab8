/* Which machine this is, and its way out. */
#include "arch/x86/machine.h"

#include <stdbool.h>

#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "vmm/string.h"

#define HYPERVISOR_LEAF 0x40000000u

#define FW_CFG_SELECT    0x510 /* QEMU's docs/specs/fw_cfg */
#define FW_CFG_DATA      0x511
#define FW_CFG_SIGNATURE 0
#define DEBUG_EXIT       0xf4
#define BOCHS_COMMAND    0x8900
#define BOCHS_DEBUGGER   'D'

static enum machine kind;

bool machine_hypervisor_is(const char *signature)
{
    struct cpuid_regs r;
    char found[12];

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR))
        return false;
    r = cpuid(HYPERVISOR_LEAF, 0);
    memcpy(found, &r.ebx, 4);
    memcpy(found + 4, &r.ecx, 4);
    memcpy(found + 8, &r.edx, 4);
    return memcmp(found, signature, sizeof found) == 0;
}

/* Under its accelerators only: KVM has other users, and on a real machine port 510h is anybody's. */
static bool is_qemu(void)
{
    char signature[4];

    if (!machine_hypervisor_is("TCGTCGTCGTCG") && !machine_hypervisor_is("KVMKVMKVM\0\0"))
        return false;
    outw(FW_CFG_SELECT, FW_CFG_SIGNATURE);
    for (unsigned int i = 0; i < sizeof signature; i++)
        signature[i] = (char)inb(FW_CFG_DATA);
    return memcmp(signature, "QEMU", sizeof signature) == 0;
}

void machine_detect(void)
{
    if (is_qemu()) {
        /* isa-debug-exit reads as zero, an unclaimed port as all ones. */
        kind = inb(DEBUG_EXIT) == 0 ? MACHINE_QEMU_DEBUG : MACHINE_QEMU;
    } else if (strcmp(acpi_oem_id(), "BOCHS ") == 0) {
        /* Bochs's BIOS; QEMU's tables say the same, and there port 8900h is unclaimed. */
        kind = MACHINE_BOCHS;
    } else {
        kind = MACHINE_PC;
    }
}

enum machine machine_kind(void)
{
    return kind;
}

const char *machine_name(void)
{
    static const char *const names[] = {
        [MACHINE_PC] = "pc",
        [MACHINE_BOCHS] = "bochs",
        [MACHINE_QEMU] = "qemu without isa-debug-exit",
        [MACHINE_QEMU_DEBUG] = "qemu",
    };

    return names[kind];
}

void machine_leave(uint8_t code)
{
    if (kind == MACHINE_QEMU_DEBUG)
        outb(DEBUG_EXIT, code);
    else if (kind == MACHINE_BOCHS)
        outb(BOCHS_COMMAND, BOCHS_DEBUGGER);
    acpi_power_off();
    cpu_halt_forever();
}
