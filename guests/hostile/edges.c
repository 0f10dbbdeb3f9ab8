/* Accesses at the ends of things: pages, the address space, registers; and code that changes under the
 * decoder. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/traps.h"

#define IOAPIC    0xFEC00000u
#define TOP       0xFFFFFFFFFFFFFFF8ull
#define GAP       0x1000000ull /* RAM ends here, and is mapped on */
#define TRAP_UD   6
#define TRAP_SS   12
#define TRAP_PF   14
#define PORT_NONE 0x5000
#define NO_TRAP   255u

static volatile uint64_t resume, stack, trapped;

static void on_trap(struct trap_frame *frame)
{
    trapped = frame->vector;
    frame->rip = resume;
    frame->rsp = stack;
    frame->rflags = 2;
}

/* Carries out the instruction(s) with RSI, RDI, RCX; answers which exception came. */
#define TRY(code, si, di, count, port)                                                                       \
    ({                                                                                                       \
        uint64_t rsi_ = (si), rdi_ = (di), rcx_ = (count);                                                   \
        trapped = NO_TRAP;                                                                                   \
        __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"                                                         \
                         "movq %%rax, %3\n\t"                                                                \
                         "movq %%rsp, %4\n\t" code "\n"                                                      \
                         "1:"                                                                                \
                         : "+S"(rsi_), "+D"(rdi_), "+c"(rcx_), "=m"(resume), "=m"(stack)                     \
                         : "d"((uint16_t)(port))                                                             \
                         : "rax", "memory", "cc");                                                           \
        trapped;                                                                                             \
    })

/* The last large page of RAM's directory: what lies behind 16 MiB is not mapped for these. */
static void unmap_from(uint64_t at)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    uint64_t *pml4 = (uint64_t *)(uintptr_t)cr3;
    uint64_t *pdpt = (uint64_t *)(uintptr_t)(pml4[0] & ~0xFFFull);
    uint64_t *directory = (uint64_t *)(uintptr_t)(pdpt[0] & ~0xFFFull);

    directory[at >> 21] = 0;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static void strings(void)
{
    report(TRY("rep insb", 0, GAP - 8, 64, PORT_NONE) == TRAP_PF, "INS over the end of a mapping: #PF");
    report(*(volatile uint8_t *)(GAP - 1) == 0xFF, "what came before it has been stored");
    report(TRY("rep outsb", GAP - 8, 0, 64, PORT_NONE) == TRAP_PF, "OUTS over the end of a mapping: #PF");
    report(TRY("insl", 0, GAP - 2, 1, PORT_NONE) == TRAP_PF, "INS of four bytes, two of them mapped: #PF");
    report(TRY("rep insb", 0, TOP, 64, PORT_NONE) != NO_TRAP, "INS over the end of the address space faults");
    report(TRY("rep insb", 0, 1ull << 47, 1, PORT_NONE) == TRAP_GP, "INS to a non-canonical address: #GP");
    report(TRY("rep outsl", 0x00007FFFFFFFFFFE, 0, 1, PORT_NONE) == TRAP_GP,
           "OUTS into the addresses that are not canonical: #GP");
    report(TRY("rep insb", 0, GAP - 4096, 0, PORT_NONE) == NO_TRAP, "INS of nothing is nothing");
    report(TRY("std; rep insb; cld", 0, GAP - 1, 4096, PORT_NONE) == NO_TRAP,
           "INS downwards over a page's end");
    report(TRY("rep insb", 0, IOAPIC, 32, PORT_NONE) == NO_TRAP, "INS into a device's registers");
    report(TRY("rep movsb", IOAPIC, GAP - 16, 64, 0) == TRAP_PF,
           "MOVS from a device over the end of a mapping: #PF");
    report(TRY("rep stosq", 0, GAP - 16, 64, 0) == TRAP_PF, "STOS over the end of a mapping: #PF");
}

/* Every alignment and width in the LAPIC's and the IOAPIC's page, and over their ends. */
static void odd_addresses(void)
{
    static const uint32_t pages[] = {LAPIC_BASE, IOAPIC, 0xFED00000u};
    uint64_t accesses = 0;

    for (unsigned int p = 0; p < 3; p++) {
        for (uintptr_t at = pages[p] - 7; at < pages[p] + 0x20; at++) {
            (void)*(volatile uint8_t *)at;
            (void)*(volatile uint16_t *)at;
            (void)*(volatile uint32_t *)at;
            (void)*(volatile uint64_t *)at;
            accesses += 4;
        }
        for (uintptr_t at = pages[p] + 0x3F1; at < pages[p] + 0x1007; at += 0x33) {
            *(volatile uint16_t *)at = 0xFFFF;
            *(volatile uint64_t *)at = UINT64_MAX;
            accesses += 2;
        }
    }
    report(accesses > 700, "%lu accesses at odd addresses of LAPIC, IOAPIC and HPET", accesses);
}

/* One and the same address holds CPUID, then CPUID with a prefix, then RDTSC, ...: their lengths and what
 * they do must be those of the bytes that are there now. */
static void changing_code(void)
{
    static const struct {
        uint8_t length, bytes[6];
    } forms[] = {{2, {0x0F, 0xA2}},       {3, {0x66, 0x0F, 0xA2}},
                 {2, {0x0F, 0x31}},       {4, {0x3E, 0x3E, 0x0F, 0x31}},
                 {3, {0x2E, 0x0F, 0xA2}}, {2, {0x0F, 0x08}},
                 {3, {0x65, 0x0F, 0x09}}, {5, {0x26, 0x26, 0x26, 0x0F, 0xA2}}};
    uint8_t *code = (uint8_t *)0x800000;
    unsigned int right = 0;

    for (unsigned int i = 0; i < 4096; i++) {
        unsigned int f = (i * 7 + i / 8) % 8, n = forms[f].length;

        memcpy(code, forms[f].bytes, n);
        code[n] = 0xF9; /* STC: reached by the right length alone */
        code[n + 1] = 0xC3;
        memset(code + n + 2, 0x0B, 8);
        uint8_t carry = 0;
        __asm__ volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; clc; call *%1; setc %0"
                         : "=&r"(carry)
                         : "r"(code)
                         : "rax", "rbx", "rcx", "rdx", "memory", "cc");
        right += carry;
    }
    report(right == 4096, "4096 instructions at one address, each other than the one before: %u right",
           right);
}

/* INIT, SIPI, NMI, lowest priority, to nobody, to all, to reserved modes; reserved vectors. */
static void messages(void)
{
    for (uint32_t mode = 0; mode < 8; mode++) {
        for (uint32_t shorthand = 0; shorthand < 4; shorthand++) {
            if ((mode == 5 || mode == 4) && shorthand != 3) {
                continue; /* INIT and NMI to oneself: the first resets this processor, the second has no
                             handler here */
            }
            lapic_write(0x310, 0x55000000u);
            lapic_write(0x300, shorthand << 18 | mode << 8 | (mode == 0 ? 0x3 : 0x60) | 1u << 14);
            lapic_write(0x300, shorthand << 18 | mode << 8 | 1u << 15 | 0x61);
        }
    }
    report(true, "inter-processor messages of all kinds");
}

int hostile_edges(const struct plan *plan)
{
    (void)plan;
    interrupts_off();
    traps_set(TRAP_UD, on_trap);
    traps_set(TRAP_SS, on_trap);
    traps_set(TRAP_GP, on_trap);
    traps_set(TRAP_PF, on_trap);
    unmap_from(GAP);
    strings();
    odd_addresses();
    changing_code();
    messages();
    return report_summary();
}
