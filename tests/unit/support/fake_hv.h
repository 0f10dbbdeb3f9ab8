/* A virtualization backend without a processor: registers in plain memory, exits from a test's script, and a
 * record of what was injected and mapped. */
#ifndef TESTS_FAKE_HV_H
#define TESTS_FAKE_HV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/backend.h"
#include "vmm/exit.h"

#define FAKE_EXITS      64
#define FAKE_INJECTIONS 256
#define FAKE_MAPPINGS   64

/* struct vcpu's arch. */
struct fake_vcpu {
    uint64_t regs[GUEST_REGS];
    struct guest_segment segs[GUEST_SEGS];

    /* run() hands these out one after the other; when there are none left, EXIT_DEADLINE with the host's
     * clock moved to the deadline (if the clock was before it and the deadline is not RT_NEVER). */
    struct exit_record script[FAKE_EXITS];
    size_t script_next;
    size_t script_end;
    /* If set, called by run() instead of the script. */
    void (*on_run)(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit);
    uint64_t entries;
    uint64_t last_deadline;

    bool not_ready;                /* irq_ready() says no */
    uint64_t inject_takes;         /* RT that an injection takes the host */
    enum inject_result irq_answer; /* what inject_irq() answers: INJECT_TAKEN at first */
    bool window;                   /* inject_irq() asked for a window */
    uint8_t irqs[FAKE_INJECTIONS]; /* vectors that were TAKEN or OFFERED, in order */
    size_t nirqs;
    int exception; /* the latest inject_exception(), -1: none */
    bool exception_has_error;
    uint32_t exception_error;
    uint64_t exceptions;
    uint64_t nmis;
    uint64_t retracted;
    uint64_t shadows_cleared;
    uint64_t loads;
    uint64_t saves;
    uint64_t unloads;
    uint64_t resets;
    uint64_t dumps;
    bool tsc_exiting;
    struct vt_tsc_line tsc;
};

/* struct vm's arch. */
struct fake_vm {
    struct fake_mapping {
        uint64_t gpa;
        uint64_t hpa;
        uint64_t length;
        unsigned int rights;
        bool mapped;           /* false: an unmap() */
    } mappings[FAKE_MAPPINGS]; /* map() and unmap() calls, in order */
    size_t nmappings;
    uint32_t passed_msrs[FAKE_MAPPINGS];
    size_t npassed;
};

extern const struct hv_ops fake_hv_ops;

/* What tsc_scaling() answers: none after fake_hv_reset(). */
extern struct vt_scaling fake_hv_scaling;

/* Which of the next calls fail: set before, cleared by fake_hv_reset(). */
struct fake_hv_faults {
    bool vm_init;
    bool vcpu_init;
    bool map;
};
extern struct fake_hv_faults fake_hv_faults;

void fake_hv_reset(void);
struct fake_vcpu *fake_vcpu(struct vcpu *vcpu);
/* Adds an exit to the script. */
void fake_hv_push(struct vcpu *vcpu, const struct exit_record *exit);

#endif
