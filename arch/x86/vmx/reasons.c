#include "arch/x86/vmx/reasons.h"

#include <stdbool.h>
#include <stddef.h>

#include "vmm/vcpu.h"

/* Table 28-5: exit qualification for I/O instructions */
#define IO_SIZE       7ull /* bytes less one */
#define IO_IN         (1ull << 3)
#define IO_STRING     (1ull << 4)
#define IO_REP        (1ull << 5)
#define IO_PORT_SHIFT 16

/* Table 28-3: control-register accesses. The access types are numbered as enum cr_access. */
#define CR_NUMBER       0xfull
#define CR_ACCESS_SHIFT 4
#define CR_ACCESS       3ull
#define CR_GPR_SHIFT    8
#define CR_GPR          0xfull
#define CR_LMSW_SHIFT   16
_Static_assert(CR_WRITE == 0 && CR_READ == 1 && CR_CLTS == 2 && CR_LMSW == 3, "table 28-3");

/* Table 28-2: task switches. The sources are numbered as enum task_source. */
#define TASK_SOURCE_SHIFT 30
#define TASK_SOURCE       3ull
_Static_assert(TASK_CALL == 0 && TASK_IRET == 1 && TASK_JMP == 2 && TASK_GATE == 3, "table 28-2");

/* Table 28-7: EPT violations */
#define EPT_Q_WRITE       (1ull << 1)
#define EPT_Q_FETCH       (1ull << 2)
#define EPT_Q_LINEAR      (1ull << 7) /* there was a linear address */
#define EPT_Q_TRANSLATION (1ull << 8) /* and this is what it translates to */

static void decode_io(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs)
{
    (void)gpa;
    (void)regs;
    const uint64_t q = exit->raw_qualification;
    exit->u.io.port = (uint16_t)(q >> IO_PORT_SHIFT);
    exit->u.io.size = (uint8_t)((q & IO_SIZE) + 1);
    exit->u.io.in = (q & IO_IN) != 0;
    exit->u.io.string = (q & IO_STRING) != 0;
    exit->u.io.rep = (q & IO_REP) != 0;
}

static void decode_cr(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs)
{
    (void)gpa;
    (void)regs;
    const uint64_t q = exit->raw_qualification;
    exit->u.cr.cr = (uint8_t)(q & CR_NUMBER);
    exit->u.cr.access = (uint8_t)(q >> CR_ACCESS_SHIFT & CR_ACCESS);
    exit->u.cr.gpr = (uint8_t)(q >> CR_GPR_SHIFT & CR_GPR);
    exit->u.cr.lmsw = (uint16_t)(q >> CR_LMSW_SHIFT);
}

static void decode_msr(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs)
{
    (void)gpa;
    exit->u.msr.index = (uint32_t)regs->gpr[GPR_RCX];
    exit->u.msr.value = regs->gpr[GPR_RDX] << 32 | (uint32_t)regs->gpr[GPR_RAX];
}

static void decode_task_switch(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs)
{
    (void)gpa;
    (void)regs;
    exit->u.task.selector = (uint16_t)exit->raw_qualification;
    exit->u.task.source = (uint8_t)(exit->raw_qualification >> TASK_SOURCE_SHIFT & TASK_SOURCE);
}

/* Without a linear address the access was the processor's own too: PDPTEs at a MOV to CR3. */
static void decode_ept_violation(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs)
{
    (void)regs;
    const uint64_t q = exit->raw_qualification;
    exit->u.mmio.gpa = gpa;
    exit->u.mmio.access = 0;
    exit->u.mmio.write = (q & EPT_Q_WRITE) != 0;
    exit->u.mmio.fetch = (q & EPT_Q_FETCH) != 0;
    exit->u.mmio.in_walk = (q & (EPT_Q_LINEAR | EPT_Q_TRANSLATION)) != (EPT_Q_LINEAR | EPT_Q_TRANSLATION);
}

/* Its qualification is undefined; dumps get the address in its place. */
static void decode_ept_misconfiguration(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs)
{
    (void)regs;
    exit->raw_qualification = gpa;
}

#define Q R_QUALIFICATION
#define L R_LENGTH

/* Instructions of VMX, and of features that the virtual processor has not got: #UD. */
#define NO_SUCH_INSN(NAME)                                                                                   \
    {                                                                                                        \
        .name = (NAME), .kind = EXIT_VIRT_INSN, .flags = L                                                   \
    }
#define NEVER_ASKED(NAME)                                                                                    \
    {                                                                                                        \
        .name = (NAME), .kind = EXIT_UNEXPECTED, .flags = Q                                                  \
    }

/* SDM vol. 3, table C-1. */
static const struct vmx_reason reasons[] = {
    [0] = {"exception or NMI", R_EXCEPTION | R_VECTORING | Q, EXIT_EXCEPTION, NULL},
    [1] = {"external interrupt", R_HOST_WINDOW, EXIT_INTERRUPT, NULL},
    [2] = {"triple fault", 0, EXIT_TRIPLE_FAULT, NULL},
    [3] = {"INIT signal", 0, EXIT_INIT, NULL},
    [4] = {"start-up IPI", Q, EXIT_SIPI, NULL},
    [5] = {"I/O SMI", 0, EXIT_SMI, NULL},
    [6] = {"other SMI", 0, EXIT_SMI, NULL},
    [7] = {"interrupt window", R_IRQ_WINDOW, EXIT_IRQ_WINDOW, NULL},
    [8] = {"NMI window", R_NMI_WINDOW, EXIT_NMI_WINDOW, NULL},
    [9] = {"task switch", R_TASK | Q | L, EXIT_TASK_SWITCH, decode_task_switch},
    [10] = {"CPUID", L, EXIT_CPUID, NULL},
    [11] = NO_SUCH_INSN("GETSEC"),
    [12] = {"HLT", L, EXIT_HLT, NULL},
    [13] = {"INVD", L, EXIT_INVD, NULL},
    [14] = {"INVLPG", Q | L, EXIT_INVLPG, NULL},
    [15] = {"RDPMC", L, EXIT_RDPMC, NULL},
    [16] = {"RDTSC", L, EXIT_RDTSC, NULL},
    [17] = NO_SUCH_INSN("RSM"),
    [18] = {"VMCALL", L, EXIT_HYPERCALL, NULL},
    [19] = NO_SUCH_INSN("VMCLEAR"),
    [20] = NO_SUCH_INSN("VMLAUNCH"),
    [21] = NO_SUCH_INSN("VMPTRLD"),
    [22] = NO_SUCH_INSN("VMPTRST"),
    [23] = NO_SUCH_INSN("VMREAD"),
    [24] = NO_SUCH_INSN("VMRESUME"),
    [25] = NO_SUCH_INSN("VMWRITE"),
    [26] = NO_SUCH_INSN("VMXOFF"),
    [27] = NO_SUCH_INSN("VMXON"),
    [28] = {"control-register access", Q | L, EXIT_CR_ACCESS, decode_cr},
    [29] = {"MOV DR", Q | L, EXIT_DR_ACCESS, NULL},
    [30] = {"I/O instruction", Q | L, EXIT_IO, decode_io},
    [31] = {"RDMSR", L, EXIT_RDMSR, decode_msr},
    [32] = {"WRMSR", L, EXIT_WRMSR, decode_msr},
    [33] = {"VM-entry failure: invalid guest state", Q, EXIT_ENTRY_FAILED, NULL},
    [34] = {"VM-entry failure: MSR loading", Q, EXIT_ENTRY_FAILED, NULL},
    [36] = {"MWAIT", L, EXIT_MWAIT, NULL},
    [37] = NEVER_ASKED("monitor trap flag"),
    [39] = {"MONITOR", L, EXIT_MONITOR, NULL},
    [40] = {"PAUSE", L, EXIT_PAUSE, NULL},
    [41] = {"VM-entry failure: machine check", Q, EXIT_ENTRY_FAILED, NULL},
    [43] = NEVER_ASKED("TPR below threshold"),
    [44] = NEVER_ASKED("APIC access"),
    [45] = NEVER_ASKED("virtualized EOI"),
    [46] = {"access to GDTR or IDTR", Q | L, EXIT_DESCRIPTOR, NULL},
    [47] = {"access to LDTR or TR", Q | L, EXIT_DESCRIPTOR, NULL},
    [48] = {"EPT violation", Q | R_GPA | R_VECTORING, EXIT_MMIO, decode_ept_violation},
    [49] = {"EPT misconfiguration", R_GPA, EXIT_UNEXPECTED, decode_ept_misconfiguration},
    [50] = NO_SUCH_INSN("INVEPT"),
    [51] = {"RDTSCP", L, EXIT_RDTSCP, NULL},
    [52] = {"preemption timer", R_HOST_WINDOW, EXIT_DEADLINE, NULL},
    [53] = NO_SUCH_INSN("INVVPID"),
    [54] = {"WBINVD or WBNOINVD", L, EXIT_WBINVD, NULL},
    [55] = {"XSETBV", L, EXIT_XSETBV, NULL},
    [56] = NEVER_ASKED("APIC write"),
    [57] = NEVER_ASKED("RDRAND"),
    [58] = NEVER_ASKED("INVPCID"),
    [59] = NO_SUCH_INSN("VMFUNC"),
    [60] = NO_SUCH_INSN("ENCLS"),
    [61] = NEVER_ASKED("RDSEED"),
    [62] = NEVER_ASKED("page-modification log full"),
    [63] = NO_SUCH_INSN("XSAVES"),
    [64] = NO_SUCH_INSN("XRSTORS"),
    [65] = NO_SUCH_INSN("PCONFIG"),
    [66] = NEVER_ASKED("SPP-related event"),
    [67] = NO_SUCH_INSN("UMWAIT"),
    [68] = NO_SUCH_INSN("TPAUSE"),
    [69] = NO_SUCH_INSN("LOADIWKEY"),
    [70] = NO_SUCH_INSN("ENCLV"),
    [72] = NEVER_ASKED("ENQCMD PASID translation failure"),
    [73] = NEVER_ASKED("ENQCMDS PASID translation failure"),
    [74] = NEVER_ASKED("bus lock"),
    [75] = NEVER_ASKED("instruction time-out"),
    [76] = NO_SUCH_INSN("SEAMCALL"),
    [77] = NO_SUCH_INSN("TDCALL"),
    [78] = NO_SUCH_INSN("RDMSRLIST"),
    [79] = NO_SUCH_INSN("WRMSRLIST"),
};
#undef Q
#undef L

const struct vmx_reason *vmx_reason(uint32_t basic)
{
    static const struct vmx_reason unknown = {"unknown reason", R_QUALIFICATION, EXIT_UNEXPECTED, NULL};
    if (basic >= sizeof(reasons) / sizeof(reasons[0]) || !reasons[basic].name)
        return &unknown;
    return &reasons[basic];
}

const char *vmx_instruction_error_name(uint32_t error)
{
    static const char *const names[] = {
        [1] = "VMCALL in root operation",
        [2] = "VMCLEAR with an invalid address",
        [3] = "VMCLEAR with the VMXON pointer",
        [4] = "VMLAUNCH with a VMCS that is not clear",
        [5] = "VMRESUME with a VMCS that is not launched",
        [6] = "VMRESUME after VMXOFF",
        [7] = "VM entry with invalid control fields",
        [8] = "VM entry with invalid host-state fields",
        [9] = "VMPTRLD with an invalid address",
        [10] = "VMPTRLD with the VMXON pointer",
        [11] = "VMPTRLD with a wrong revision identifier",
        [12] = "VMREAD or VMWRITE of a field that is not there",
        [13] = "VMWRITE to a read-only field",
        [15] = "VMXON in root operation",
        [26] = "VM entry while blocked by MOV SS",
        [28] = "INVEPT or INVVPID with an invalid operand",
    };
    if (error >= sizeof(names) / sizeof(names[0]) || !names[error])
        return "unknown error";
    return names[error];
}
