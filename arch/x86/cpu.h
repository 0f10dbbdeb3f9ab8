/* The processor's instructions that C has no words for. All inline, no state. */
#ifndef ARCH_X86_CPU_H
#define ARCH_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/x86.h"

/* CPUID.1:ECX and EDX */
#define CPUID_1_ECX_VMX          (1u << 5)
#define CPUID_1_ECX_X2APIC       (1u << 21)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_XSAVE        (1u << 26)
#define CPUID_1_ECX_HYPERVISOR   (1u << 31)
#define CPUID_1_EDX_MCE          (1u << 7)
#define CPUID_1_EDX_APIC         (1u << 9)
#define CPUID_1_EDX_MCA          (1u << 14)
#define CPUID_1_EDX_PAT          (1u << 16)
/* CPUID.6:EAX */
#define CPUID_6_EAX_ARAT (1u << 2)
/* CPUID.80000001H:ECX and EDX */
#define CPUID_EXT_ECX_SVM    (1u << 2)
#define CPUID_EXT_EDX_NX     (1u << 20)
#define CPUID_EXT_EDX_PAGE1G (1u << 26)
/* CPUID.80000007H:EDX */
#define CPUID_APM_EDX_INVARIANT_TSC (1u << 8)

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* The time stamp counter, read in program order: LFENCE waits for the instructions before (SDM vol. 2,
 * RDTSC). */
static inline uint64_t rdtsc_ordered(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index));
    return (uint64_t)hi << 32 | lo;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %w1, %b0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %w1, %w0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %w1, %k0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %b0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %w0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %k0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

#define CPU_REG_ACCESSORS(reg)                                                                               \
    static inline uint64_t read_##reg(void)                                                                  \
    {                                                                                                        \
        uint64_t v;                                                                                          \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(v) : : "memory");                                       \
        return v;                                                                                            \
    }                                                                                                        \
    static inline void write_##reg(uint64_t v)                                                               \
    {                                                                                                        \
        __asm__ volatile("mov %0, %%" #reg : : "r"(v) : "memory");                                           \
    }
CPU_REG_ACCESSORS(cr0)
CPU_REG_ACCESSORS(cr2)
CPU_REG_ACCESSORS(cr3)
CPU_REG_ACCESSORS(cr4)
CPU_REG_ACCESSORS(dr0)
CPU_REG_ACCESSORS(dr1)
CPU_REG_ACCESSORS(dr2)
CPU_REG_ACCESSORS(dr3)
CPU_REG_ACCESSORS(dr6)
CPU_REG_ACCESSORS(dr7)
#undef CPU_REG_ACCESSORS

static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

/* Takes the interrupts that are due, and goes on with interrupts disabled. */
static inline void interrupt_window(void)
{
    __asm__ volatile("sti; nop; cli" : : : "memory");
}

/* Waits for an interrupt and takes it; called and left with interrupts disabled. STI's shadow reaches over
 * HLT, so no interrupt is lost between the two. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline uint64_t read_flags(void)
{
    uint64_t v;
    __asm__ volatile("pushfq; pop %0" : "=r"(v) : : "memory");
    return v;
}

/* Disables interrupts; returns the flags for irq_restore(). */
static inline uint64_t irq_save(void)
{
    uint64_t flags = read_flags();
    cli();
    return flags;
}

static inline void irq_restore(uint64_t flags)
{
    if (flags & RFLAGS_IF)
        sti();
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void mfence(void)
{
    __asm__ volatile("mfence" : : : "memory");
}

static inline void invlpg(const void *p)
{
    __asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
}

/* Stops this processor for good. */
static inline _Noreturn void cpu_halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

/* Operand of LGDT, LIDT, SGDT, SIDT. */
struct __attribute__((packed)) descriptor_table {
    uint16_t limit;
    uint64_t base;
};

static inline void lgdt(const struct descriptor_table *t)
{
    __asm__ volatile("lgdt %0" : : "m"(*t) : "memory");
}

static inline void lidt(const struct descriptor_table *t)
{
    __asm__ volatile("lidt %0" : : "m"(*t) : "memory");
}

static inline void sgdt(struct descriptor_table *t)
{
    __asm__ volatile("sgdt %0" : "=m"(*t));
}

static inline void sidt(struct descriptor_table *t)
{
    __asm__ volatile("sidt %0" : "=m"(*t));
}

static inline void ltr(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline uint16_t str(void)
{
    uint16_t v;
    __asm__ volatile("str %0" : "=r"(v));
    return v;
}

#endif
