#include "guests/lib/smp.h"

#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/string.h"
#include "guests/lib/traps.h"

#define SMP_PAGE   0x8000u /* as in smp.asm */
#define STACK_SIZE 8192u   /* as in smp.asm */

#define MADT_LENGTH  4
#define MADT_ENTRIES 44
#define ENTRY_LAPIC  0
#define LAPIC_FLAGS  4 /* in the entry; bit 0: enabled */

#define WAIT_ROUNDS 20000000u

extern const uint8_t smp_trampoline[], smp_trampoline_end[];
uint8_t smp_stacks[SMP_MAX * STACK_SIZE] __attribute__((aligned(16)));
void smp_main(unsigned int cpu);

static void (*volatile entry_of_all)(unsigned int cpu);
static volatile unsigned int begun;

void smp_main(unsigned int cpu)
{
    traps_load();
    begun = begun + 1;
    entry_of_all(cpu);
}

unsigned int smp_count(void)
{
    const uint8_t *madt = acpi_table("APIC");
    unsigned int n = 0;
    uint32_t length;

    if (madt == NULL) {
        return 0;
    }
    memcpy(&length, madt + MADT_LENGTH, sizeof(length));
    for (uint32_t at = MADT_ENTRIES; at + 1 < length && madt[at + 1] != 0; at += madt[at + 1]) {
        n += madt[at] == ENTRY_LAPIC && (madt[at + LAPIC_FLAGS] & 1);
    }
    return n;
}

void smp_ipi(uint32_t dest, uint32_t low)
{
    lapic_write(LAPIC_ICR_HIGH, dest << 24);
    lapic_write(LAPIC_ICR_LOW, low);
}

void smp_init(uint32_t dest)
{
    smp_ipi(dest, ICR_INIT | ICR_ASSERT);
}

void smp_sipi(uint32_t dest)
{
    memcpy((void *)(uintptr_t)SMP_PAGE, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
    smp_ipi(dest, ICR_SIPI | ICR_ASSERT | SMP_PAGE >> 12);
}

unsigned int smp_start(void (*entry)(unsigned int cpu))
{
    unsigned int n = smp_count();

    entry_of_all = entry;
    for (unsigned int id = 1; id < n && id < SMP_MAX; id++) {
        unsigned int before = begun;

        smp_init(id);
        smp_sipi(id);
        smp_sipi(id); /* as the specification says; the second is lost on one that runs */
        for (unsigned int i = 0; i < WAIT_ROUNDS && begun == before; i++) {
            cpu_relax();
        }
    }
    return begun;
}
