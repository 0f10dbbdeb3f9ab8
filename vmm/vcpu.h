/* One virtual processor. */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/backend.h"
#include "vmm/cpuid.h"
#include "vmm/exit.h"
#include "vmm/exit_insn.h"
#include "vmm/lapic.h"
#include "vmm/mmio_move.h"
#include "vmm/host.h"
#include "vmm/msr.h"
#include "vmm/pvclock.h"
#include "vmm/trace.h"
#include "vmm/x86.h"
#include "timers/tsc.h"

struct vm;

/* General registers in the order of their encoding. Loaded and saved at every entry and exit; the layout is
 * known to the backends' entry code (offsets checked there at compile time). */
enum gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPRS
};

struct vcpu_regs {
    uint64_t gpr[GPRS]; /* RSP included: the backend moves it to and from its control structure */
    uint64_t rip;
    uint64_t rflags;
};

enum vcpu_state {
    VCPU_OFF, /* not started */
    VCPU_RUNNABLE,
    VCPU_HALTED, /* HLT: an unmasked interrupt, NMI or reset wakes it */
    VCPU_WAIT_SIPI,
};

/* Who wants to know of each exit. */
#define WATCH_PRINT  1u /* vm setting trace=exits */
#define WATCH_RECORD 2u /* the processor's trace is full (vmm/trace.h); looked up at each vcpu_run() */

/* How RDTSC is answered (vmm/run.c). */
struct vcpu_tsc {
    bool free;                   /* by the hardware, which then follows `hardware`; else by an exit */
    struct vt_tsc_line line;     /* AT's own */
    struct vt_tsc_line hardware; /* the guest's TSC: AT plus its offset */
};

struct vcpu {
    struct vcpu_regs regs;
    struct vm *vm;
    unsigned int id; /* 0.. in its VM; its initial APIC id */
    enum vcpu_state state;
    void *arch; /* the backend's part: control structure, save areas */
    struct lapic lapic;
    struct tsc tsc;
    struct msr_state msr; /* MSRs that no hardware register holds */
    struct pvclock_line pvclock;
    uint8_t nmis_pending; /* NMIs that the backend has not been given (vcpu_raise_nmi) */
    bool
        quiet; /* the last exit changed nothing that the run loop decides by: interrupt lines and controllers,
                * armed timers, the TSC's offset, the state of vCPU and VM. The guest may go on at once */
    bool shadow;     /* at the last exit: in the shadow of STI or MOV SS, which the backend holds */
    bool irq_window; /* INJECT_WINDOW: the backend tells when an interrupt can be taken */
    struct vcpu_tsc free_tsc;
    bool
        in_guest; /* or on the way in or out: not by the VM's lock; set with it, cleared before it is taken */
    uint64_t out_by;  /* ... RT at which it is out again whatever it does */
    bool loaded;      /* its state is in a processor (vcpu_run, vcpu_put) */
    uint64_t entered; /* RT of the first entry of the last vcpu_run(); 0: none yet */
    uint64_t ran; /* RT from there to the last exit, or the deadline if that was before: what the scheduler
                   * charges, switches left out */
    unsigned int spins;         /* PAUSEs since it was entered, or gave its processor away for them */
    uint64_t exits[EXIT_KINDS]; /* a counter for each exit kind */
    uint8_t watched;            /* WATCH_* */
    struct trace_rings *trace;  /* of the processor it runs on, or ran on last */
    uint32_t who;               /* trace_who() of it */
    struct cpuid_answer cpuid[CPUID_ANSWERS];
    struct exit_insn exit_insns[EXIT_INSN_CACHE]; /* lengths met lately (vmm/exit_insn.c) */
    struct mmio_move mmio_moves[MMIO_MOVES];      /* (vmm/mmio_move.c) */
};

/* Allocates vCPU `id` of a VM and its backend part; WAIT_SIPI. NULL: memory is out. The caller resets it. */
struct vcpu *vcpu_create(struct vm *vm, unsigned int id);
void vcpu_destroy(struct vcpu *vcpu);
/* The state after power-up (SDM vol. 3, table 9-1): general registers, MSRs, the backend's part. vCPU 0 is
 * runnable, the others wait for SIPI. The LAPIC and the timers are the platform's to reset. */
void vcpu_reset(struct vcpu *vcpu);
/* INIT (the same table): as after power-up, but that the TSC, the PAT, XCR0, TSC_AUX, the cache bits of CR0,
 * the MTRRs and machine check registers stay; the local APIC too is reset, and the vCPU waits for SIPI. KVM's
 * clock forgets its page, as in KVM. The FPU, which the table leaves alone, is reset. */
void vcpu_init(struct vcpu *vcpu);

/* An NMI has come: two can wait, one to be handled and one behind it (SDM vol. 3, 6.7.1); the backend knows
 * whether one is being handled already (hv->inject_nmi). False: merged with those that wait. */
bool vcpu_raise_nmi(struct vcpu *vcpu);

/* Current privilege level: SS's DPL (SDM vol. 3, 24.4.1). */
unsigned int vcpu_cpl(struct vcpu *vcpu);

/* Injects a fault at the next entry; RIP stays at the instruction. */
void vcpu_inject_ud(struct vcpu *vcpu);
void vcpu_inject_gp(struct vcpu *vcpu); /* error code 0 */
/* One that has an error code (which real-address mode does not push). */
void vcpu_inject_error(struct vcpu *vcpu, uint8_t vector, uint32_t error);

/* Registers, and the backend's own dump, to the log. */
void vcpu_dump(struct vcpu *vcpu);

/* The rest of vcpu_skip(), which alone calls it. */
void vcpu_skip_slow(struct vcpu *vcpu, uint64_t before);

/* Advances RIP past an emulated instruction; ends an interrupt shadow, and with TF set its trap is due. */
static inline void vcpu_skip(struct vcpu *vcpu, unsigned int insn_len)
{
    struct vcpu_regs *regs = &vcpu->regs;
    uint64_t before = regs->rip;

    ASSERT(insn_len > 0);
    regs->rip += insn_len;
    if (vcpu->shadow || (regs->rflags & (RFLAGS_TF | RFLAGS_RF)) || (before ^ regs->rip) > UINT32_MAX)
        vcpu_skip_slow(vcpu, before);
}

#endif
