/* Is SVM there, may it be used, and can it do what is needed; and switching it on. */
#include "arch/x86/cpu.h"
#include "arch/x86/fpu.h"
#include "arch/x86/machine.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/svm/svm.h"
#include "vmm/host.h"

#define PAGE 4096u

#define LEAF_EXTENDED 0x80000000u
#define LEAF_FEATURES 0x80000001u
#define LEAF_MORE     0x80000008u
#define LEAF_SVM      0x8000000au

struct svm_caps svm_caps;

static struct svm_cpu cpus[MAX_CPUS];

/* The SVM leaf and VM_CR exist only where CPUID has SVM (APM vol. 2, 15.4). */
static void read_leaves(struct svm_leaves *l)
{
    const uint32_t last = cpuid(LEAF_EXTENDED, 0).eax;
    *l = (struct svm_leaves){0};
    if (last < LEAF_SVM)
        return;
    l->ext_ecx = cpuid(LEAF_FEATURES, 0).ecx;
    l->ext_edx = cpuid(LEAF_FEATURES, 0).edx;
    l->leaf7_ebx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).ebx : 0;
    l->more_ebx = cpuid(LEAF_MORE, 0).ebx;
    if (!(l->ext_ecx & CPUID_EXT_ECX_SVM))
        return;
    l->svm_ebx = cpuid(LEAF_SVM, 0).ebx;
    l->svm_edx = cpuid(LEAF_SVM, 0).edx;
    l->vm_cr = rdmsr(MSR_VM_CR);
    l->tcg = machine_hypervisor_is("TCGTCGTCGTCG");
}

static bool read_caps(struct svm_caps *caps, char *why, size_t size)
{
    struct svm_leaves leaves;
    read_leaves(&leaves);
    return svm_caps_resolve(&leaves, caps, why, size);
}

bool svm_probe(char *why, size_t size)
{
    return read_caps(&svm_caps, why, size);
}

static bool start(struct svm_cpu *cpu, char *why, size_t size)
{
    if (!cpu->host_save)
        cpu->host_save = host_alloc_pages(1, PAGE);
    if (!cpu->host_state)
        cpu->host_state = host_alloc_pages(1, PAGE);
    if (!cpu->host_save || !cpu->host_state || !svm_make_iopm()) {
        host_snprintf(why, size, "no memory for the host's save areas");
        return false;
    }
    cpu->host_state_phys = host_phys(cpu->host_state);
    const uint64_t vm_cr = rdmsr(MSR_VM_CR);
    if (vm_cr & VM_CR_SVMDIS) /* not locked: it is ours to clear, and then SVME can be set (15.4) */
        wrmsr(MSR_VM_CR, vm_cr & ~VM_CR_SVMDIS);
    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
        host_snprintf(why, size,
                      "SVM stays switched off (VM_CR.SVMDIS cannot be cleared: enable it in the set-up)");
        return false;
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    if (svm_caps.tsc_ratio) {
        cpu->tsc_ratio = SVM_TSC_RATIO_ONE;
        wrmsr(MSR_TSC_RATIO, cpu->tsc_ratio);
    }
    wrmsr(MSR_VM_HSAVE_PA, host_phys(cpu->host_save));
    /* What VMLOAD brings back after each exit; nothing of it changes any more on this processor. */
    __asm__ volatile("vmsave %0" : : "a"(cpu->host_state_phys) : "memory");
    return true;
}

bool svm_cpu_enable(char *why, size_t size)
{
    struct svm_caps own;
    if (!read_caps(&own, why, size))
        return false;
    /* Intercepts are worked out once, on the boot processor, for all. */
    if (!svm_caps_same(&own, &svm_caps)) {
        host_snprintf(why, size, "SVM of processor %u differs from the boot processor's", this_cpu()->id);
        return false;
    }
    struct svm_cpu *cpu = &cpus[this_cpu()->id];
    fpu_enable();
    if (!start(cpu, why, size))
        return false;
    asid_pool_init(&cpu->asids, svm_caps.asids);
    this_cpu()->hv = cpu;
    return true;
}

void svm_describe(char *text, size_t size)
{
    host_snprintf(text, size, "AMD SVM, nested paging, %u ASIDs%s%s%s%s%s", svm_caps.asids,
                  svm_caps.next_rip ? ", next RIP" : "", svm_caps.decode_assists ? ", decode assists" : "",
                  svm_caps.flush_by_asid ? ", flush by ASID" : "", svm_caps.clean ? ", clean bits" : "",
                  svm_caps.tsc_ratio ? ", TSC ratio" : "");
}
