/* Instructions that exit, in unusual forms: their effects, their faults, and how far RIP goes. */
#include "guests/insn/insn.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/traps.h"

#define VECTOR_UD 6
#define VECTOR_GP 13

static uint8_t code[2 * 4096] __attribute__((aligned(4096)));
static volatile uint64_t caught_at;

static volatile uint64_t resume_rip, resume_rsp, caught, caught_rflags;

static void on_fault(struct trap_frame *frame)
{
    caught_at = frame->rip;
    caught = frame->vector;
    caught_rflags = frame->rflags;
    frame->rip = resume_rip;
    frame->rsp = resume_rsp;
}

void insn_faults_init(void)
{
    traps_set(VECTOR_UD, on_fault);
    traps_set(VECTOR_GP, on_fault);
}

/* Calls the code there; RAX in and out. */
static uint64_t call(uint64_t at, uint64_t rax)
{
    caught = 0;
    __asm__ volatile("pushq %%rbp\n\t"
                     "leaq 1f(%%rip), %%rcx\n\t"
                     "movq %%rcx, %[rip]\n\t"
                     "movq %%rsp, %[rsp]\n\t"
                     "xorl %%ecx, %%ecx\n\t"
                     "xorl %%edx, %%edx\n\t"
                     "callq *%[at]\n"
                     "1:\n\t"
                     "popq %%rbp"
                     : "+a"(rax), [rip] "=m"(resume_rip), [rsp] "=m"(resume_rsp)
                     : [at] "r"(at)
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    return rax;
}

/* Executes the bytes, then RET. Placed so that `before` of them are in the first page. */
static uint64_t run_at(const void *bytes, unsigned int n, unsigned int before, uint64_t rax)
{
    uint8_t *at = code + 4096 - before;

    memcpy(at, bytes, n);
    at[n] = 0xc3;
    return call((uintptr_t)at, rax);
}

uint64_t insn_run(const void *bytes, unsigned int n, uint64_t rax)
{
    return run_at(bytes, n, 64, rax);
}

void insn_jump(uint64_t address)
{
    call(address, 0);
}

uint64_t insn_caught_at(void)
{
    return caught_at;
}

uint64_t insn_caught(void)
{
    return caught;
}

uint64_t insn_caught_rflags(void)
{
    return caught_rflags;
}

#define RUN(bytes) insn_run((bytes), sizeof(bytes) - 1, 0)

/* Each ends in MOV EAX, 42: reached, whole, only if RIP went as far as it should. */
static void lengths(void)
{
#define THEN_42 "\xb8\x2a\x00\x00\x00"
    report(RUN("\x0f\xa2" THEN_42) == 42, "CPUID");
    report(RUN("\x66\x0f\xa2" THEN_42) == 42, "CPUID with 66h");
    report(RUN("\xf3\x48\x0f\xa2" THEN_42) == 42, "CPUID with F3h and REX.W");
    report(RUN("\x2e\x67\x66\x66\x66\x66\x66\x66\x0f\xa2" THEN_42) == 42, "CPUID with eight prefixes");
    report(RUN("\x0f\x31" THEN_42) == 42, "RDTSC");
    report(RUN("\x0f\x09" THEN_42) == 42, "WBINVD");
    report(RUN("\xf3\x0f\x09" THEN_42) == 42, "WBNOINVD");
    report(RUN("\xb9\x10\x00\x00\x00\x48\x0f\x32" THEN_42) == 42, "RDMSR with REX.W");
    report(RUN("\xe6\x80\x66\xe7\x80" THEN_42) == 42, "OUT 80h, AL and AX");
    for (unsigned int before = 0; before <= 3; before++) {
        report(run_at("\x66\x0f\xa2" THEN_42, 8, before, 0) == 42, "CPUID, %u of 3 bytes in another page",
               before);
    }
    /* The same address twice, other bytes in between. */
    report(RUN("\x0f\xa2" THEN_42) == 42 && RUN("\x66\x0f\xa2" THEN_42) == 42 &&
               RUN("\x0f\xa2" THEN_42) == 42,
           "CPUID in code that changes");
}

static void refused(const char *name, const void *bytes, unsigned int n, uint64_t vector)
{
    insn_run(bytes, n, 0);
    report(caught == vector, "%s: vector %lu (%lu)", name, vector, caught);
}
#define REFUSED(name, bytes, vector) refused((name), (bytes), sizeof(bytes) - 1, (vector))

/* Virtualization is not offered, whatever the host has. */
static void what_is_not_there(void)
{
    REFUSED("VMRUN", "\x0f\x01\xd8", VECTOR_UD);
    REFUSED("VMLOAD", "\x0f\x01\xda", VECTOR_UD);
    REFUSED("VMSAVE", "\x0f\x01\xdb", VECTOR_UD);
    REFUSED("STGI", "\x0f\x01\xdc", VECTOR_UD);
    REFUSED("CLGI", "\x0f\x01\xdd", VECTOR_UD);
    REFUSED("SKINIT", "\x0f\x01\xde", VECTOR_UD);
    REFUSED("INVLPGA", "\x0f\x01\xdf", VECTOR_UD);
    REFUSED("VMXOFF", "\x0f\x01\xc4", VECTOR_UD);
    REFUSED("MONITOR", "\x0f\x01\xc8", VECTOR_UD);
    REFUSED("MWAIT", "\x0f\x01\xc9", VECTOR_UD);
    REFUSED("INVPCID", "\x66\x0f\x38\x82\x04\x24", VECTOR_UD);
    REFUSED("RSM", "\x0f\xaa", VECTOR_UD);
    REFUSED("RDPMC", "\x0f\x33", VECTOR_GP);
    REFUSED("UD2", "\x0f\x0b", VECTOR_UD);
    REFUSED("EFER.SVME", "\xb9\x80\x00\x00\xc0\x0f\x32\x0d\x00\x10\x00\x00\x0f\x30", VECTOR_GP);
    REFUSED("CR4.VMXE", "\x0f\x20\xe0\x0d\x00\x20\x00\x00\x0f\x22\xe0", VECTOR_GP);
    REFUSED("an unknown MSR", "\xb9\x77\x66\x55\x44\x0f\x32", VECTOR_GP);
}

/* KVM answers a call that it does not know with -1000 in RAX, and takes either vendor's instruction; a
 * hypervisor without calls answers with #UD. */
static void hypercalls(void)
{
    struct cpuid id = cpuid(0x40000000, 0);
    bool kvm = memcmp(&id.ebx, "KVMKVMKVM", 9) == 0;
    uint64_t vmcall = RUN("\x0f\x01\xc1"), vmcall_vector = caught;
    uint64_t vmmcall = RUN("\x0f\x01\xd9"), vmmcall_vector = caught;

    report(kvm ? vmcall == 0 - 1000ull : vmcall_vector == VECTOR_UD, "VMCALL: %d, vector %lu", (int)vmcall,
           vmcall_vector);
    report(kvm ? vmmcall == 0 - 1000ull : vmmcall_vector == VECTOR_UD, "VMMCALL: %d, vector %lu",
           (int)vmmcall, vmmcall_vector);
}

int guest_main(uint64_t magic, uint64_t info)
{
    guest_init(magic, info);
    pic_init();
    pic_mask_all();
    lapic_init();
    insn_faults_init();
    lengths();
    what_is_not_there();
    hypercalls();
    insn_control_registers();
    insn_debug();
    insn_nmi();
    insn_steps();
    insn_xsave();
    insn_msrs();
    return report_summary();
}
