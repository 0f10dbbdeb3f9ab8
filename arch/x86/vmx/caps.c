#include "arch/x86/vmx/caps.h"

#include "arch/x86/msr.h"
#include "arch/x86/vmx/controls.h"
#include "vmm/host.h"
#include "vmm/string.h"

struct bit_name {
    uint32_t bit;
    const char *name;
};

/* One control word: what must be there, what is taken where it is. */
struct word {
    const char *name;
    uint32_t required;
    uint32_t wanted;
    const struct bit_name *names; /* of the required bits, the most telling first; ends with bit 0 */
};

/* Without EPT nothing else matters to a person who reads the refusal, so it is first. */
static const struct word proc2_word = {
    .name = "secondary",
    .required = PROC2_EPT | PROC2_UNRESTRICTED | PROC2_WBINVD,
    /* Not INVPCID: it is #UD without its control, as on a processor that has not got it. */
    .wanted = PROC2_RDTSCP | PROC2_VPID | PROC2_ENCLS | PROC2_TSC_SCALING,
    .names = (const struct bit_name[]){{PROC2_EPT, "EPT"},
                                       {PROC2_UNRESTRICTED, "unrestricted guest"},
                                       {PROC2_WBINVD, "WBINVD exiting"},
                                       {0, NULL}},
};

static const struct word proc_word = {
    .name = "primary",
    .required = PROC_TSC_OFFSETING | PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_RDTSC | PROC_CR8_LOAD |
                PROC_CR8_STORE | PROC_IRQ_WINDOW | PROC_NMI_WINDOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS |
                PROC_MONITOR | PROC_SECONDARY,
    .names = (const struct bit_name[]){{PROC_SECONDARY, "secondary controls"},
                                       {PROC_TSC_OFFSETING, "TSC offsetting"},
                                       {PROC_IRQ_WINDOW, "interrupt-window exiting"},
                                       {PROC_NMI_WINDOW, "NMI-window exiting"},
                                       {PROC_HLT, "HLT exiting"},
                                       {PROC_MWAIT, "MWAIT exiting"},
                                       {PROC_MONITOR, "MONITOR exiting"},
                                       {PROC_RDPMC, "RDPMC exiting"},
                                       {PROC_RDTSC, "RDTSC exiting"},
                                       {PROC_CR8_LOAD, "CR8-load exiting"},
                                       {PROC_CR8_STORE, "CR8-store exiting"},
                                       {PROC_IO_BITMAPS, "I/O bitmaps"},
                                       {PROC_MSR_BITMAPS, "MSR bitmaps"},
                                       {0, NULL}},
};

/* The preemption timer is only wanted: on hardware the LAPIC's interrupt takes any guest out. */
static const struct word pin_word = {
    .name = "pin-based",
    .required = PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS,
    .wanted = PIN_PREEMPTION_TIMER,
    .names = (const struct bit_name[]){{PIN_EXTERNAL_INTERRUPT, "external-interrupt exiting"},
                                       {PIN_NMI, "NMI exiting"},
                                       {PIN_VIRTUAL_NMIS, "virtual NMIs"},
                                       {0, NULL}},
};

static const struct word exit_word = {
    .name = "VM-exit",
    .required = EXIT_CTL_SAVE_DEBUG | EXIT_CTL_HOST_64 | EXIT_CTL_SAVE_PAT | EXIT_CTL_LOAD_PAT |
                EXIT_CTL_SAVE_EFER | EXIT_CTL_LOAD_EFER,
    .names = (const struct bit_name[]){{EXIT_CTL_HOST_64, "64-bit host"},
                                       {EXIT_CTL_SAVE_EFER, "save IA32_EFER"},
                                       {EXIT_CTL_LOAD_EFER, "load IA32_EFER"},
                                       {EXIT_CTL_SAVE_PAT, "save IA32_PAT"},
                                       {EXIT_CTL_LOAD_PAT, "load IA32_PAT"},
                                       {EXIT_CTL_SAVE_DEBUG, "save debug controls"},
                                       {0, NULL}},
};

/* ENTRY_CTL_IA32E is set and cleared with the guest's EFER.LMA (regs.c). */
static const struct word entry_word = {
    .name = "VM-entry",
    .required = ENTRY_CTL_LOAD_DEBUG | ENTRY_CTL_LOAD_PAT | ENTRY_CTL_LOAD_EFER,
    .names = (const struct bit_name[]){{ENTRY_CTL_LOAD_EFER, "load IA32_EFER"},
                                       {ENTRY_CTL_LOAD_PAT, "load IA32_PAT"},
                                       {ENTRY_CTL_LOAD_DEBUG, "load debug controls"},
                                       {0, NULL}},
};

static void refuse_bit(const struct word *w, uint32_t missing, char *why, size_t size)
{
    const struct bit_name *n = w->names;
    while (n->bit && !(missing & n->bit))
        n++;
    host_snprintf(why, size, "VMX present, but no %s (%s control bit %d)", n->bit ? n->name : w->name,
                  w->name, __builtin_ctz(n->bit ? n->bit : missing));
}

/* The one way to a control word: bits 31:0 of the MSR must be set, bits 63:32 may be (SDM vol. 3, A.3). */
static bool resolve_word(const struct word *w, uint64_t msr, uint32_t *out, char *why, size_t size)
{
    const uint32_t must = (uint32_t)msr;
    const uint32_t may = (uint32_t)(msr >> 32);
    const uint32_t missing = w->required & ~may;
    if (missing) {
        refuse_bit(w, missing, why, size);
        return false;
    }
    *out = must | w->required | (w->wanted & may);
    return true;
}

static bool resolve_ept(uint64_t cap, struct vmx_caps *out, char *why, size_t size)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } needed[] = {
        {EPT_CAP_WALK_4, "EPT with four levels"},
        {EPT_CAP_WB, "write-back EPT structures"},
        {EPT_CAP_INVEPT, "INVEPT"},
    };
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!(cap & needed[i].bit)) {
            host_snprintf(why, size, "VMX present, but no %s (IA32_VMX_EPT_VPID_CAP bit %d)", needed[i].name,
                          __builtin_ctzll(needed[i].bit));
            return false;
        }
    }
    out->ept_flags = 6u | 3u << 3; /* table 25-9: WB, four levels */
    out->ept_2m = (cap & EPT_CAP_2M) != 0;
    out->invept_type = cap & EPT_CAP_INVEPT_SINGLE ? 1 : 2;
    return true;
}

/* Tags are worth having only where one of them can be flushed without stopping the rest of the world. */
static void resolve_vpid(uint64_t cap, struct vmx_caps *out)
{
    out->invvpid_type = cap & VPID_CAP_INVVPID_SINGLE ? 1 : 2;
    if (!(cap & VPID_CAP_INVVPID) || !(cap & (VPID_CAP_INVVPID_SINGLE | VPID_CAP_INVVPID_ALL)))
        out->proc2 &= ~PROC2_VPID;
}

/* SDM vol. 3, 24.7: VMXON faults where the firmware has locked the register without it. */
static bool locked_off(uint64_t control, char *why, size_t size)
{
    if (!(control & FEATURE_CONTROL_LOCK) || (control & FEATURE_CONTROL_VMX_OUTSIDE_SMX))
        return false;
    host_snprintf(why, size, "VMX present, but the firmware has locked it off (enable it in the set-up)");
    return true;
}

bool vmx_caps_resolve(const struct vmx_msrs *msrs, struct vmx_caps *out, char *why, size_t size)
{
    memset(out, 0, sizeof(*out)); /* padding too: processors are compared byte by byte */
    if (locked_off(msrs->feature_control, why, size))
        return false;
    if (!resolve_word(&proc2_word, msrs->proc2, &out->proc2, why, size) ||
        !resolve_word(&proc_word, msrs->proc, &out->proc, why, size) ||
        !resolve_word(&pin_word, msrs->pin, &out->pin, why, size) ||
        !resolve_word(&exit_word, msrs->exit, &out->exit, why, size) ||
        !resolve_word(&entry_word, msrs->entry, &out->entry, why, size) ||
        !resolve_ept(msrs->ept_vpid, out, why, size))
        return false;
    resolve_vpid(msrs->ept_vpid, out);
    /* Windows are opened when there is something to wait for, RDTSC exits when set_tsc says so. */
    out->proc &= ~(PROC_IRQ_WINDOW | PROC_NMI_WINDOW | PROC_RDTSC) | (uint32_t)msrs->proc;
    if (msrs->proc2 >> 32 & PROC2_PAUSE_LOOP)
        out->pause_proc2 = PROC2_PAUSE_LOOP;
    else
        out->pause_proc = (uint32_t)(msrs->proc >> 32) & PROC_PAUSE;
    out->revision = (uint32_t)(msrs->basic & VMX_BASIC_REVISION);
    out->timer_rate = (uint8_t)(msrs->misc & VMX_MISC_PREEMPTION_RATE);
    out->cr0_fixed0 = msrs->cr0_fixed0;
    out->cr0_fixed1 = msrs->cr0_fixed1;
    out->cr4_fixed0 = msrs->cr4_fixed0;
    out->cr4_fixed1 = msrs->cr4_fixed1;
    return true;
}

uint32_t vmx_timer_value(uint64_t now, uint64_t deadline, unsigned int rate)
{
    if (deadline <= now)
        return 0;
    /* Count k comes when TSC >> rate has grown by k; rounding the deadline itself up, not the distance, makes
     * it the first count that is not early. */
    const uint64_t partial = deadline & ((1ull << rate) - 1);
    const uint64_t counts = (deadline >> rate) + (partial != 0) - (now >> rate);
    return counts > UINT32_MAX ? UINT32_MAX : (uint32_t)counts;
}

bool vmx_caps_same(const struct vmx_caps *a, const struct vmx_caps *b)
{
    return a->revision == b->revision && a->pin == b->pin && a->proc == b->proc && a->proc2 == b->proc2 &&
           a->pause_proc == b->pause_proc && a->pause_proc2 == b->pause_proc2 && a->exit == b->exit &&
           a->entry == b->entry && a->cr0_fixed0 == b->cr0_fixed0 && a->cr0_fixed1 == b->cr0_fixed1 &&
           a->cr4_fixed0 == b->cr4_fixed0 && a->cr4_fixed1 == b->cr4_fixed1 && a->ept_flags == b->ept_flags &&
           a->invept_type == b->invept_type && a->invvpid_type == b->invvpid_type &&
           a->timer_rate == b->timer_rate && a->ept_2m == b->ept_2m;
}
