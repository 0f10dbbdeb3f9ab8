/* Control registers and EFER, with values that a processor refuses, and some that it takes (SDM vol.
 * 3, 2.5, 2.2.1 and 4.1.2; vol. 2, MOV to control registers, XSETBV; vol. 1, 13.3). This program is 64-bit
 * code under paging. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define GENUINE_INTEL 0x756E6547u /* EBX: "Genu" */
#define MSR_APIC_BASE 0x1B
#define MSR_PAT       0x277
#define MSR_EFER      0xC0000080u
#define EFER_SCE      0x1ull
#define EFER_LME      0x100ull
#define EFER_LMA      0x400ull
#define EFER_SVME     0x1000ull
#define CR4_OSXSAVE   (1ull << 18)
#define ECX_XSAVE     (1u << 26)

enum reg { CR0, CR3, CR4, CR8, EFER };

static const struct attempt {
    const char *what;
    enum reg reg;
    uint64_t set, clear; /* of what is there now */
    bool taken;
    bool intel; /* QEMU's MOVs to CR0 and CR3 on AMD take what hardware refuses (APM vol. 2, 3.1.1, 5.3.2) */
} attempts[] = {
    {"CR0 without PG in 64-bit code", CR0, 0, 1ull << 31, false, false},
    {"CR0 with PG, without PE", CR0, 0, 1, false, false},
    {"CR0 with NW, without CD", CR0, 1ull << 29, 0, false, false},
    {"CR0 bit 32", CR0, 1ull << 32, 0, false, true},
    {"CR0 bit 63", CR0, 1ull << 63, 0, false, true},
    {"CR0 all ones", CR0, UINT64_MAX, 0, false, false},
    {"CR0 with CD", CR0, 1ull << 30, 0, true, false},
    {"CR0 with CD and NW", CR0, 3ull << 29, 0, true, false},
    {"CR0 with AM, TS and EM", CR0, 1ull << 18 | 8 | 4, 0, true, false},
    {"CR0 without NE", CR0, 0, 1ull << 5, true, false},
    {"CR0 without WP", CR0, 0, 1ull << 16, true, false},
    {"CR0 with a reserved low bit", CR0, 1ull << 6, 0, true, false},
    {"CR3 above the address width", CR3, 1ull << 60, 0, false, true},
    {"CR3 bit 51", CR3, 1ull << 51, 0, false, true},
    {"CR4 without PAE", CR4, 0, 1ull << 5, false, false},
    {"CR4 with LA57", CR4, 1ull << 12, 0, false, false},
    {"CR4 with VMXE", CR4, 1ull << 13, 0, false, false},
    {"CR4 with SMXE", CR4, 1ull << 14, 0, false, false},
    {"CR4 bit 15", CR4, 1ull << 15, 0, false, false},
    {"CR4 with PCIDE", CR4, 1ull << 17, 0, false, false},
    {"CR4 bit 19", CR4, 1ull << 19, 0, false, false},
    {"CR4 with PKE", CR4, 1ull << 22, 0, false, false},
    {"CR4 with CET", CR4, 1ull << 23, 0, false, false},
    {"CR4 bit 31", CR4, 1ull << 31, 0, false, false},
    {"CR4 bit 32", CR4, 1ull << 32, 0, false, false},
    {"CR4 all ones", CR4, UINT64_MAX, 0, false, false},
    {"CR4 with MCE, PGE, PSE, DE and TSD", CR4, 0xDC, 0, true, false},
    {"CR8 of 16", CR8, 16, 15, false, false},
    {"CR8 all ones", CR8, UINT64_MAX, 0, false, false},
    {"CR8 of 15", CR8, 15, 0, true, false},
    {"EFER without LME", EFER, 0, EFER_LME, false, false},
    {"EFER of 0", EFER, 0, UINT64_MAX, false, false},
    {"EFER all ones", EFER, UINT64_MAX, 0, false, false},
    {"EFER with SVME", EFER, EFER_SVME, 0, false, false},
    {"EFER bit 1", EFER, 2, 0, false, false},
    {"EFER bit 9", EFER, 1ull << 9, 0, false, false},
    {"EFER bit 63", EFER, 1ull << 63, 0, false, false},
    {"EFER with SCE", EFER, EFER_SCE, 0, true, false},
    {"EFER without LMA, which is not written", EFER, 0, EFER_LMA, true, false},
};

#define READ_CR(n)                                                                                           \
    static uint64_t read_cr##n(void)                                                                         \
    {                                                                                                        \
        uint64_t value;                                                                                      \
                                                                                                             \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value));                                                \
        return value;                                                                                        \
    }
READ_CR(0)
READ_CR(3)
READ_CR(4)
READ_CR(8)

static uint64_t read_efer(void)
{
    return rdmsr(MSR_EFER);
}

static bool write_efer(uint64_t value)
{
    return wrmsr_safe(MSR_EFER, value);
}

static const struct access {
    uint64_t (*read)(void);
    bool (*write)(uint64_t value);
} accesses[] = {[CR0] = {read_cr0, write_cr0_safe},
                [CR3] = {read_cr3, write_cr3_safe},
                [CR4] = {read_cr4, write_cr4_safe},
                [CR8] = {read_cr8, write_cr8_safe},
                [EFER] = {read_efer, write_efer}};

static void try_one(const struct attempt *a)
{
    const struct access *reg = &accesses[a->reg];
    uint64_t old = reg->read();
    bool taken = reg->write((old & ~a->clear) | a->set);
    uint64_t now = reg->read();

    if (taken) {
        (void)reg->write(old);
    }
    report(taken == a->taken && (taken || now == old), "%s is %s", a->what, a->taken ? "taken" : "refused");
}

static void try_xcr0(void)
{
    static const struct {
        uint32_t index;
        uint64_t value;
    } refused[] = {{0, 0}, {0, 2}, {0, 5}, {1, 1}, {0, 1ull << 63}, {0, UINT64_MAX}, {0xFFFFFFFF, 1}};

    if (!(cpuid(1, 0).ecx & ECX_XSAVE) || !write_cr4_safe(read_cr4() | CR4_OSXSAVE)) {
        return;
    }
    for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        report(!xsetbv_safe(refused[i].index, refused[i].value), "XCR%u of %lx is refused", refused[i].index,
               refused[i].value);
    }
    report(xsetbv_safe(0, 3), "XCR0 of 3 is taken");
}

static void try_msrs(void)
{
    report(!wrmsr_safe(MSR_PAT, 0x0202020202020202), "a PAT of type 2 is refused");
    report(!wrmsr_safe(MSR_PAT, 0x0000000000000008), "a PAT of type 8 is refused");
    report(!wrmsr_safe(MSR_APIC_BASE, UINT64_MAX), "an APIC base of all ones is refused");
    report(!wrmsr_safe(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & ~0x800ull) | 0x400),
           "x2APIC mode of an APIC that is off is refused");
}

int hostile_registers(const struct plan *plan)
{
    (void)plan;
    for (unsigned int i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (!attempts[i].intel || cpuid(0, 0).ebx == GENUINE_INTEL) {
            try_one(&attempts[i]);
        }
    }
    try_xcr0();
    try_msrs();
    return report_summary();
}
