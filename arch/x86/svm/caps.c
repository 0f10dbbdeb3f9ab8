#include "arch/x86/svm/caps.h"

#include "arch/x86/svm/codes.h"

#include "arch/x86/msr.h"
#include "arch/x86/svm/vmcb.h"
#include "vmm/host.h"
#include "vmm/string.h"

/* CPUID 80000001H */
#define EXT_ECX_SVM    (1u << 2)
#define EXT_EDX_RDTSCP (1u << 27)
/* CPUID 7 EBX */
#define LEAF7_EBX_INVPCID (1u << 10)
/* CPUID 80000008H EBX */
#define MORE_EBX_INVLPGB (1u << 3)
#define MORE_EBX_RDPRU   (1u << 4)
#define MORE_EBX_MCOMMIT (1u << 8)
/* CPUID 8000000AH EDX */
#define SVM_EDX_NP              (1u << 0)
#define SVM_EDX_LBR             (1u << 1)
#define SVM_EDX_NRIP_SAVE       (1u << 3)
#define SVM_EDX_TSC_RATIO       (1u << 4)
#define SVM_EDX_VMCB_CLEAN      (1u << 5)
#define SVM_EDX_FLUSH_BY_ASID   (1u << 6)
#define SVM_EDX_DECODE_ASSISTS  (1u << 7)
#define SVM_EDX_PAUSE_FILTER    (1u << 10)
#define SVM_EDX_PAUSE_THRESHOLD (1u << 12)

/* The counterpart of the VMX backend's controls: the same things exit, and what the virtual processor has not
 * got (SVM itself, MONITOR) raises #UD there. PUSHF, descriptor tables, SMI and task switches (VMX has no
 * choice) are the guest's, and PAUSE where the VM has one vCPU (vcpu.c). */
#define INTERCEPTS_0C                                                                                        \
    (INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_CR0_SELECTIVE | INTERCEPT_RDTSC |           \
     INTERCEPT_RDPMC | INTERCEPT_CPUID | INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA |                \
     INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_FERR_FREEZE | INTERCEPT_SHUTDOWN)
#define INTERCEPTS_10                                                                                        \
    (INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |            \
     INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_RDTSCP | INTERCEPT_WBINVD | INTERCEPT_MONITOR |           \
     INTERCEPT_MWAIT | INTERCEPT_XSETBV)

/* Intercepts of later instructions are only set where those exist: the bits are reserved elsewhere. */
static void resolve_intercepts(const struct svm_leaves *leaves, struct svm_caps *out)
{
    out->intercepts[0] = INTERCEPTS_0C;
    out->intercepts[1] = INTERCEPTS_10 | (leaves->more_ebx & MORE_EBX_RDPRU ? INTERCEPT_RDPRU : 0);
    if (leaves->more_ebx & MORE_EBX_INVLPGB)
        out->intercepts[2] |= INTERCEPT_INVLPGB | INTERCEPT_INVLPGB_ILLEGAL | INTERCEPT_TLBSYNC;
    if (leaves->leaf7_ebx & LEAF7_EBX_INVPCID)
        out->intercepts[2] |= INTERCEPT_INVPCID;
    if (leaves->more_ebx & MORE_EBX_MCOMMIT)
        out->intercepts[2] |= INTERCEPT_MCOMMIT;
}

/* NULL, or what stands in the way. */
static const char *obstacle(const struct svm_leaves *leaves)
{
    if (!(leaves->ext_ecx & EXT_ECX_SVM))
        return "no SVM (CPUID.80000001H:ECX bit 2; QEMU: -cpu qemu64,+svm,+npt)";
    if ((leaves->vm_cr & VM_CR_SVMDIS) && (leaves->vm_cr & VM_CR_LOCK))
        return "SVM present, but the firmware has locked it off (enable it in the set-up)";
    if (!(leaves->svm_edx & SVM_EDX_NP))
        return "SVM without nested paging (CPUID.8000000AH:EDX bit 0; QEMU: -cpu qemu64,+npt)";
    if (leaves->svm_ebx < 2)
        return "SVM without address space identifiers (CPUID.8000000AH:EBX)";
    return NULL;
}

bool svm_caps_resolve(const struct svm_leaves *leaves, struct svm_caps *out, char *why, size_t size)
{
    const char *what = obstacle(leaves);

    memset(out, 0, sizeof(*out)); /* padding too: processors are compared byte by byte */
    if (what) {
        host_snprintf(why, size, "%s", what);
        return false;
    }
    out->asids = leaves->svm_ebx;
    out->clean = leaves->svm_edx & SVM_EDX_VMCB_CLEAN ? CLEAN_ALL : 0;
    out->next_rip = (leaves->svm_edx & SVM_EDX_NRIP_SAVE) != 0;
    out->length_known = (uint8_t)(X_NEXT_INFO2 | (out->next_rip ? X_INSN : 0));
    out->decode_assists = (leaves->svm_edx & SVM_EDX_DECODE_ASSISTS) != 0;
    out->flush_by_asid = (leaves->svm_edx & SVM_EDX_FLUSH_BY_ASID) != 0;
    out->lbr = (leaves->svm_edx & SVM_EDX_LBR) != 0;
    out->tsc_ratio = (leaves->svm_edx & SVM_EDX_TSC_RATIO) != 0;
    out->rdtscp = (leaves->ext_edx & EXT_EDX_RDTSCP) != 0;
    out->checks_addresses = !leaves->tcg; /* QEMU 7.2 takes any value */
    out->pause_filter = (leaves->svm_edx & SVM_EDX_PAUSE_FILTER) != 0;
    out->pause_threshold = out->pause_filter && (leaves->svm_edx & SVM_EDX_PAUSE_THRESHOLD);
    resolve_intercepts(leaves, out);
    return true;
}

bool svm_caps_same(const struct svm_caps *a, const struct svm_caps *b)
{
    return a->asids == b->asids && a->clean == b->clean && a->intercepts[0] == b->intercepts[0] &&
           a->intercepts[1] == b->intercepts[1] && a->intercepts[2] == b->intercepts[2] &&
           a->next_rip == b->next_rip && a->length_known == b->length_known &&
           a->decode_assists == b->decode_assists && a->flush_by_asid == b->flush_by_asid &&
           a->lbr == b->lbr && a->rdtscp == b->rdtscp && a->checks_addresses == b->checks_addresses &&
           a->pause_filter == b->pause_filter && a->pause_threshold == b->pause_threshold &&
           a->tsc_ratio == b->tsc_ratio;
}
