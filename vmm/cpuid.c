#include "vmm/cpuid.h"

#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* What is hidden, and why: VMX, SVM (no nesting); MONITOR (MWAIT would hold the processor); PCID and
 * INVPCID (not there yet); performance counters, debug store, tracing (leaves 0Ah,
 * 14h: host state); power and thermal leaves; the host's 15H and 16H (an emulator's name a frequency that is
 * not the real one: ours tell the measured one); SGX, TSX, memory protection keys, CET, speculation control,
 * RDPID (state or MSRs that nothing switches); states beyond AVX in XCR0, and XSAVES. SDM vol. 2, CPUID; APM
 * vol. 3, appendix E. */

#define LEAF_TSC          0x15u
#define LEAF_FREQUENCY    0x16u
#define LEAF_HYPERVISOR   0x40000000u
#define LEAF_KVM          0x40000001u
#define LEAF_TIMING       0x40000010u
#define LEAF_OWN          0x40000100u /* guests look at each 100h up to 40010000h */
#define LEAF_EXTENDED     0x80000000u
#define MAX_BASIC         0x0du
#define MAX_BASIC_INTEL   0x16u
#define MAX_BASIC_LIMITED 0x2u /* IA32_MISC_ENABLE bit 22, SDM vol. 4, table 2-2 */
#define MAX_EXTENDED      0x80000008u
#define ANY_SUB           UINT32_MAX
#define ALL               UINT32_MAX

#define XCR0_OFFERED 7u /* x87, SSE, AVX */

#define LEAF1_HYPERVISOR     (1u << 31)
#define LEAF1_X2APIC         (1u << 21)
#define LEAF1_TSC_DEADLINE   (1u << 24)
#define LEAF1_OSXSAVE        (1u << 27)
#define LEAF1_HTT            (1u << 28)
#define LEAF6_ARAT           (1u << 2)
#define LEAF7_TSC_ADJUST     (1u << 1)
#define LEAF87_INVARIANT_TSC (1u << 8)

/* SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define LEAF1_ECX 0x76d83203u
/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define LEAF1_EDX 0x078bfbffu
/* FSGSBASE BMI1 AVX2 FDP_EXCPTN SMEP BMI2 ERMS FPU_CS_DS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
#define LEAF7_EBX 0x219c23e9u
/* UMIP GFNI VAES VPCLMULQDQ */
#define LEAF7_ECX 0x00000704u
/* FSRM MD_CLEAR */
#define LEAF7_EDX 0x00000410u
/* LAHF ABM SSE4A MISALIGN PREFETCHW; CMP_LEGACY where there are several (AMD): they are cores, not threads */
#define LEAF81_ECX 0x000001e1u
/* As leaf 1, and SYSCALL NX MMXEXT PDPE1GB RDTSCP LM 3DNOWEXT 3DNOW */
#define LEAF81_EDX        0xedd3fbffu
#define LEAF81_CMP_LEGACY (1u << 1)
/* XSAVEOPT, XGETBV with ECX=1 */
#define LEAF_D1_EAX 0x00000005u

/* Leaf 40000001h. The old and the new numbers of the clock's registers; no delay is needed between accesses
 * to a port; one line for all processors (vmm/pvclock.h). */
#define KVM_CLOCKSOURCE        (1u << 0)
#define KVM_NOP_IO_DELAY       (1u << 1)
#define KVM_CLOCKSOURCE2       (1u << 3)
#define KVM_CLOCKSOURCE_STABLE (1u << 24)

#define OWN_SIGNATURE "EscapementVM"

struct rule {
    uint32_t leaf, sub;
    uint32_t mask[4]; /* of the host's answer */
    void (*adjust)(struct vcpu *vcpu, uint32_t sub, uint32_t out[4]);
    bool varies; /* with the vCPU's state */
};

/* log2, rounded up, of the number of virtual processors: the width of the APIC id. */
static unsigned int id_bits(const struct vm *vm)
{
    unsigned int bits = 0;
    while (1u << bits < vm->nvcpus)
        bits++;
    return bits;
}

/* Only Intel defines leaves 15H and 16H. Every Intel processor of ours has them, whatever the host. */
static bool is_intel(const uint32_t leaf0[4])
{
    return memcmp(&leaf0[CPUID_EBX], "GenuntelineI", 12) == 0;
}

static bool is_intel_host(void)
{
    uint32_t out[4];

    host_cpuid(0, 0, out);
    return is_intel(out);
}

static void max_basic(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)sub;
    if (is_intel(out))
        out[CPUID_EAX] = MAX_BASIC_INTEL;
    else if (out[CPUID_EAX] > MAX_BASIC)
        out[CPUID_EAX] = MAX_BASIC;
    if (vcpu->msr.misc_enable & MISC_ENABLE_CPUID_LIMIT)
        out[CPUID_EAX] = MAX_BASIC_LIMITED;
}

/* 15H: TSC Hz = crystal Hz * EBX / EAX. A guest that believes it need not calibrate its clocks against each
 * other, which fails on a busy machine for want of enough reads within a few milliseconds. */
static void tsc_leaf(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    uint64_t hz = vtime_hz(&vcpu->vm->time), crystal = lapic_timer_hz(hz);

    (void)sub;
    out[CPUID_EAX] = 1;
    out[CPUID_EBX] = crystal == hz ? 1 : 2;
    out[CPUID_ECX] = (uint32_t)crystal;
}

/* 16H: base and maximum frequency of the processor and that of its bus, in MHz. */
static void frequency_leaf(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    uint32_t mhz = (uint32_t)(vtime_hz(&vcpu->vm->time) / 1000000);

    (void)sub;
    out[CPUID_EAX] = mhz;
    out[CPUID_EBX] = mhz;
    out[CPUID_ECX] = (uint32_t)(lapic_timer_hz(vtime_hz(&vcpu->vm->time)) / 1000000);
}

static void max_extended(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)vcpu;
    (void)sub;
    if (out[CPUID_EAX] > MAX_EXTENDED)
        out[CPUID_EAX] = MAX_EXTENDED;
}

/* Bits that follow the vCPU's state: OSXSAVE mirrors CR4, APIC the global enable in IA32_APIC_BASE (SDM vol.
 * 3, 10.4.3). EBX: CLFLUSH line size stays, then the number of APIC ids and this processor's own. */
static void features(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    const struct vm *vm = vcpu->vm;

    (void)sub;
    out[CPUID_EBX] = (out[CPUID_EBX] & 0xff00) | (1u << id_bits(vm)) << 16 | vcpu->id << 24;
    out[CPUID_ECX] |= LEAF1_HYPERVISOR;
    if (vcpu->lapic.tsc_deadline) /* emulated, so it is there whatever the host has */
        out[CPUID_ECX] |= LEAF1_TSC_DEADLINE;
    if (vcpu->lapic.x2apic) /* so is this */
        out[CPUID_ECX] |= LEAF1_X2APIC;
    if ((out[CPUID_ECX] & CPUID_1_ECX_XSAVE) && (hv->get_reg(vcpu, REG_CR4) & CR4_OSXSAVE))
        out[CPUID_ECX] |= LEAF1_OSXSAVE;
    if (vm->nvcpus > 1)
        out[CPUID_EDX] |= LEAF1_HTT;
    if (!lapic_hw_enabled(&vcpu->lapic))
        out[CPUID_EDX] &= ~CPUID_1_EDX_APIC;
}

static void extended_features(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)sub;
    if (vcpu->vm->nvcpus > 1 && !is_intel_host())
        out[CPUID_ECX] |= LEAF81_CMP_LEGACY;
    if (!lapic_hw_enabled(&vcpu->lapic))
        out[CPUID_EDX] &= ~CPUID_1_EDX_APIC; /* AMD repeats leaf 1's bits here; zero on Intel anyway */
    if (vcpu->msr.misc_enable & MISC_ENABLE_NO_XD)
        out[CPUID_EDX] &= ~CPUID_81_EDX_NX;
}

/* EAX: bits 25:14 ids that share this cache less one, 31:26 core ids of the package less one. One thread a
 * core: only the caches from the third level up are shared. */
static void caches(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    uint32_t ids = (1u << id_bits(vcpu->vm)) - 1, level = out[CPUID_EAX] >> 5 & 7;

    (void)sub;
    if ((out[CPUID_EAX] & 0x1f) == 0)
        return;
    out[CPUID_EAX] = (out[CPUID_EAX] & 0x3fff) | (level >= 3 ? ids << 14 : 0) | ids << 26;
}

/* The LAPIC timer never stops here: it lives in apparent time. */
static void power(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)vcpu;
    (void)sub;
    out[CPUID_EAX] = LEAF6_ARAT;
}

/* IA32_TSC_ADJUST is emulated whatever the host has. */
static void features_7(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)vcpu;
    (void)sub;
    out[CPUID_EAX] = 0; /* no further subleaf */
    out[CPUID_EBX] |= LEAF7_TSC_ADJUST;
}

/* Extended topology: level 0 threads (one a core), level 1 cores. */
static void topology(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    out[CPUID_EAX] = sub == 1 ? id_bits(vcpu->vm) : 0;
    out[CPUID_EBX] = sub == 0 ? 1 : sub == 1 ? vcpu->vm->nvcpus : 0;
    out[CPUID_ECX] = (sub & 0xff) | (sub == 0 ? 1u << 8 : sub == 1 ? 2u << 8 : 0);
    out[CPUID_EDX] = vcpu->id;
}

/* Bytes of the standard XSAVE area for these components: the legacy part and header, and the end of the last.
 */
static uint32_t xsave_size(uint64_t components)
{
    uint32_t size = 576;

    for (uint32_t i = 2; i < 63; i++) {
        uint32_t leaf[4];
        if (!(components >> i & 1))
            continue;
        host_cpuid(0xd, i, leaf);
        if (leaf[CPUID_EAX] + leaf[CPUID_EBX] > size)
            size = leaf[CPUID_EAX] + leaf[CPUID_EBX];
    }
    return size;
}

static void xsave_main(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    uint64_t offered = cpuid_xcr0_mask();

    (void)sub;
    if (!offered)
        return;
    out[CPUID_EAX] = (uint32_t)offered;
    out[CPUID_EBX] = xsave_size(hv->get_reg(vcpu, REG_XCR0));
    out[CPUID_ECX] = xsave_size(offered);
    out[CPUID_EDX] = (uint32_t)(offered >> 32);
}

static void xsave_component(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)vcpu;
    if (sub >= 64 || !(cpuid_xcr0_mask() >> sub & 1))
        memset(out, 0, 4 * sizeof(out[0]));
}

static void signature(uint32_t out[4], uint32_t last_leaf, const char *name)
{
    out[CPUID_EAX] = last_leaf;
    memcpy(&out[CPUID_EBX], name, 12);
}

/* With its clock the VM is KVM's to a guest; what we are then stands at LEAF_OWN. Of the leaves up to the
 * last, those between are zeros, as they are where KVM has the timing leaf. */
static void hypervisor(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)sub;
    if (pvclock_offered(vcpu->vm))
        signature(out, LEAF_TIMING, "KVMKVMKVM\0\0");
    else
        signature(out, LEAF_TIMING, OWN_SIGNATURE);
}

/* Linux, Documentation/virt/kvm/x86/cpuid.rst: what is there, no more. */
static void kvm_features(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)sub;
    if (pvclock_offered(vcpu->vm))
        out[CPUID_EAX] = KVM_CLOCKSOURCE | KVM_NOP_IO_DELAY | KVM_CLOCKSOURCE2 | KVM_CLOCKSOURCE_STABLE;
}

/* What hypervisors have agreed on: kHz of the TSC and of the LAPIC timer. To guests that do not know KVM's
 * clock it is on AMD what leaf 15H is on Intel. */
static void timing(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    uint64_t hz = vtime_hz(&vcpu->vm->time);

    (void)sub;
    out[CPUID_EAX] = (uint32_t)(hz / 1000);
    out[CPUID_EBX] = (uint32_t)(lapic_timer_hz(hz) / 1000);
}

static void own_signature(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)sub;
    if (pvclock_offered(vcpu->vm))
        signature(out, LEAF_OWN, OWN_SIGNATURE);
}

/* Apparent time has one frequency for ever. */
static void advanced_power(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)vcpu;
    (void)sub;
    out[CPUID_EDX] = LEAF87_INVARIANT_TSC;
}

/* EAX: address widths. ECX (AMD's): number of processors less one, and the width of their ids. Leaves
 * 8000001Dh and 1Eh are not there: TOPOEXT, which announces them, is hidden, and this one says all that they
 * would. */
static void addresses(struct vcpu *vcpu, uint32_t sub, uint32_t out[4])
{
    (void)sub;
    if (!is_intel_host())
        out[CPUID_ECX] = (vcpu->vm->nvcpus - 1) | id_bits(vcpu->vm) << 12;
}

/* Leaves that are not here read as zeros. */
static const struct rule rules[] = {
    {0x0, ANY_SUB, {ALL, ALL, ALL, ALL}, max_basic, false},
    {0x1, ANY_SUB, {ALL, ALL, LEAF1_ECX, LEAF1_EDX}, features, true},
    {0x2, ANY_SUB, {ALL, ALL, ALL, ALL}, NULL, false},
    {0x4, ANY_SUB, {ALL, ALL, ALL, ALL}, caches, false},
    {0x6, ANY_SUB, {0, 0, 0, 0}, power, false},
    {0x7, 0, {0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX}, features_7, false},
    {0xb, ANY_SUB, {0, 0, 0, 0}, topology, false},
    {0xd, 0, {0, 0, 0, 0}, xsave_main, true},
    {0xd, 1, {LEAF_D1_EAX, 0, 0, 0}, NULL, false},
    {0xd, ANY_SUB, {ALL, ALL, ALL, 0}, xsave_component, false},
    {LEAF_TSC, ANY_SUB, {0, 0, 0, 0}, tsc_leaf, false},
    {LEAF_FREQUENCY, ANY_SUB, {0, 0, 0, 0}, frequency_leaf, false},
    {LEAF_HYPERVISOR, ANY_SUB, {0, 0, 0, 0}, hypervisor, false},
    {LEAF_KVM, ANY_SUB, {0, 0, 0, 0}, kvm_features, false},
    {LEAF_TIMING, ANY_SUB, {0, 0, 0, 0}, timing, false},
    {LEAF_OWN, ANY_SUB, {0, 0, 0, 0}, own_signature, false},
    {LEAF_EXTENDED, ANY_SUB, {ALL, ALL, ALL, ALL}, max_extended, false},
    {0x80000001, ANY_SUB, {ALL, 0, LEAF81_ECX, LEAF81_EDX}, extended_features, true},
    {0x80000002, ANY_SUB, {ALL, ALL, ALL, ALL}, NULL, false},
    {0x80000003, ANY_SUB, {ALL, ALL, ALL, ALL}, NULL, false},
    {0x80000004, ANY_SUB, {ALL, ALL, ALL, ALL}, NULL, false},
    {0x80000005, ANY_SUB, {ALL, ALL, ALL, ALL}, NULL, false},
    {0x80000006, ANY_SUB, {ALL, ALL, ALL, ALL}, NULL, false},
    {0x80000007, ANY_SUB, {0, 0, 0, 0}, advanced_power, false},
    {0x80000008, ANY_SUB, {0xffff, 0, 0, 0}, addresses, false},
};

static const struct rule *find_rule(uint32_t leaf, uint32_t sub)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].leaf == leaf && (rules[i].sub == sub || rules[i].sub == ANY_SUB))
            return &rules[i];
    return NULL;
}

/* The host's leaf, zeros beyond its maximum (where Intel would repeat another leaf). */
static void host_leaf(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    host_cpuid(leaf & LEAF_EXTENDED, 0, out);
    if (leaf > out[CPUID_EAX])
        memset(out, 0, 4 * sizeof(out[0]));
    else
        host_cpuid(leaf, sub, out);
}

static void masked_leaf(const struct rule *rule, uint32_t sub, uint32_t out[4])
{
    host_leaf(rule->leaf, sub, out);
    for (unsigned int i = 0; i < 4; i++)
        out[i] &= rule->mask[i];
}

/* Our own leaves answer whatever the host's maximum; the others only up to it. */
static bool beyond_host(uint32_t leaf)
{
    uint32_t max[4];

    if (leaf >= LEAF_HYPERVISOR && leaf < LEAF_EXTENDED)
        return false;
    host_cpuid(leaf & LEAF_EXTENDED, 0, max);
    if (leaf == LEAF_TSC || leaf == LEAF_FREQUENCY)
        return !is_intel_host();
    return leaf > max[CPUID_EAX];
}

void cpuid_read(struct vcpu *vcpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct rule *rule = find_rule(leaf, sub);

    memset(out, 0, 4 * sizeof(out[0]));
    if (!rule || beyond_host(leaf))
        return;
    masked_leaf(rule, sub, out);
    if (rule->adjust)
        rule->adjust(vcpu, sub, out);
}

void cpuid_find_out(struct vcpu *vcpu, struct cpuid_answer *a, uint32_t leaf, uint32_t sub)
{
    const struct rule *rule = find_rule(leaf, sub);

    a->leaf = leaf;
    a->sub = sub;
    a->known = !rule || !rule->varies;
    cpuid_read(vcpu, leaf, sub, a->out);
}

void cpuid_forget(struct vcpu *vcpu)
{
    memset(vcpu->cpuid, 0, sizeof(vcpu->cpuid));
}

bool cpuid_has(uint32_t leaf, enum cpuid_reg reg, uint32_t mask)
{
    const struct rule *rule = find_rule(leaf, 0);
    uint32_t out[4];

    if (!rule)
        return false;
    masked_leaf(rule, 0, out);
    return (out[reg] & mask) == mask;
}

uint64_t cpuid_xcr0_mask(void)
{
    uint32_t out[4];

    if (!cpuid_has(1, CPUID_ECX, CPUID_1_ECX_XSAVE))
        return 0;
    host_leaf(0xd, 0, out);
    return out[CPUID_EAX] & XCR0_OFFERED;
}

unsigned int cpuid_phys_bits(void)
{
    uint32_t out[4];

    host_leaf(0x80000008, 0, out);
    unsigned int bits = out[CPUID_EAX] & 0xff;
    return bits >= 32 && bits <= 52 ? bits : 36; /* 36: processors without the leaf (vol. 3, 4.1.4) */
}
