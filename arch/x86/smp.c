#include "arch/x86/smp.h"

#include <stddef.h>

#include "arch/x86/acpi.h"
#include "arch/x86/apic.h"
#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "arch/x86/madt.h"
#include "arch/x86/mitigate.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/protect.h"
#include "arch/x86/traps.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define LOW_LIMIT 0x9f000u /* at and above it firmware has its own, whatever the map says */

/* Waits of SDM vol. 3, 9.4.4.1, in divisors of a second. */
#define AFTER_INIT 100u  /* 10 ms */
#define AFTER_SIPI 5000u /* 200 us */
#define PATIENCE   10u   /* 100 ms: no processor takes as long to its first word */

/* boot/trampoline.asm */
extern const uint8_t trampoline_start[], trampoline_words[], trampoline_end[];
/* boot/entry.asm: the tables with the identity map */
extern uint64_t early_pml4[];

struct trampoline_words {
    uint64_t early_cr3, cr3, stack, entry, argument;
};

static uint64_t page;          /* physical */
static uint8_t before[4096];   /* what was there */
static uint64_t boot_pat;      /* 0: no PAT */
static void (*then)(void);     /* of the one that is being started */
static volatile bool answered; /* it has */
_Static_assert(sizeof before == PAGE_SIZE, "a SIPI's vector is a page");

unsigned int smp_others(uint32_t *ids, unsigned int max)
{
    uint32_t all[MAX_CPUS + 1];
    uint32_t length;
    const void *madt = acpi_table("APIC", &length);
    unsigned int found = madt ? madt_processors(madt, length, all, MAX_CPUS + 1) : 0;
    unsigned int n = 0;

    for (unsigned int i = 0; i < found && n < max; i++) {
        /* FFh is the broadcast where ids have eight bits. */
        if (all[i] != this_cpu()->apic_id && (apic_is_x2apic() || all[i] < 0xff))
            ids[n++] = all[i];
    }
    return n;
}

/* The first page of RAM that holds neither the real mode's interrupt table nor the BIOS's data area. */
static uint64_t low_page(const struct boot_info *boot)
{
    for (unsigned int i = 0; i < boot->nranges; i++) {
        const struct boot_range *r = &boot->ranges[i];
        uint64_t start = (r->base + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

        start = start < PAGE_SIZE ? PAGE_SIZE : start;
        if (r->type == BOOT_MEM_RAM && start + PAGE_SIZE <= LOW_LIMIT &&
            r->base + r->length >= start + PAGE_SIZE)
            return start;
    }
    return 0;
}

/* The symbols lie in one piece of code (boot/trampoline.asm), not in one array of C's. */
static size_t offset_in_trampoline(const uint8_t *symbol)
{
    return (uintptr_t)symbol - (uintptr_t)trampoline_start;
}

bool smp_prepare(const struct boot_info *boot)
{
    page = low_page(boot);
    if (page == 0)
        return false;
    ASSERT(offset_in_trampoline(trampoline_end) <= PAGE_SIZE);
    memcpy(before, phys_to_virt(page), sizeof before);
    boot_pat = cpuid(1, 0).edx & CPUID_1_EDX_PAT ? rdmsr(MSR_PAT) : 0;
    return true;
}

void smp_finish(void)
{
    memcpy(phys_to_virt(page), before, sizeof before);
}

/* The new processor's first C, on its own stack, in the final page tables. CR0, CR4 and EFER are as the boot
 * processor's were at this point (boot/trampoline.asm as boot/entry.asm). */
static _Noreturn void begin(struct percpu *cpu)
{
    descriptors_init(cpu);
    if (boot_pat)
        wrmsr(MSR_PAT, boot_pat);
    protect_cpu();
    mitigate_cpu();
    traps_init();
    apic_init(true);
    answered = true;
    then();
    cpu_halt_forever();
}

static void write_trampoline(struct percpu *cpu)
{
    uint8_t *at = phys_to_virt(page);
    const struct trampoline_words words = {
        .early_cr3 = virt_to_phys(early_pml4),
        .cr3 = read_cr3(),
        .stack = percpu_stack_top(cpu->id, 0),
        .entry = (uint64_t)begin,
        .argument = (uint64_t)cpu,
    };

    memcpy(at, trampoline_start, offset_in_trampoline(trampoline_end));
    memcpy(at + offset_in_trampoline(trampoline_words), &words, sizeof words);
}

static bool wait_for_answer(uint64_t ticks)
{
    uint64_t end = rdtsc() + ticks;

    while (!answered && rdtsc() < end)
        cpu_pause();
    return answered;
}

static bool wake(uint32_t apic_id)
{
    uint64_t hz = clock_hz();

    apic_send_init(apic_id);
    clock_spin_until(rdtsc() + hz / AFTER_INIT);
    apic_send_startup(apic_id, page);
    if (wait_for_answer(hz / AFTER_SIPI))
        return true;
    apic_send_startup(apic_id, page);
    return wait_for_answer(hz / PATIENCE);
}

struct percpu *smp_start(uint32_t apic_id, void (*fn)(void), const char **why)
{
    struct percpu *cpu = percpu_create();

    *why = "no memory for its stacks";
    if (!cpu)
        return NULL;
    write_trampoline(cpu);
    then = fn;
    answered = false;
    if (wake(apic_id))
        return cpu;
    cpu->apic_id = apic_id;
    smp_dismiss(cpu);
    *why = "it does not answer";
    return NULL;
}

void smp_dismiss(struct percpu *cpu)
{
    apic_send_init(cpu->apic_id);
    percpu_forget(cpu);
}
