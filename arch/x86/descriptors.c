/* GDT, TSS, IDT. */
#include "arch/x86/descriptors.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"

/* Descriptors of SDM vol. 3, 3.4.5: present, ring 0, accessed; limits are ignored in 64-bit mode. */
#define GDT_CODE64     0x00af9b000000ffffull
#define GDT_DATA       0x00cf93000000ffffull
#define GDT_TSS        0x0000890000000000ull /* available 64-bit TSS (table 3-2) */
#define GATE_INTERRUPT 0x8e00u               /* present, ring 0, 64-bit interrupt gate (table 3-2) */

struct __attribute__((packed)) gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t ist_type;
    uint16_t offset_mid;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, figure 6-8");

static struct gate __attribute__((aligned(4096))) idt[256];

static unsigned int ist_of(unsigned int vector)
{
    switch (vector) {
    case VECTOR_DOUBLE_FAULT:
        return IST_DOUBLE_FAULT;
    case VECTOR_NMI:
        return IST_NMI;
    case VECTOR_MACHINE_CHECK:
        return IST_MACHINE_CHECK;
    default:
        return 0;
    }
}

static void fill_idt(void)
{
    for (unsigned int v = 0; v < 256; v++) {
        uint64_t stub = (uint64_t)trap_stubs[v];

        idt[v] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = SEL_CODE64,
            .ist_type = (uint16_t)(GATE_INTERRUPT | ist_of(v)),
            .offset_mid = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
}

static void fill_tss(struct percpu *cpu)
{
    cpu->tss = (struct tss){.iomap = sizeof(struct tss)}; /* beyond the limit: no I/O map */
    cpu->tss.rsp[0] = percpu_stack_top(cpu->id, 0);
    for (unsigned int i = 1; i <= IST_STACKS; i++)
        cpu->tss.ist[i - 1] = percpu_stack_top(cpu->id, i);
}

static void fill_gdt(struct percpu *cpu)
{
    uint64_t base = (uint64_t)&cpu->tss;
    uint64_t limit = sizeof(struct tss) - 1;

    cpu->gdt[0] = 0;
    cpu->gdt[SEL_CODE64 / 8] = GDT_CODE64;
    cpu->gdt[SEL_DATA / 8] = GDT_DATA;
    cpu->gdt[SEL_TSS / 8] = GDT_TSS | limit | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    cpu->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

/* Far return: the only way to load CS in 64-bit mode that every assembler spells the same. */
static void load_segments(void)
{
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %1, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs"
                     :
                     : "i"(SEL_CODE64), "i"(SEL_DATA)
                     : "rax", "memory");
}

void descriptors_init(struct percpu *cpu)
{
    struct descriptor_table gdtr = {.limit = sizeof cpu->gdt - 1, .base = (uint64_t)cpu->gdt};
    struct descriptor_table idtr;

    if (cpu->id == 0)
        fill_idt();
    fill_tss(cpu);
    fill_gdt(cpu);
    lgdt(&gdtr);
    load_segments();
    /* After the null selector in GS, which clears the base. */
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);
    wrmsr(MSR_FS_BASE, 0);
    ltr(SEL_TSS);
    trap_idt(&idtr);
    lidt(&idtr);
}

void trap_idt(struct descriptor_table *out)
{
    *out = (struct descriptor_table){.limit = sizeof idt - 1, .base = (uint64_t)idt};
}
