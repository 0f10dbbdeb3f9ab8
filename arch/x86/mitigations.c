#include "arch/x86/mitigations.h"

#include "vmm/host.h"
#include "vmm/string.h"

/* CPUID 7 */
#define EBX_RTM       (1u << 11)
#define EDX_MD_CLEAR  (1u << 10)
#define EDX_IBRS_IBPB (1u << 26)
#define EDX_L1D_FLUSH (1u << 28)
/* IA32_ARCH_CAPABILITIES */
#define CAP_RDCL_NO    (1ull << 0)
#define CAP_IBRS_ALL   (1ull << 1)
#define CAP_SKIP_L1DFL (1ull << 3)
#define CAP_MDS_NO     (1ull << 5)
#define CAP_TAA_NO     (1ull << 8)
#define CAP_FBSDP_NO   (1ull << 14)
#define CAP_FB_CLEAR   (1ull << 17)
#define CAP_RFDS_CLEAR (1ull << 28)
/* CPUID 80000008H EBX */
#define EXT8_IBPB (1u << 12)
#define EXT8_IBRS (1u << 14)
/* CPUID 80000021H EAX */
#define EXT21_AUTO_IBRS (1u << 8)

/* Microarchitectural data sampling and its like: what VERW clears where MD_CLEAR is (Intel, "Deep dive:
 * MDS"). */
static bool leaks_buffers(const struct mitigation_leaves *cpu)
{
    const uint64_t cap = cpu->arch_capabilities;

    return cpu->intel && (!(cap & CAP_MDS_NO) || ((cpu->leaf7_ebx & EBX_RTM) && !(cap & CAP_TAA_NO)) ||
                          ((cap & CAP_FB_CLEAR) && !(cap & CAP_FBSDP_NO)) || (cap & CAP_RFDS_CLEAR));
}

/* The L1 terminal fault: a guest's own not-present entry reads what the first cache holds (Intel, "Deep dive:
 * L1TF"). */
static bool leaks_l1(const struct mitigation_leaves *cpu)
{
    return cpu->intel && !(cpu->arch_capabilities & (CAP_RDCL_NO | CAP_SKIP_L1DFL));
}

static void choose_branches(const struct mitigation_leaves *cpu, struct mitigations *out)
{
    const bool ibrs = cpu->intel ? cpu->leaf7_edx & EDX_IBRS_IBPB : cpu->ext8_ebx & EXT8_IBRS;

    out->ibpb = cpu->intel ? cpu->leaf7_edx & EDX_IBRS_IBPB : cpu->ext8_ebx & EXT8_IBPB;
    out->rsb = out->ibpb;
    out->auto_ibrs = !cpu->intel && (cpu->ext21_eax & EXT21_AUTO_IBRS);
    out->ibrs_once = cpu->intel && ibrs && (cpu->arch_capabilities & CAP_IBRS_ALL);
    out->ibrs_exit = ibrs && !out->ibrs_once && !out->auto_ibrs;
    out->lacks_ibpb = cpu->intel && !out->ibpb;
}

void mitigations_choose(const struct mitigation_leaves *cpu, enum mitigation_setting setting,
                        struct mitigations *out)
{
    const bool all = setting == MITIGATIONS_ALL;
    const bool has_flush = cpu->leaf7_edx & EDX_L1D_FLUSH, has_clear = cpu->leaf7_edx & EDX_MD_CLEAR;

    *out = (struct mitigations){0};
    if (setting == MITIGATIONS_OFF)
        return;
    choose_branches(cpu, out);
    out->rsb = out->rsb || all;
    out->l1d = has_flush && (all || leaks_l1(cpu));
    out->verw =
        all || (has_clear && leaks_buffers(cpu)); /* without MD_CLEAR it does nothing, and harms nothing */
    out->lacks_l1d = leaks_l1(cpu) && !has_flush;
    out->lacks_verw = leaks_buffers(cpu) && !has_clear;
}

struct word {
    bool on;
    const char *name;
};

/* The names of those that are on, with commas; `none` if there are none. */
static void list(const struct word *words, size_t n, const char *none, char *text, size_t size)
{
    size_t at = 0;

    host_snprintf(text, size, "%s", none);
    for (size_t i = 0; i < n; i++) {
        if (!words[i].on)
            continue;
        host_snprintf(text + at, size - at, "%s%s", at ? ", " : "", words[i].name);
        at += strlen(text + at);
    }
}

void mitigations_describe(const struct mitigations *m, char *text, size_t size)
{
    const struct word done[] = {{m->ibpb, "IBPB"},
                                {m->rsb, "RSB filling"},
                                {m->ibrs_once, "enhanced IBRS"},
                                {m->auto_ibrs, "automatic IBRS"},
                                {m->ibrs_exit, "IBRS"},
                                {m->l1d, "L1D flush"},
                                {m->verw, "VERW"}};
    const struct word lacking[] = {
        {m->lacks_ibpb, "IBPB"}, {m->lacks_l1d, "L1D flush"}, {m->lacks_verw, "VERW"}};
    char on[96], off[48];

    list(done, sizeof done / sizeof done[0], "none", on, sizeof on);
    list(lacking, sizeof lacking / sizeof lacking[0], "", off, sizeof off);
    host_snprintf(text, size, off[0] ? "%s (not in this microcode: %s)" : "%s", on, off);
}
