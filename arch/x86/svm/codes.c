#include "arch/x86/svm/codes.h"

#include <stddef.h>

#include "arch/x86/svm/vmcb.h"
#include "vmm/vcpu.h"

/* 15.10.2: EXITINFO1 of IOIO */
#define IO_IN         (1ull << 0)
#define IO_STRING     (1ull << 2)
#define IO_REP        (1ull << 3)
#define IO_SIZE_SHIFT 4 /* bits 6:4: one of 1, 2, 4 */
#define IO_SIZE       7ull
#define IO_PORT_SHIFT 16

/* 15.33.1: EXITINFO1 of control-register accesses, with decode assists */
#define CR_MOV (1ull << 63)
#define CR_GPR 0xfull

/* 15.25.6: EXITINFO1 of nested page faults */
#define NPF_WRITE   (1ull << 1)
#define NPF_FETCH   (1ull << 4)
#define NPF_IN_WALK (1ull << 33)

#define CODE_CR_WRITE      0x010u
#define CODE_CR0_SELECTIVE 0x065u

static void decode_cr(struct exit_record *exit, const struct vmcb *vmcb, const struct vcpu_regs *regs,
                      bool assists)
{
    const uint32_t code = exit->raw_reason;
    (void)regs;
    exit->u.cr.cr = code == CODE_CR0_SELECTIVE ? 0 : code & 0xf;
    exit->u.cr.access = CR_UNKNOWN;
    if (!assists || !(vmcb->exit_info1 & CR_MOV))
        return;
    exit->u.cr.access = code < CODE_CR_WRITE ? CR_READ : CR_WRITE;
    exit->u.cr.gpr = (uint8_t)(vmcb->exit_info1 & CR_GPR);
}

static void decode_io(struct exit_record *exit, const struct vmcb *vmcb, const struct vcpu_regs *regs,
                      bool assists)
{
    const uint64_t info = vmcb->exit_info1;
    (void)regs;
    (void)assists;
    exit->u.io.port = (uint16_t)(info >> IO_PORT_SHIFT);
    exit->u.io.size = (uint8_t)(info >> IO_SIZE_SHIFT & IO_SIZE);
    exit->u.io.in = (info & IO_IN) != 0;
    exit->u.io.string = (info & IO_STRING) != 0;
    exit->u.io.rep = (info & IO_REP) != 0;
}

static void decode_pause(struct exit_record *exit, const struct vmcb *vmcb, const struct vcpu_regs *regs,
                         bool assists)
{
    (void)regs;
    (void)assists;
    exit->u.pause.spin = vmcb->pause_count != 0;
}

static void decode_msr(struct exit_record *exit, const struct vmcb *vmcb, const struct vcpu_regs *regs,
                       bool assists)
{
    (void)assists;
    exit->kind = vmcb->exit_info1 & 1 ? EXIT_WRMSR : EXIT_RDMSR;
    exit->u.msr.index = (uint32_t)regs->gpr[GPR_RCX];
    exit->u.msr.value = regs->gpr[GPR_RDX] << 32 | (uint32_t)regs->gpr[GPR_RAX];
}

static void decode_npf(struct exit_record *exit, const struct vmcb *vmcb, const struct vcpu_regs *regs,
                       bool assists)
{
    const uint64_t info = vmcb->exit_info1;
    (void)regs;
    (void)assists;
    exit->u.mmio.gpa = vmcb->exit_info2;
    exit->u.mmio.access = 0;
    exit->u.mmio.write = (info & NPF_WRITE) != 0;
    exit->u.mmio.code_attr = vmcb->cs.attr;
    if (info & (NPF_FETCH | NPF_IN_WALK)) {
        exit->u.mmio.fetch = (info & NPF_FETCH) != 0;
        exit->u.mmio.in_walk = (info & NPF_IN_WALK) != 0;
    }
}

#define CR_ACCESS(NAME)                                                                                      \
    {                                                                                                        \
        (NAME), X_INSN | X_PLAIN, EXIT_CR_ACCESS, decode_cr                                                  \
    }
/* Instructions of SVM, and of features that the virtual processor has not got: #UD. */
#define NO_SUCH_INSN(NAME)                                                                                   \
    {                                                                                                        \
        (NAME), 0, EXIT_VIRT_INSN, NULL                                                                      \
    }
#define NEVER_ASKED(NAME)                                                                                    \
    {                                                                                                        \
        (NAME), 0, EXIT_UNEXPECTED, NULL                                                                     \
    }

/* APM vol. 2, table C-1. Ranges that are never asked for (debug registers, other exceptions) have one name.
 */
const struct svm_code svm_codes[SVM_CODES] = {
    [0x000] = CR_ACCESS("read of CR0"),
    [0x004] = CR_ACCESS("read of CR4"),
    [0x008] = CR_ACCESS("read of CR8"),
    [0x010] = CR_ACCESS("write of CR0"),
    [0x014] = CR_ACCESS("write of CR4"),
    [0x018] = CR_ACCESS("write of CR8"),
    [0x041] = {"#DB", X_EXCEPTION, EXIT_EXCEPTION, NULL},
    [0x046] = {"#UD", X_EXCEPTION, EXIT_EXCEPTION, NULL},
    [0x051] = {"#AC", X_EXCEPTION, EXIT_EXCEPTION, NULL},
    [0x052] = {"#MC", X_EXCEPTION, EXIT_NMI, NULL},
    [0x060] = {"INTR", X_HOST_WINDOW, EXIT_INTERRUPT, NULL},
    [0x061] = {"NMI", 0, EXIT_NMI, NULL},
    [0x062] = {"SMI", 0, EXIT_SMI, NULL},
    [0x063] = {"INIT", 0, EXIT_INIT, NULL},
    [CODE_VINTR] = {"VINTR", X_IRQ_WINDOW, EXIT_IRQ_WINDOW, NULL},
    [CODE_CR0_SELECTIVE] = CR_ACCESS("selective write of CR0"),
    [0x066] = NEVER_ASKED("SIDT"),
    [0x067] = NEVER_ASKED("SGDT"),
    [0x068] = NEVER_ASKED("SLDT"),
    [0x069] = NEVER_ASKED("STR"),
    [0x06a] = NEVER_ASKED("LIDT"),
    [0x06b] = NEVER_ASKED("LGDT"),
    [0x06c] = NEVER_ASKED("LLDT"),
    [0x06d] = NEVER_ASKED("LTR"),
    [0x06e] = {"RDTSC", X_INSN | X_PLAIN, EXIT_RDTSC, NULL},
    [0x06f] = {"RDPMC", X_INSN | X_PLAIN, EXIT_RDPMC, NULL},
    [0x070] = NEVER_ASKED("PUSHF"),
    [0x071] = NEVER_ASKED("POPF"),
    [0x072] = {"CPUID", X_INSN | X_PLAIN, EXIT_CPUID, NULL},
    [0x073] = NO_SUCH_INSN("RSM"),
    [0x074] = {"IRET", X_IRET, EXIT_NMI_WINDOW, NULL},
    [0x075] = NEVER_ASKED("software interrupt"),
    [0x076] = {"INVD", X_INSN | X_PLAIN, EXIT_INVD, NULL},
    [0x077] = {"PAUSE", X_INSN | X_PLAIN, EXIT_PAUSE, decode_pause},
    [0x078] = {"HLT", X_INSN | X_PLAIN, EXIT_HLT, NULL},
    [0x079] = NEVER_ASKED("INVLPG"),
    [0x07a] = NO_SUCH_INSN("INVLPGA"),
    [0x07b] = {"IOIO", X_INSN | X_PLAIN | X_NEXT_INFO2, EXIT_IO, decode_io},
    [0x07c] = {"MSR", X_INSN | X_PLAIN, EXIT_RDMSR, decode_msr},
    [0x07d] = NEVER_ASKED("task switch"),
    [0x07e] = NEVER_ASKED("FERR freeze"), /* CR0.NE is always set */
    [0x07f] = {"shutdown", 0, EXIT_TRIPLE_FAULT, NULL},
    [0x080] = NO_SUCH_INSN("VMRUN"),
    [0x081] = {"VMMCALL", 0, EXIT_HYPERCALL, NULL},
    [0x082] = NO_SUCH_INSN("VMLOAD"),
    [0x083] = NO_SUCH_INSN("VMSAVE"),
    [0x084] = NO_SUCH_INSN("STGI"),
    [0x085] = NO_SUCH_INSN("CLGI"),
    [0x086] = NO_SUCH_INSN("SKINIT"),
    [0x087] = {"RDTSCP", X_INSN | X_PLAIN, EXIT_RDTSCP, NULL},
    [0x088] = NEVER_ASKED("ICEBP"),
    [0x089] = {"WBINVD or WBNOINVD", X_INSN | X_PLAIN, EXIT_WBINVD, NULL},
    [0x08a] = {"MONITOR", X_INSN | X_PLAIN, EXIT_MONITOR, NULL},
    [0x08b] = {"MWAIT", X_INSN | X_PLAIN, EXIT_MWAIT, NULL},
    [0x08c] = {"MWAIT, armed", X_INSN | X_PLAIN, EXIT_MWAIT, NULL},
    [0x08d] = {"XSETBV", X_INSN | X_PLAIN, EXIT_XSETBV, NULL},
    [0x08e] = NO_SUCH_INSN("RDPRU"),
    [0x0a0] = NO_SUCH_INSN("INVLPGB"),
    [0x0a1] = NO_SUCH_INSN("INVLPGB, illegal"),
    [0x0a2] = NO_SUCH_INSN("INVPCID"),
    [0x0a3] = NO_SUCH_INSN("MCOMMIT"),
    [0x0a4] = NO_SUCH_INSN("TLBSYNC"),
};

#undef CR_ACCESS
#undef NO_SUCH_INSN
#undef NEVER_ASKED

const struct svm_code svm_code_npf = {"nested page fault", X_PLAIN, EXIT_MMIO, decode_npf};

const struct svm_code *svm_code_beyond(uint32_t code)
{
    static const struct svm_code invalid = {"invalid guest state", 0, EXIT_ENTRY_FAILED, NULL};
    static const struct svm_code unknown = {"unknown code", 0, EXIT_UNEXPECTED, NULL};
    return code == CODE_NPF ? &svm_code_npf : code == CODE_INVALID ? &invalid : &unknown;
}
