/* MSRs that hold addresses, most of which a backend lets the guest write without an exit; and the last
 * addresses that an instruction can have. */
#include "guests/insn/insn.h"

#include "guests/lib/io.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/traps.h"

#define ADDRESS        0x0000123456789abcull
#define NOT_CANONICAL  0xaaaaaaaaaaaaaaaaull
#define LOWER_HALF_END 0x0000800000000000ull
#define UPPER_HALF     0xffff800000000000ull

#define MSR_GS_BASE 0xc0000101u

#define PTE_PRESENT_WRITE 3u
#define LAST              511u

extern uint64_t pml4[512];

static const struct named {
    uint32_t index;
    const char *name;
} addresses[] = {
    {0xc0000082, "LSTAR"},    {0xc0000083, "CSTAR"},          {0xc0000100, "FS_BASE"},
    {MSR_GS_BASE, "GS_BASE"}, {0xc0000102, "KERNEL_GS_BASE"},
};

/* AMD's hold 32 bits of an address: SYSENTER is legacy mode's there (APM vol. 2, 6.1.2). */
static const struct named intel_addresses[] = {{0x175, "SYSENTER_ESP"}, {0x176, "SYSENTER_EIP"}};

static bool is_intel(void)
{
    return cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
}

static bool holds(uint32_t msr, uint64_t value)
{
    wrmsr(msr, value);
    return rdmsr(msr) == value;
}

/* SDM vol. 2, WRMSR: #GP for an address that is not canonical in one of these. */
static void addresses_are_canonical(const struct named *list, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        const uint32_t msr = list[i].index;
        const uint64_t old = rdmsr(msr);
        bool kept = holds(msr, LOWER_HALF_END - 1) && holds(msr, UPPER_HALF) && holds(msr, ADDRESS);
        bool refused = !wrmsr_safe(msr, NOT_CANONICAL) && !wrmsr_safe(msr, LOWER_HALF_END) &&
                       !wrmsr_safe(msr, UPPER_HALF - 1);

        kept = kept && rdmsr(msr) == ADDRESS;
        wrmsr(msr, old);
        report(kept && rdmsr(msr) == old, "%s keeps its address", list[i].name);
        report(refused, "%s: #GP if not canonical", list[i].name);
    }
}

/* What is written there is where the segment begins, however it came there. */
static void the_base_is_used(void)
{
    static const uint64_t words[2] = {0x1122334455667788ull, 0x99aabbccddeeff00ull};
    const uint64_t old = rdmsr(MSR_GS_BASE);
    uint64_t first, second;

    wrmsr(MSR_GS_BASE, (uintptr_t)words);
    __asm__ volatile("movq %%gs:0, %0\n\tmovq %%gs:8, %1" : "=r"(first), "=r"(second) : : "memory");
    wrmsr(MSR_GS_BASE, old);
    report(first == words[0] && second == words[1], "GS_BASE is the base of GS");
}

/* A page at the end of the lower half: the address after its last instruction is none. */
static uint8_t *map_the_last_page(void)
{
    static uint64_t tables[3][512] __attribute__((aligned(4096)));
    static uint8_t page[4096] __attribute__((aligned(4096)));

    tables[2][LAST] = (uintptr_t)page | PTE_PRESENT_WRITE;
    tables[1][LAST] = (uintptr_t)tables[2] | PTE_PRESENT_WRITE;
    tables[0][LAST] = (uintptr_t)tables[1] | PTE_PRESENT_WRITE;
    pml4[255] = (uintptr_t)tables[0] | PTE_PRESENT_WRITE;
    return page + sizeof(page);
}

/* The instruction is carried out, and the fetch of the next is #GP there (SDM vol. 1, 3.3.7.1). */
static void edge(const char *name, const void *bytes, unsigned int n, uint8_t *end)
{
    memcpy(end - n, bytes, n);
    insn_jump(LOWER_HALF_END - n);
    report(insn_caught() == TRAP_GP && insn_caught_at() == LOWER_HALF_END, "%s, the last before %llx: at %lx",
           name, LOWER_HALF_END, insn_caught_at());
}

void insn_msrs(void)
{
    uint8_t *end = map_the_last_page();

    addresses_are_canonical(addresses, sizeof(addresses) / sizeof(addresses[0]));
    if (is_intel())
        addresses_are_canonical(intel_addresses, sizeof(intel_addresses) / sizeof(intel_addresses[0]));
    the_base_is_used();
    edge("NOP", "\x90", 1, end);
    edge("CPUID", "\x0f\xa2", 2, end);
    edge("RDTSC", "\x0f\x31", 2, end);
    edge("OUT", "\xe6\x80", 2, end);
    edge(is_intel() ? "VMCALL" : "VMMCALL", is_intel() ? "\x0f\x01\xc1" : "\x0f\x01\xd9", 3, end);
}
