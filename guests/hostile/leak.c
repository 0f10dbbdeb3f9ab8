/* Two of these, with different seeds, side by side: each fills every register that a guest has with a pattern
 * of its own, and looks for long whether they stay so. Another's pattern is recognised: it has 0A5h in its
 * upper byte. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define MSR_EFER     0xC0000080u
#define EFER_SCE     0x1ull
#define CR4_OSFXSR   (3ull << 9)
#define CR4_OSXSAVE  (1ull << 18)
#define ECX_XSAVE    (1u << 26)
#define ECX_AVX      (1u << 28)
#define XMM_BYTES    16u
#define YMM_BYTES    32u
#define VECTORS      16u
#define CR0_TS_EM    0xCull
#define MM_REGISTERS 8u

/* What WRMSR takes as it is: 32 bits, or a canonical address. */
static const struct msr {
    uint32_t number;
    const char *name;
    uint64_t mask;
} msrs[] = {
    {0xC0000081, "STAR", UINT64_MAX},
    {0xC0000082, "LSTAR", 0x00007FFFFFFFFFFF},
    {0xC0000083, "CSTAR", 0x00007FFFFFFFFFFF},
    {0xC0000084, "FMASK", UINT32_MAX},
    {0xC0000100, "FS base", 0x00007FFFFFFFFFFF},
    {0xC0000101, "GS base", 0x00007FFFFFFFFFFF},
    {0xC0000102, "KERNEL_GS base", 0x00007FFFFFFFFFFF},
    {0x174, "SYSENTER_CS", UINT16_MAX},
    {0x175, "SYSENTER_ESP", 0x00007FFFFFFFFFFF},
    {0x176, "SYSENTER_EIP", 0x00007FFFFFFFFFFF},
    {0x277, "PAT", 0x0707070707070707},
    {0x1D9, "DEBUGCTL", 0x2},
};

#define MSRS (sizeof(msrs) / sizeof(msrs[0]))

static uint64_t pattern(uint64_t seed, unsigned int n)
{
    return 0xA500000000000000u | seed << 40 | n << 16 | 0x5A00 | seed;
}

/* PAT takes only some types in each byte: 0, 1, 4-7. */
static uint64_t msr_value(const struct msr *m, uint64_t seed, unsigned int n)
{
    if (m->number == 0x277) {
        return seed % 2 ? 0x0007040600070406 : 0x0606050504040101;
    }
    return pattern(seed, n) & m->mask;
}

static unsigned int wrong;

static void expect(uint64_t is, uint64_t should, const char *what, unsigned int n)
{
    if (is != should && wrong++ < 8) {
        printf("hostile: FAIL %s %u is %lx, not %lx\n", what, n, is, should);
    }
}

static void msrs_write(uint64_t seed)
{
    for (unsigned int i = 0; i < MSRS; i++) {
        wrmsr(msrs[i].number, msr_value(&msrs[i], seed, i));
    }
}

static void msrs_check(uint64_t seed)
{
    for (unsigned int i = 0; i < MSRS; i++) {
        expect(rdmsr(msrs[i].number), msr_value(&msrs[i], seed, i), msrs[i].name, 0);
    }
}

static void debug_write(uint64_t seed)
{
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
                     :
                     : "r"(pattern(seed, 0)), "r"(pattern(seed, 1)), "r"(pattern(seed, 2)),
                       "r"(pattern(seed, 3)));
    /* not enabled; conditions and lengths of its own; DR6's flags by software */
    __asm__ volatile("mov %0, %%dr7" : : "r"(seed % 2 ? 0x11110400ull : 0x33330400ull));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xFFFF0FF0ull | (seed & 0xF)));
    __asm__ volatile("mov %0, %%cr2" : : "r"(pattern(seed, 9)));
}

static void debug_check(uint64_t seed)
{
    uint64_t d[4], d6, d7, cr2;

    __asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
                     : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]));
    __asm__ volatile("mov %%dr7, %0; mov %%dr6, %1; mov %%cr2, %2" : "=r"(d7), "=r"(d6), "=r"(cr2));
    for (unsigned int i = 0; i < 4; i++) {
        expect(d[i], pattern(seed, i), "DR", i);
    }
    expect(d7, seed % 2 ? 0x11110400ull : 0x33330400ull, "DR", 7);
    expect(d6, 0xFFFF0FF0ull | (seed & 0xF), "DR", 6);
    expect(cr2, pattern(seed, 9), "CR", 2);
}

static uint8_t vectors[VECTORS][YMM_BYTES] __attribute__((aligned(32)));
static uint8_t read_back[VECTORS][YMM_BYTES] __attribute__((aligned(32)));
static bool avx;

#define EACH_VECTOR(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define LOAD_XMM(n)    __asm__ volatile("movups %0, %%xmm" #n : : "m"(vectors[n]));
#define STORE_XMM(n)   __asm__ volatile("movups %%xmm" #n ", %0" : "=m"(read_back[n]));
#define LOAD_YMM(n)    __asm__ volatile("vmovups %0, %%ymm" #n : : "m"(vectors[n]));
#define STORE_YMM(n)   __asm__ volatile("vmovups %%ymm" #n ", %0" : "=m"(read_back[n]));

static void vectors_enable(void)
{
    uint64_t cr0, cr4;
    uint32_t ecx = cpuid(1, 0).ecx;

    __asm__ volatile("mov %%cr0, %0; mov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~CR0_TS_EM));
    avx = (ecx & ECX_XSAVE) && (ecx & ECX_AVX);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSFXSR | (avx ? CR4_OSXSAVE : 0)));
    if (avx) {
        avx = xsetbv_safe(0, 7);
    }
}

static void vectors_write(uint64_t seed)
{
    for (unsigned int v = 0; v < VECTORS; v++) {
        for (unsigned int i = 0; i < YMM_BYTES; i++) {
            vectors[v][i] = (uint8_t)(seed * 31 + v * 7 + i);
        }
    }
    if (avx) {
        EACH_VECTOR(LOAD_YMM)
    } else {
        EACH_VECTOR(LOAD_XMM)
    }
}

static void vectors_check(void)
{
    unsigned int bytes = avx ? YMM_BYTES : XMM_BYTES;

    if (avx) {
        EACH_VECTOR(STORE_YMM)
    } else {
        EACH_VECTOR(STORE_XMM)
    }
    for (unsigned int v = 0; v < VECTORS; v++) {
        for (unsigned int i = 0; i < bytes; i++) {
            expect(read_back[v][i], vectors[v][i], avx ? "YMM" : "XMM", v);
        }
    }
}

/* The x87 stack by its MMX names, and the control words. */
static void x87_write(uint64_t seed)
{
    const uint16_t fcw = (uint16_t)(seed % 2 ? 0x037F : 0x0C7F);
    const uint32_t mxcsr = seed % 2 ? 0x1F80 : 0x7F80;
    uint64_t v[MM_REGISTERS];

    for (unsigned int i = 0; i < MM_REGISTERS; i++) {
        v[i] = pattern(seed, 32 + i);
    }
    __asm__ volatile("fninit; fldcw %0; ldmxcsr %1" : : "m"(fcw), "m"(mxcsr));
    __asm__ volatile("movq %0, %%mm0; movq %1, %%mm3; movq %2, %%mm7" : : "m"(v[0]), "m"(v[3]), "m"(v[7]));
}

static void x87_check(uint64_t seed)
{
    uint16_t fcw;
    uint32_t mxcsr;
    uint64_t v[3];

    __asm__ volatile("movq %%mm0, %0; movq %%mm3, %1; movq %%mm7, %2; fnstcw %3; stmxcsr %4"
                     : "=m"(v[0]), "=m"(v[1]), "=m"(v[2]), "=m"(fcw), "=m"(mxcsr));
    expect(v[0], pattern(seed, 32), "MM", 0);
    expect(v[1], pattern(seed, 35), "MM", 3);
    expect(v[2], pattern(seed, 39), "MM", 7);
    expect(fcw, seed % 2 ? 0x037F : 0x0C7F, "FCW", 0);
    expect(mxcsr, seed % 2 ? 0x1F80 : 0x7F80, "MXCSR", 0);
}

/* Nothing of another's may be in RAM that this guest has not written. */
static uint64_t memory_check(void)
{
    extern const uint8_t image_end[];
    uint64_t looked = 0;

    for (uintptr_t at = ((uintptr_t)image_end | 0xFFFFF) + 1; at < 0x1000000 - 0x100000; at += 8) {
        uint64_t value = *(volatile uint64_t *)at;

        expect(value, 0, "RAM at MiB", (unsigned int)(at >> 20));
        looked++;
    }
    return looked;
}

int hostile_leak(const struct plan *plan)
{
    uint64_t seed = plan->seed, end = rdtsc() + plan->seconds * plan->tsc_hz, rounds = 0;
    uint64_t looked = memory_check();

    vectors_enable();
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    msrs_write(seed);
    debug_write(seed);
    vectors_write(seed);
    x87_write(seed);
    while (rdtsc() < end && wrong == 0) {
        msrs_check(seed);
        debug_check(seed);
        vectors_check();
        x87_check(seed);
        rounds++;
        for (volatile unsigned int i = 0; i < 20000; i++) {
        }
    }
    printf("hostile: leak seed=%lu rounds=%lu words=%lu vectors=%s wrong=%u\n", seed, rounds, looked,
           avx ? "ymm" : "xmm", wrong);
    return wrong == 0 && rounds > 0 ? (int)plan->exit : EXIT_FAIL;
}
