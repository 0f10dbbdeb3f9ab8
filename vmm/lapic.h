/* A virtual CPU's local APIC in xAPIC and x2APIC mode (SDM vol. 3, chapter 10).
 *
 * It acts on itself only. What a register write asks of others (the EOI broadcast to the IOAPIC, an
 * interprocessor interrupt) comes back as a value, struct lapic_effect, and vmm/apic_bus.c carries it out. No
 * CMCI entry, no directed EOI. The caller holds the VM; vm->time has been advanced. */
#ifndef VMM_LAPIC_H
#define VMM_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/lapic_timer.h"
#include "timers/tsc.h"
#include "timers/vtime.h"
#include "vmm/apic_message.h"

/* The timer's input clock before the divider, Hz: the "core crystal clock" that CPUID leaf 15H advertises
 * (SDM vol. 3, 10.5.4), in 32 bits there. It is the TSC's own frequency, or half of it above 4.29 GHz: so the
 * leaf tells both exactly, and a guest that calibrates instead finds a round ratio. */
static inline uint64_t lapic_timer_hz(uint64_t tsc_hz)
{
    return tsc_hz <= UINT32_MAX ? tsc_hz : tsc_hz / 2;
}

/* Integrated APIC, LVT entries 0..5 (no CMCI), no EOI-broadcast suppression. */
#define LAPIC_VERSION 0x00050014u

#define LAPIC_DEFAULT_BASE 0xfee00000ull
#define LAPIC_LENGTH       0x1000ull

/* IA32_APIC_BASE (MSR 1Bh), SDM vol. 3, 10.4.4. */
#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_EXTD   (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_ADDR   0x000ffffffffff000ull

/* Register offsets (SDM vol. 3, table 10-1). */
enum lapic_reg {
    LAPIC_ID = 0x20,
    LAPIC_VER = 0x30,
    LAPIC_TPR = 0x80,
    LAPIC_APR = 0x90,
    LAPIC_PPR = 0xa0,
    LAPIC_EOI = 0xb0,
    LAPIC_RRD = 0xc0,
    LAPIC_LDR = 0xd0,
    LAPIC_DFR = 0xe0,
    LAPIC_SVR = 0xf0,
    LAPIC_ISR = 0x100,
    LAPIC_TMR = 0x180,
    LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280,
    LAPIC_LVT_CMCI = 0x2f0,
    LAPIC_ICR_LOW = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330,
    LAPIC_LVT_PMC = 0x340,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_ICR = 0x380,
    LAPIC_TIMER_CCR = 0x390,
    LAPIC_TIMER_DCR = 0x3e0,
};

#define LVT_DELIVS     (1u << 12)
#define LVT_ACTIVE_LOW (1u << 13)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_LEVEL      (1u << 15)
#define LVT_MASKED     (1u << 16)
#define LVT_PERIODIC   (1u << 17) /* timer */

#define SVR_ENABLE (1u << 8)

/* ESR bits (SDM vol. 3, figure 10-9) that can happen here. */
#define ESR_SEND_ILLEGAL (1u << 5)
#define ESR_RECV_ILLEGAL (1u << 6)
#define ESR_ILLEGAL_REG  (1u << 7)

/* Entries of lvt[], in the order of their registers. */
enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PMC, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

/* One bit for each vector (ISR, TMR, IRR). */
struct lapic_vectors {
    uint32_t word[8];
    uint32_t used; /* bit n: word[n] is not zero */
};

struct lapic {
    uint64_t apic_base; /* IA32_APIC_BASE */
    bool bsp;
    bool tsc_deadline; /* its timer has this mode */
    bool x2apic;       /* it has this mode */
    uint8_t id;
    uint8_t tpr;
    uint8_t ldr; /* logical id, bits 31:24 of the register */
    uint8_t dfr; /* model, bits 31:28 of the register */
    uint32_t svr;
    struct lapic_vectors isr, tmr, irr;
    uint32_t esr;         /* as the last write of the register latched it */
    uint32_t esr_pending; /* errors since then */
    uint32_t icr_low;
    uint32_t icr_high; /* the destination: bits 31:24, in x2APIC mode all */
    uint32_t lvt[LVTS];
    bool lint[2]; /* present state of the LINT0 and LINT1 pins */
    struct lapic_timer timer;

    bool news; /* something has come since the run loop last looked: a request, an NMI, INIT, SIPI */
    /* INIT and SIPI that have come (vmm/startup.h). */
    bool init_pending;
    bool sipi_pending;
    uint8_t sipi_vector;
};

/* True if a write to this register may open or close a way for interrupt lines. */
bool lapic_changes_wires(uint32_t offset);

/* What a register write asks of others. */
struct lapic_effect {
    bool ipi; /* send `message` */
    struct apic_message message;
};

/* Once for each vCPU, when vm->time is there: attaches the timer and resets. vcpu_index is the vCPU's id and
 * its APIC id; 0 is the bootstrap processor. tsc_deadline: the timer has that mode (CPUID.1:ECX bit 24 says
 * so); x2apic: it has (bit 21). */
void lapic_init(struct lapic *l, unsigned int vcpu_index, struct vtime *time, const struct tsc *tsc,
                bool tsc_deadline, bool x2apic);
/* Power-on or RESET: everything, IA32_APIC_BASE too. */
void lapic_reset(struct lapic *l);
/* INIT: as RESET, but the APIC id and IA32_APIC_BASE stay (SDM vol. 3, 10.4.7.3). */
void lapic_init_reset(struct lapic *l);

/* Registers; offset is that within the page. Only aligned 32-bit accesses have a meaning (10.4.1): the bus
 * glue (vmm/apic_bus.c) sees to it. */
uint32_t lapic_read(struct lapic *l, uint32_t offset);
/* The EOI register is written by lapic_eoi() (vmm/lapic_regs.h). */
struct lapic_effect lapic_write(struct lapic *l, uint32_t offset, uint32_t value);

/* IA32_APIC_BASE: false if the write must give #GP (reserved bits; a change of mode that figure 10-27 has
 * not: out of x2APIC mode the way leads through the global disable only, into it from xAPIC mode only). A
 * global disable and re-enable resets the APIC (10.4.3). Call platform_write_apic_base (vmm/platform.h)
 * instead, which moves the register page too. */
bool lapic_write_base(struct lapic *l, uint64_t value);

/* CR8 is TPR bits 7:4 (SDM vol. 3, 10.8.6.1). */
uint8_t lapic_cr8(const struct lapic *l);
void lapic_set_cr8(struct lapic *l, uint8_t value);

/* Is this guest-physical address in its register page, and is the page there? */
static inline bool lapic_answers(const struct lapic *l, uint64_t gpa)
{
    return ((l->apic_base ^ (gpa | APIC_BASE_ENABLE)) & (APIC_BASE_ADDR | APIC_BASE_ENABLE)) == 0;
}

/* Enabled globally (IA32_APIC_BASE). */
bool lapic_hw_enabled(const struct lapic *l);
/* In x2APIC mode: its registers are MSRs (vmm/lapic_x2.h), and the page is not there. */
bool lapic_is_x2(const struct lapic *l);
/* Its logical id there, which is fixed (10.12.10.2): cluster and member, from the APIC id. */
uint32_t lapic_x2_logical_id(const struct lapic *l);
/* ... and by software (SVR) too. */
bool lapic_enabled(const struct lapic *l);

/* Interrupt acceptance: a fixed interrupt for this APIC. */
enum apic_result lapic_accept(struct lapic *l, uint8_t vector, bool level);
/* True while vector waits in the IRR of an enabled APIC. */
bool lapic_waiting(const struct lapic *l, uint8_t vector);

/* The highest vector that may be taken now (IRR above PPR), or -1. Peeks. */
int lapic_pending(const struct lapic *l);
/* Moves it from IRR to ISR and returns it. There must be one, so nobody ever sees the spurious vector (10.9):
 * the run loop acknowledges what it has just found, and nothing comes between. */
uint8_t lapic_ack(struct lapic *l);

/* Is this APIC a target of the message's destination field? (10.6.2) */
bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical);
/* The processor priority, TPR or what is in service (10.8.3.1). Of the targets of a lowest-priority message
 * the one with the smallest takes it (10.6.2.4): the P6 family's APR is gone, and chip sets go by what
 * processors do now. */
uint8_t lapic_ppr(const struct lapic *l);

/* A LINT pin (0, 1) changes. True if the pin's LVT entry now asks for an NMI (fixed interrupts it takes in
 * itself; ExtINT is not latched: ask lapic_extint_open). */
bool lapic_lint(struct lapic *l, unsigned int pin, bool level);
/* True if the PIC's INTR at LINT0 gets through to the processor: LVT LINT0 is ExtINT and unmasked, or the
 * bootstrap processor's APIC is off (globally, or by software: then LINT0 is the plain INTR pin of before any
 * set-up). */
bool lapic_extint_open(const struct lapic *l);

#endif
