#include "arch/x86/protect.h"

#include "arch/x86/cpu.h"
#include "kernel/panic.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CPUID_7_ECX_UMIP (1u << 2)

uint64_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void); /* the compiler's name for it */

static uint64_t offered(void)
{
    struct cpuid_regs r = {0};

    if (cpuid(0, 0).eax >= 7)
        r = cpuid(7, 0);
    return (r.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) | (r.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0) |
           (r.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0);
}

void protect_cpu(void)
{
    write_cr4(read_cr4() | offered());
}

void protect_describe(char *text, size_t size)
{
    const uint64_t cr4 = read_cr4();

    host_snprintf(text, size, "W^X, guard pages, stack protector%s%s%s", cr4 & CR4_SMEP ? ", SMEP" : "",
                  cr4 & CR4_SMAP ? ", SMAP" : "", cr4 & CR4_UMIP ? ", UMIP" : "");
}

_Noreturn void __stack_chk_fail(void)
{
    panic("a function of the hypervisor has written past its stack frame (called from %p)",
          __builtin_return_address(0));
}
