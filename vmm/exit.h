/* The neutral exit record: what a guest's exit was, in words that no vendor owns. A backend fills it
 * (arch/x86/vmx, arch/x86/svm) before any common code sees the exit; vmm/dispatch.c acts on it. */
#ifndef VMM_EXIT_H
#define VMM_EXIT_H

#include <stdbool.h>
#include <stdint.h>

enum exit_kind {
    EXIT_INTERRUPT,  /* a host interrupt (already taken by the host's IDT when run() returns) */
    EXIT_NMI,        /* a host NMI or machine check (already handled) */
    EXIT_DEADLINE,   /* the backend's own deadline timer (VMX preemption timer) */
    EXIT_IRQ_WINDOW, /* the guest can take an interrupt now */
    EXIT_NMI_WINDOW,
    EXIT_EXCEPTION, /* an intercepted exception, to be reflected: u.exception. The backend intercepts #DB and
                     * #AC lest their delivery loop for ever, and may have queued it already: reflecting it
                     * changes nothing; and #UD, not queued, where config.pvclock has guests call */
    EXIT_TRIPLE_FAULT,
    EXIT_INIT,
    EXIT_SIPI,
    EXIT_SMI,
    EXIT_TASK_SWITCH, /* u.task */
    EXIT_HLT,
    EXIT_PAUSE,
    EXIT_CPUID,
    EXIT_RDTSC,
    EXIT_RDTSCP,
    EXIT_RDPMC,
    EXIT_RDMSR,     /* u.msr */
    EXIT_WRMSR,     /* u.msr */
    EXIT_IO,        /* u.io */
    EXIT_MMIO,      /* a nested page fault: u.mmio */
    EXIT_CR_ACCESS, /* u.cr: a MOV to or from CR0, CR4, CR8, CLTS, LMSW */
    EXIT_DR_ACCESS,
    EXIT_XSETBV,
    EXIT_INVD,
    EXIT_WBINVD,
    EXIT_INVLPG,
    EXIT_MONITOR,
    EXIT_MWAIT,
    EXIT_DESCRIPTOR,   /* LGDT, SIDT and so on, never asked for */
    EXIT_HYPERCALL,    /* VMCALL, VMMCALL */
    EXIT_VIRT_INSN,    /* VMX or SVM instructions, and others that the virtual processor has not got: #UD */
    EXIT_ENTRY_FAILED, /* the processor refused the guest's state */
    EXIT_UNEXPECTED,   /* anything never asked for: ends the VM with a dump */
    EXIT_KINDS
};

/* Values of u.cr.access. CR_UNKNOWN: the processor tells no more than the register; common code decodes the
 * instruction (vmm/cr_insn.c). */
enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW, CR_UNKNOWN };

/* Values of u.task.source (SDM vol. 3, table 28-2). */
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

struct exit_record {
    enum exit_kind kind;
    uint32_t raw_reason; /* the vendor's number, for dumps and counters */
    uint64_t raw_qualification;
    const char *raw_name; /* the vendor's name of the reason, for dumps */
    uint8_t insn_len; /* length of the exiting instruction, 0 if the processor does not tell: then common code
                       * decodes it before anybody asks (vmm/exit_insn.h) */
    uint64_t cr3;     /* with insn_len 0 and EXIT_MMIO only: which address space the instruction is in */
    union {
        /* EXIT_INTERRUPT, EXIT_DEADLINE: RT when the guest was out, before the host's interrupts were let in.
         */
        uint64_t left;
        struct {
            uint16_t port;
            uint8_t size; /* 1, 2, 4 */
            bool in;
            bool string; /* INS/OUTS: the decoder works out the rest */
            bool rep;
        } io;
        struct {
            uint64_t gpa;
            union {
                struct {
                    bool write;
                    bool fetch;
                    bool in_walk;       /* the access was the processor's own, to a guest paging structure */
                    uint16_t code_attr; /* CS's attributes in the vendor's form, to be compared only */
                };
                uint64_t access; /* all of these, to be compared; a backend zeroes it first */
            };
        } mmio;
        struct {
            uint8_t spin; /* not 0: the processor has found a loop of them; else it was one PAUSE */
        } pause;
        struct {
            uint32_t index;
            uint64_t value; /* WRMSR: EDX:EAX */
        } msr;
        struct {
            uint8_t cr;     /* 0, 3, 4, 8 */
            uint8_t access; /* enum cr_access */
            uint8_t gpr;    /* number of the general register */
            uint16_t lmsw;  /* LMSW's source */
        } cr;
        struct {
            uint16_t selector; /* of the new TSS */
            uint8_t source;    /* enum task_source */
            bool soft;         /* TASK_GATE: by INT n, INT3, INTO or INT1, */
            bool external;     /* ... or by anything else; and the event's error code */
            bool has_error;
            uint32_t error;
        } task;
        struct {
            uint8_t vector;
            bool has_error;
            uint32_t error;
            uint64_t address; /* #PF: CR2 */
        } exception;
    } u;
};

const char *exit_kind_name(enum exit_kind kind);

#endif
