/* Where exceptions and interrupts go. */
#include "arch/x86/traps.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch/x86/cpu.h"
#include "arch/x86/apic.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "kernel/panic.h"
#include "kernel/smp.h"
#include "vmm/host.h"

#define FIRST_DEVICE_VECTOR 0x20

static const char *const names[FIRST_DEVICE_VECTOR] = {
    [0] = "#DE divide error",
    [1] = "#DB debug",
    [2] = "NMI",
    [3] = "#BP breakpoint",
    [4] = "#OF overflow",
    [5] = "#BR bound range exceeded",
    [6] = "#UD invalid opcode",
    [7] = "#NM device not available",
    [8] = "#DF double fault (a stack overflow?)",
    [9] = "coprocessor segment overrun",
    [10] = "#TS invalid TSS",
    [11] = "#NP segment not present",
    [12] = "#SS stack fault",
    [13] = "#GP general protection",
    [14] = "#PF page fault",
    [16] = "#MF floating-point error",
    [17] = "#AC alignment check",
    [18] = "#MC machine check",
    [19] = "#XM SIMD floating-point",
    [20] = "#VE virtualization",
    [21] = "#CP control protection",
    [28] = "#HV hypervisor injection",
    [29] = "#VC VMM communication",
    [30] = "#SX security",
};

static trap_handler handlers[256];
static void (*on_nmi)(const struct trap_frame *frame);

const char *trap_name(uint64_t vector)
{
    if (vector >= FIRST_DEVICE_VECTOR)
        return "interrupt";
    return names[vector] ? names[vector] : "reserved exception";
}

void trap_set_handler(uint8_t vector, trap_handler fn)
{
    ASSERT(vector >= FIRST_DEVICE_VECTOR);
    handlers[vector] = fn;
}

void trap_on_nmi(void (*fn)(const struct trap_frame *frame))
{
    on_nmi = fn;
}

void traps_init(void)
{
    uint32_t edx = cpuid(1, 0).edx;
    uint64_t cap;

    if (!(edx & CPUID_1_EDX_MCE))
        return;
    if (edx & CPUID_1_EDX_MCA) {
        cap = rdmsr(MSR_MCG_CAP);
        if (cap & MCG_CAP_CTL_P)
            wrmsr(MSR_MCG_CTL, UINT64_MAX);
        for (uint32_t i = 0; i < (cap & MCG_CAP_COUNT); i++)
            wrmsr(MSR_MC0_CTL + 4 * i, UINT64_MAX);
    }
    write_cr4(read_cr4() | CR4_MCE);
}

void trap_nmi(void)
{
    processors_stop_here();
    this_cpu()->nmis++;
}

/* What broke, from the banks that hold an error (SDM vol. 3, 16.3.2). */
static _Noreturn void machine_check(const struct trap_frame *frame)
{
    bool has_banks = cpuid(1, 0).edx & CPUID_1_EDX_MCA;
    uint64_t banks = has_banks ? rdmsr(MSR_MCG_CAP) & MCG_CAP_COUNT : 0;

    for (uint32_t i = 0; i < banks; i++) {
        uint64_t status = rdmsr(MSR_MC0_STATUS + 4 * i);

        if (status & MC_STATUS_VAL)
            panic_trap(frame, "machine check: bank %u, status %llx, address %llx: the hardware is failing", i,
                       (unsigned long long)status,
                       status & MC_STATUS_ADDRV ? (unsigned long long)rdmsr(MSR_MC0_ADDR + 4 * i) : 0);
    }
    panic_trap(frame, "machine check: no bank says why");
}

static _Noreturn void exception(const struct trap_frame *frame)
{
    if (frame->vector == VECTOR_MACHINE_CHECK)
        machine_check(frame);
    if (frame->vector == VECTOR_PAGE_FAULT)
        panic_trap(frame, "%s: %s of %p, error %llx", trap_name(frame->vector),
                   frame->error & 0x10  ? "execution"
                   : frame->error & 0x2 ? "write"
                                        : "read",
                   (void *)read_cr2(), (unsigned long long)frame->error);
    panic_trap(frame, "%s, error %llx", trap_name(frame->vector), (unsigned long long)frame->error);
}

void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI) {
        /* The watchdog's, a panic's that stops this processor, or a real machine's button or chipset. It must
         * not disturb the guests. */
        trap_nmi();
        if (on_nmi)
            on_nmi(frame);
        return;
    }
    if (frame->vector < FIRST_DEVICE_VECTOR)
        exception(frame);
    if (frame->vector == VECTOR_SPURIOUS || !handlers[frame->vector]) {
        this_cpu()->spurious++;
        /* A real one without a handler would block its class for ever; the spurious one has no ISR bit
         * (SDM vol. 3, 11.9). */
        if (frame->vector != VECTOR_SPURIOUS && frame->vector >= VECTOR_PIC + 16)
            apic_eoi();
        return;
    }
    this_cpu()->interrupts++;
    handlers[frame->vector](frame);
}
