#include "guests/lib/traps.h"

#include "guests/lib/power.h"
#include "guests/lib/print.h"

#define GATE_INTERRUPT 0x8E00 /* present, DPL 0, 64-bit interrupt gate (SDM vol. 3, figure 6-8) */
#define CODE_SELECTOR  0x08

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t attributes;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, figure 6-8");

struct idt_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern const uint64_t trap_entries[256]; /* traps.asm */
void trap_dispatch(struct trap_frame *frame);

static struct gate idt[256];
static trap_handler handlers[256];

/* Where to go on after a #GP in the safe MSR accessors; 0 outside them. */
static volatile uint64_t fixup;

static void set_gate(uint8_t vector, uint64_t offset)
{
    idt[vector] = (struct gate){(uint16_t)offset,         CODE_SELECTOR,
                                GATE_INTERRUPT,           (uint16_t)(offset >> 16),
                                (uint32_t)(offset >> 32), 0};
}

void traps_load(void)
{
    struct idt_pointer pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void traps_init(void)
{
    for (unsigned int i = 0; i < 256; i++) {
        set_gate((uint8_t)i, trap_entries[i]);
    }
    traps_load();
}

void traps_set(uint8_t vector, trap_handler handler)
{
    handlers[vector] = handler;
}

void traps_gate(uint8_t vector, const void *entry)
{
    set_gate(vector, (uint64_t)(uintptr_t)entry);
}

void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector == TRAP_GP && fixup != 0) {
        frame->rip = fixup;
        return;
    }
    if (handlers[frame->vector] != NULL) {
        handlers[frame->vector](frame);
        return;
    }
    printf("trap: vector %lu error %lx rip %lx rflags %lx rsp %lx\n", frame->vector, frame->error, frame->rip,
           frame->rflags, frame->rsp);
    printf("trap: rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx\n", frame->rax, frame->rbx, frame->rcx,
           frame->rdx, frame->rsi, frame->rdi);
    machine_exit(EXIT_TRAP);
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    uint32_t low = 0, high = 0, ok = 0;

    __asm__ volatile("leaq 1f(%%rip), %%rsi\n\t"
                     "movq %%rsi, %3\n\t"
                     "rdmsr\n\t"
                     "movl $1, %2\n"
                     "1:\n\t"
                     "movq $0, %3"
                     : "+a"(low), "+d"(high), "+r"(ok), "=m"(fixup)
                     : "c"(msr)
                     : "rsi", "memory");
    *value = (uint64_t)high << 32 | low;
    return ok != 0;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    uint32_t ok = 0;

    __asm__ volatile("leaq 1f(%%rip), %%rsi\n\t"
                     "movq %%rsi, %1\n\t"
                     "wrmsr\n\t"
                     "movl $1, %0\n"
                     "1:\n\t"
                     "movq $0, %1"
                     : "+r"(ok), "=m"(fixup)
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "rsi", "memory");
    return ok != 0;
}

#define WRITE_CR_SAFE(n)                                                                                     \
    bool write_cr##n##_safe(uint64_t value)                                                                  \
    {                                                                                                        \
        uint32_t ok = 0;                                                                                     \
                                                                                                             \
        __asm__ volatile("leaq 1f(%%rip), %%rsi\n\t"                                                         \
                         "movq %%rsi, %1\n\t"                                                                \
                         "movq %2, %%cr" #n "\n\t"                                                           \
                         "movl $1, %0\n"                                                                     \
                         "1:\n\t"                                                                            \
                         "movq $0, %1"                                                                       \
                         : "+r"(ok), "=m"(fixup)                                                             \
                         : "r"(value)                                                                        \
                         : "rsi", "memory");                                                                 \
        return ok != 0;                                                                                      \
    }
WRITE_CR_SAFE(0)
WRITE_CR_SAFE(3)
WRITE_CR_SAFE(4)
WRITE_CR_SAFE(8)

bool xsetbv_safe(uint32_t index, uint64_t value)
{
    uint32_t ok = 0;

    __asm__ volatile("leaq 1f(%%rip), %%rsi\n\t"
                     "movq %%rsi, %1\n\t"
                     "xsetbv\n\t"
                     "movl $1, %0\n"
                     "1:\n\t"
                     "movq $0, %1"
                     : "+r"(ok), "=m"(fixup)
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "rsi", "memory");
    return ok != 0;
}
