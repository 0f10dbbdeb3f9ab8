/* links: arch/x86/svm/inject.c arch/x86/events.c */
/* Event injection (APM vol. 2, 15.20), virtual interrupts and windows (15.21), interrupted deliveries
 * (15.7.2), NMI blocking by the IRET intercept; with the defects of QEMU that PLATFORMS.md lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/svm/svm.h"

#define IF (1ull << 9)
#define TF (1ull << 8)
#define BS (1ull << 14) /* of DR6 */

static struct vmcb vmcb;
static struct svm_vcpu v;
static struct vcpu vcpu;

static int setup(void **state)
{
    (void)state;
    memset(&vmcb, 0, sizeof(vmcb));
    vmcb.int_ctl = V_INTR_MASKING;
    vmcb.dr6 = 0xffff0ff0;
    vcpu = (struct vcpu){.arch = &v};
    vcpu.regs.rflags = 2 | IF;
    vcpu.regs.rip = 0x1000;
    v = (struct svm_vcpu){.vcpu = &vcpu, .vmcb = &vmcb, .events.held_irq = -1};
    return 0;
}

/* What run.c does before an entry; returns EVENTINJ. */
static uint32_t enter(void)
{
    vmcb.event_inj = 0;
    vmcb.clean = CLEAN_ALL;
    if (v.work & WORK_EVENT)
        svm_events_enter(&v);
    return vmcb.event_inj;
}

/* The exit's part in V_IRQ. taken: the guest has taken it. */
static void leave(bool taken)
{
    if (taken)
        vmcb.int_ctl &= ~V_IRQ;
    svm_virq_outcome(&v);
}

static void redeliver(uint32_t info, uint32_t error)
{
    vmcb.exit_int_info = info;
    vmcb.exit_int_error = error;
    assert_true(svm_redeliver(&v, false));
}

static void behind_the_iret(uint64_t rflags, uint64_t dr6)
{
    vcpu.regs.rip = 0x1000;
    vcpu.regs.rflags = rflags;
    vmcb.dr6 |= dr6;
    vmcb.clean = CLEAN_ALL;
}

/* Never EVENTINJ: QEMU delivers it twice. */
static void an_interrupt_goes_by_v_irq(void **state)
{
    (void)state;
    assert_true(svm_irq_ready(&vcpu));
    assert_int_equal(svm_inject_irq(&vcpu, 0x31), INJECT_TAKEN);
    assert_false(svm_irq_ready(&vcpu)); /* one at a time */
    assert_int_equal(svm_inject_irq(&vcpu, 0x50), INJECT_WINDOW);
    assert_int_equal(enter(), 0);
    assert_int_equal(vmcb.int_ctl, V_INTR_MASKING | V_IGN_TPR | V_IRQ | 3u << V_INTR_PRIO_SHIFT);
    assert_int_equal(vmcb.int_vector, 0x31);
    assert_int_equal(vmcb.intercepts[0] & INTERCEPT_VINTR, 0);
    leave(true);
    assert_int_equal(v.virq, VIRQ_FREE);
    assert_int_equal(v.events.held_irq, -1);
    assert_true(svm_irq_ready(&vcpu));
}

static void an_interrupt_not_taken_comes_again(void **state)
{
    (void)state;
    svm_inject_irq(&vcpu, 0x31);
    enter();
    leave(false); /* a host interrupt came first */
    svm_retract_irq(&vcpu);
    assert_false(svm_irq_ready(&vcpu));
    assert_int_equal(svm_inject_irq(&vcpu, 0x50), INJECT_WINDOW);
    svm_retract_irq(&vcpu);
    assert_int_equal(enter(), 0);
    assert_true(vmcb.int_ctl & V_IRQ);
    assert_int_equal(vmcb.int_vector, 0x31);
    leave(true);
    assert_int_equal(svm_inject_irq(&vcpu, 0x50), INJECT_TAKEN);
}

static void the_processor_is_told_of_changes(void **state)
{
    (void)state;
    vmcb.clean = CLEAN_ALL;
    svm_inject_irq(&vcpu, 0x31);
    assert_int_equal(vmcb.clean & CLEAN_INTR, 0);
    leave(true);
    vcpu.regs.rflags = 2;
    vmcb.clean = CLEAN_ALL;
    svm_inject_irq(&vcpu, 0x31);
    assert_int_equal(vmcb.clean & (CLEAN_INTR | CLEAN_INTERCEPTS), 0);
    vmcb.clean = CLEAN_ALL;
    svm_retract_irq(&vcpu);
    assert_int_equal(vmcb.clean & CLEAN_INTR, 0);
}

static void if_and_shadow_ask_for_a_window(void **state)
{
    (void)state;
    vcpu.regs.rflags = 2;
    assert_int_equal(svm_inject_irq(&vcpu, 0x31), INJECT_WINDOW);
    assert_true(vmcb.intercepts[0] & INTERCEPT_VINTR);
    assert_true(vmcb.int_ctl & V_IRQ);
    svm_retract_irq(&vcpu);
    assert_int_equal(vmcb.intercepts[0] & INTERCEPT_VINTR, 0);
    assert_int_equal(vmcb.int_ctl & V_IRQ, 0);
    vcpu.regs.rflags = 2 | IF;
    vmcb.int_state = INTERRUPT_SHADOW;
    assert_int_equal(svm_inject_irq(&vcpu, 0x31), INJECT_WINDOW);
    leave(false); /* V_IRQ still set at an exit is no interrupt that was not taken */
    assert_int_equal(v.events.held_irq, -1);
    svm_irq_window(&v);
    assert_int_equal(v.virq, VIRQ_FREE);
    assert_int_equal(vmcb.intercepts[0] & INTERCEPT_VINTR, 0);
    vmcb.int_state = 0;
    assert_int_equal(svm_inject_irq(&vcpu, 0x31), INJECT_TAKEN);
}

static void exceptions_go_first(void **state)
{
    (void)state;
    svm_inject_exception(&vcpu, 13, true, 0x18);
    assert_false(svm_irq_ready(&vcpu));
    assert_int_equal(svm_inject_irq(&vcpu, 0x31), INJECT_WINDOW);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 13);
    assert_int_equal(vmcb.event_inj_error, 0x18);
    assert_int_equal(enter(), 0);
    assert_int_equal(v.work & WORK_EVENT, 0);
}

/* From the NMI's delivery to the IRET none is delivered; the IRET has been executed when RIP is another. */
static void nmis_are_blocked_up_to_iret(void **state)
{
    (void)state;
    svm_inject_nmi(&vcpu);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_true(vmcb.intercepts[0] & INTERCEPT_IRET);
    assert_int_equal(v.work & WORK_EVENT, 0);
    svm_inject_nmi(&vcpu);
    vcpu.regs.rflags = 2;
    assert_int_equal(enter(), 0);
    assert_int_equal(v.virq, VIRQ_FREE); /* the intercept will do */
    vcpu.regs.rip = 0x2000;
    svm_iret(&v);
    assert_int_equal(vmcb.intercepts[0] & INTERCEPT_IRET, 0);
    assert_int_equal(enter(), 0);
    assert_int_equal(v.virq, VIRQ_FREE);
    assert_true(vcpu.regs.rflags & TF); /* the trap comes behind the IRET */
    assert_int_equal(enter(), 0);       /* a host's interrupt came before it */
    assert_true(vcpu.regs.rflags & TF);
    behind_the_iret(2, BS);
    assert_true(svm_stepped(&v));
    assert_int_equal(vmcb.dr6, 0xffff0ff0);
    assert_false(vmcb.clean & CLEAN_DR);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(vcpu.regs.rflags, 2);
    assert_true(vmcb.intercepts[0] & INTERCEPT_IRET);
}

/* A handler that runs with IF set; and an IRET that has been executed, by its address, without a trap. */
static void no_window_before_an_iret_with_if_set(void **state)
{
    (void)state;
    svm_inject_nmi(&vcpu);
    enter();
    svm_inject_nmi(&vcpu);
    svm_iret(&v);
    assert_int_equal(enter(), 0);
    assert_int_equal(v.virq, VIRQ_FREE);
    vcpu.regs.rip = 0x3000;
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
}

/* A guest's own traps are its own: those behind an IRET that nothing waits for, those of a handler that steps
 * itself, and a breakpoint that the IRET meets on the way. */
static void a_guests_own_steps_stay(void **state)
{
    (void)state;
    vmcb.dr6 = 0xffff0ff0 | BS;
    assert_false(svm_stepped(&v));
    svm_inject_nmi(&vcpu);
    enter();
    svm_inject_nmi(&vcpu);
    vcpu.regs.rip = 0x2000;
    svm_iret(&v);
    vcpu.regs.rflags = 2 | TF;
    assert_int_equal(enter(), 0);
    behind_the_iret(2, BS);
    assert_false(svm_stepped(&v));
    assert_int_equal(vmcb.dr6, 0xffff0ff0 | BS);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    svm_inject_nmi(&vcpu);
    vcpu.regs.rip = 0x2000;
    svm_iret(&v);
    vmcb.dr6 = 0xffff0ff0;
    assert_int_equal(enter(), 0);
    behind_the_iret(2, BS | 2);
    assert_false(svm_stepped(&v));
    assert_int_equal(vmcb.dr6, 0xffff0ff0 | 2);
}

/* SDM vol. 3, 6.7.1: one is handled, one is latched behind it. */
static void two_nmis_are_kept_and_no_more(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 3; i++)
        svm_inject_nmi(&vcpu);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    svm_inject_nmi(&vcpu);
    svm_iret(&v);
    svm_inject_nmi(&vcpu);
    assert_int_equal(enter(), 0);
    behind_the_iret(2 | IF, BS);
    assert_true(svm_stepped(&v));
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    svm_iret(&v);
    assert_int_equal(enter(), 0);
    assert_false(vcpu.regs.rflags & TF);
    vcpu.regs.rip = 0x1000;
    assert_int_equal(enter(), 0);
    assert_int_equal(v.work & WORK_EVENT, 0);
}

/* The one whose delivery was interrupted, and one that came meanwhile. */
static void an_interrupted_nmi_merges_with_none(void **state)
{
    (void)state;
    svm_inject_nmi(&vcpu);
    enter();
    redeliver(EVENT_VALID | EVENT_TYPE_NMI | 2, 0);
    svm_inject_nmi(&vcpu);
    assert_int_equal(v.events.nmis_queued, 2);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(v.events.nmis_queued, 1);
}

static void nmi_waits_for_the_shadow(void **state)
{
    (void)state;
    vmcb.int_state = INTERRUPT_SHADOW;
    svm_inject_nmi(&vcpu);
    assert_int_equal(enter(), 0);
    assert_int_equal(v.virq, VIRQ_WINDOW);
    vmcb.int_state = 0;
    svm_irq_window(&v);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(v.work & WORK_EVENT, 0);
}

static void nmi_goes_before_an_interrupt(void **state)
{
    (void)state;
    svm_inject_nmi(&vcpu);
    assert_int_equal(svm_inject_irq(&vcpu, 0x31), INJECT_WINDOW);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
}

/* An acknowledged interrupt whose delivery was interrupted: by V_IRQ again, when the guest can take it. */
static void an_interrupted_interrupt_is_held(void **state)
{
    (void)state;
    redeliver(EVENT_VALID | EVENT_TYPE_IRQ | 0x31, 0);
    assert_false(svm_irq_ready(&vcpu));
    assert_int_equal(svm_inject_irq(&vcpu, 0x40), INJECT_WINDOW);
    svm_retract_irq(&vcpu);
    assert_int_equal(enter(), 0);
    assert_int_equal(v.virq, VIRQ_HELD);
    assert_int_equal(vmcb.int_vector, 0x31);
    leave(false); /* not taken: kept */
    assert_int_equal(v.events.held_irq, 0x31);
    assert_int_equal(vmcb.int_ctl & V_IRQ, 0);
    vcpu.regs.rflags = 2;
    assert_int_equal(enter(), 0);
    assert_int_equal(v.virq, VIRQ_WINDOW);
    vcpu.regs.rflags = 2 | IF;
    svm_irq_window(&v);
    enter();
    assert_int_equal(v.virq, VIRQ_HELD);
    leave(true);
    assert_int_equal(v.events.held_irq, -1);
    assert_int_equal(svm_inject_irq(&vcpu, 0x40), INJECT_TAKEN);
}

/* QEMU clears V_IRQ at the end of the delivery and calls the interrupt an exception in EXITINTINFO. */
static void a_v_irq_that_is_still_set_is_not_delivered_twice(void **state)
{
    (void)state;
    svm_inject_irq(&vcpu, 0x31);
    enter();
    leave(false);
    vmcb.exit_int_info = EVENT_VALID | EVENT_TYPE_FAULT | 0x31;
    assert_true(svm_redeliver(&v, true));
    assert_int_equal(v.events.next.info, 0);
    assert_int_equal(v.events.held_irq, 0x31); /* by V_IRQ again, and only so */
}

/* QEMU leaves EXITINTINFO as it was, with the valid bit clear. */
static void stale_information_is_ignored(void **state)
{
    (void)state;
    vmcb.exit_int_info = EVENT_TYPE_IRQ | 0x31;
    assert_false(svm_redeliver(&v, false));
    assert_int_equal(v.events.held_irq, -1);
    assert_int_equal(v.work & WORK_EVENT, 0);
}

static void interrupted_exceptions_are_done_again(void **state)
{
    (void)state;
    redeliver(EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 14, 6);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 14);
    assert_int_equal(vmcb.event_inj_error, 6);
}

/* INT n, INT3 and INTO are executed again: RIP is still at them. */
static void software_interrupts_come_by_themselves(void **state)
{
    static const uint32_t events[] = {EVENT_TYPE_SOFT | 0x80, EVENT_TYPE_FAULT | 3, EVENT_TYPE_FAULT | 4};
    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        redeliver(EVENT_VALID | events[i], 0);
        assert_int_equal(enter(), 0);
    }
}

static void an_interrupted_nmi_is_not_blocked_by_itself(void **state)
{
    (void)state;
    svm_inject_nmi(&vcpu);
    enter();
    redeliver(EVENT_VALID | EVENT_TYPE_NMI | 2, 0);
    assert_int_equal(vmcb.intercepts[0] & INTERCEPT_IRET, 0);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_NMI | 2);
}

/* #AC while an interrupt is being delivered: neither is lost. */
static void an_exception_overtakes_an_interrupted_interrupt(void **state)
{
    (void)state;
    redeliver(EVENT_VALID | EVENT_TYPE_IRQ | 0x31, 0);
    svm_inject_exception(&vcpu, 17, true, 0);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 17);
    assert_int_equal(v.virq, VIRQ_WINDOW);
    svm_irq_window(&v);
    enter();
    assert_int_equal(v.virq, VIRQ_HELD);
}

static void reflecting_what_is_queued_changes_nothing(void **state)
{
    const struct event ac = {EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 17, 5, 0};
    (void)state;
    svm_inject_event(&v, &ac);
    svm_inject_exception(&vcpu, 17, true, 0);
    assert_int_equal(enter(), ac.info);
    assert_int_equal(vmcb.event_inj_error, 5);
}

static void an_emulated_instruction_ends_the_shadow_and_steps(void **state)
{
    (void)state;
    vmcb.int_state = INTERRUPT_SHADOW;
    svm_clear_shadow(&vcpu);
    assert_int_equal(vmcb.int_state, 0);
    assert_int_equal(enter(), 0);
    vcpu.regs.rflags |= TF;
    vmcb.dr6 = 0xffff0ff1;
    svm_clear_shadow(&vcpu);
    assert_int_equal(vmcb.dr6, 0xffff4ff0);
    assert_int_equal(enter(), EVENT_VALID | EVENT_TYPE_FAULT | 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(an_interrupt_goes_by_v_irq),
        T(an_interrupt_not_taken_comes_again),
        T(the_processor_is_told_of_changes),
        T(if_and_shadow_ask_for_a_window),
        T(exceptions_go_first),
        T(nmis_are_blocked_up_to_iret),
        T(no_window_before_an_iret_with_if_set),
        T(a_guests_own_steps_stay),
        T(two_nmis_are_kept_and_no_more),
        T(an_interrupted_nmi_merges_with_none),
        T(nmi_waits_for_the_shadow),
        T(nmi_goes_before_an_interrupt),
        T(an_interrupted_interrupt_is_held),
        T(a_v_irq_that_is_still_set_is_not_delivered_twice),
        T(stale_information_is_ignored),
        T(interrupted_exceptions_are_done_again),
        T(software_interrupts_come_by_themselves),
        T(an_interrupted_nmi_is_not_blocked_by_itself),
        T(an_exception_overtakes_an_interrupted_interrupt),
        T(reflecting_what_is_queued_changes_nothing),
        T(an_emulated_instruction_ends_the_shadow_and_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
