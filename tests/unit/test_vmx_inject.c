/* links: arch/x86/vmx/inject.c arch/x86/events.c */
/* Event injection (SDM vol. 3, 27.6), windows (26.2), re-delivery of interrupted events (28.2.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmx.h"

#define IF (1ull << 9)
#define TF (1ull << 8)

static struct vmx_vcpu v;
static struct vcpu vcpu;

static int setup(void **state)
{
    (void)state;
    vcpu = (struct vcpu){.arch = &v};
    vcpu.regs.rflags = 2 | IF;
    v = (struct vmx_vcpu){.vcpu = &vcpu, .events.held_irq = -1};
    return 0;
}

/* What run.c does at an entry: the event leaves. */
static struct event enter(void)
{
    if (v.work & WORK_EVENT)
        vmx_event_promote(&v);
    const struct event ev = v.events.next;
    v.events.next.info = 0;
    if (events_none(&v.events))
        v.work &= ~WORK_EVENT;
    return ev;
}

static void an_interrupt_is_taken_at_once(void **state)
{
    (void)state;
    assert_true(vmx_irq_ready(&vcpu));
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_TAKEN);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_IRQ | 0x30);
    assert_int_equal(v.proc & PROC_IRQ_WINDOW, 0);
    assert_int_equal(enter().info, 0);
    assert_int_equal(v.work, 0);
}

static void if_and_shadows_block(void **state)
{
    (void)state;
    vcpu.regs.rflags = 2;
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_WINDOW);
    vcpu.regs.rflags = 2 | IF;
    v.intr = INTR_STI;
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_WINDOW);
    v.intr = INTR_MOV_SS;
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_WINDOW);
    assert_int_equal(v.proc, PROC_IRQ_WINDOW);
    assert_int_equal(enter().info, 0);
    /* NMI blocking does not block interrupts. */
    v.intr = INTR_NMI;
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_TAKEN);
    assert_int_equal(v.proc, 0);
}

static void an_entry_takes_one_event(void **state)
{
    (void)state;
    vmx_inject_exception(&vcpu, 13, true, 0x18);
    assert_false(vmx_irq_ready(&vcpu));
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_WINDOW);
    const struct event ev = enter();
    assert_int_equal(ev.info, EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 13);
    assert_int_equal(ev.error, 0x18);
}

static void retract_closes_the_window(void **state)
{
    (void)state;
    vcpu.regs.rflags = 2;
    vmx_inject_irq(&vcpu, 0x30);
    vmx_retract_irq(&vcpu);
    assert_int_equal(v.proc, 0);
}

static void nmi_waits_for_its_time(void **state)
{
    (void)state;
    v.intr = INTR_NMI;
    vmx_inject_nmi(&vcpu);
    assert_int_equal(enter().info, 0);
    assert_int_equal(v.proc, PROC_NMI_WINDOW);
    /* In an NMI handler with IF set, interrupts go on. */
    assert_true(vmx_irq_ready(&vcpu));
    v.intr = 0;
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(v.proc, 0);
    assert_int_equal(v.work, 0);
}

static void nmi_goes_before_an_interrupt(void **state)
{
    (void)state;
    vmx_inject_nmi(&vcpu);
    assert_int_equal(vmx_inject_irq(&vcpu, 0x30), INJECT_WINDOW);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
}

/* SDM vol. 3, 6.7.1: one is handled, one is latched behind it. */
static void two_nmis_are_kept_and_no_more(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 3; i++)
        vmx_inject_nmi(&vcpu);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(v.proc, PROC_NMI_WINDOW);
    v.intr = INTR_NMI;
    vmx_inject_nmi(&vcpu);
    assert_int_equal(enter().info, 0);
    v.intr = 0;
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(enter().info, 0);
    /* An interrupted delivery, and one that came meanwhile, which an exception overtakes. */
    vmx_redeliver(&v, EVENT_VALID | EVENT_TYPE_NMI | 2, 0, 0);
    vmx_inject_nmi(&vcpu);
    vmx_inject_exception(&vcpu, 1, false, 0);
    assert_int_equal(v.events.nmis_queued, 2);
}

static void nmi_behind_an_exception(void **state)
{
    (void)state;
    vmx_inject_exception(&vcpu, 6, false, 0);
    vmx_inject_nmi(&vcpu);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_FAULT | 6);
    assert_int_equal(v.events.nmis_queued, 1);
    assert_int_equal(v.proc, PROC_NMI_WINDOW);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
}

static void interrupted_deliveries_are_done_again(void **state)
{
    (void)state;
    /* INT 80h of two bytes; bit 12 is undefined in IDT-vectoring information and must not get into the entry.
     */
    vmx_redeliver(&v, EVENT_VALID | EVENT_IRET_NMI | EVENT_TYPE_SOFT | 0x80, 0, 2);
    struct event ev = enter();
    assert_int_equal(ev.info, EVENT_VALID | EVENT_TYPE_SOFT | 0x80);
    assert_int_equal(ev.length, 2);
    vmx_redeliver(&v, EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 14, 6, 0);
    ev = enter();
    assert_int_equal(ev.info, EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 14);
    assert_int_equal(ev.error, 6);
}

static void a_redelivered_nmi_is_not_blocked_by_itself(void **state)
{
    (void)state;
    v.intr = INTR_NMI;
    vmx_redeliver(&v, EVENT_VALID | EVENT_TYPE_NMI | 2, 0, 0);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
    assert_int_equal(v.intr & INTR_NMI, 0);
}

/* #AC while an acknowledged interrupt is being delivered: neither is lost, and the interrupt waits for IF. */
static void an_overtaken_interrupt_is_held(void **state)
{
    (void)state;
    vmx_redeliver(&v, EVENT_VALID | EVENT_TYPE_IRQ | 0x31, 0, 0);
    vmx_inject_exception(&vcpu, 17, true, 0);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 17);
    assert_int_equal(v.proc, PROC_IRQ_WINDOW);
    vcpu.regs.rflags = 2; /* in the handler */
    assert_int_equal(enter().info, 0);
    vmx_retract_irq(&vcpu); /* of no effect on the held one */
    assert_int_equal(v.proc, PROC_IRQ_WINDOW);
    vcpu.regs.rflags = 2 | IF;
    assert_int_equal(vmx_inject_irq(&vcpu, 0x40), INJECT_WINDOW);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_IRQ | 0x31);
    assert_int_equal(vmx_inject_irq(&vcpu, 0x40), INJECT_TAKEN);
}

static void an_overtaken_nmi_is_queued(void **state)
{
    (void)state;
    vmx_redeliver(&v, EVENT_VALID | EVENT_TYPE_NMI | 2, 0, 0);
    vmx_inject_exception(&vcpu, 1, false, 0);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_FAULT | 1);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_NMI | 2);
}

/* An overtaken fault or INT n comes again by itself: its instruction has not been completed. */
static void an_overtaken_fault_is_dropped(void **state)
{
    (void)state;
    vmx_redeliver(&v, EVENT_VALID | EVENT_TYPE_SOFT | 0x80, 0, 2);
    vmx_inject_exception(&vcpu, 17, true, 0);
    assert_int_equal(enter().info, EVENT_VALID | EVENT_TYPE_FAULT | EVENT_ERROR | 17);
    assert_int_equal(enter().info, 0);
    assert_int_equal(v.work, 0);
}

/* What exit.c has queued (INT1 here) and the dispatcher reflects is one event. */
static void reflecting_what_is_queued_changes_nothing(void **state)
{
    (void)state;
    const struct event int1 = {EVENT_VALID | EVENT_TYPE_PRIV | 1, 0, 1};
    vmx_inject_event(&v, &int1);
    vmx_inject_exception(&vcpu, 1, false, 0);
    const struct event ev = enter();
    assert_int_equal(ev.info, int1.info);
    assert_int_equal(ev.length, 1);
    assert_int_equal(enter().info, 0);
}

static void an_emulated_instruction_ends_the_shadow_and_steps(void **state)
{
    (void)state;
    v.intr = INTR_STI | INTR_NMI;
    vmx_clear_shadow(&vcpu);
    assert_int_equal(v.intr, INTR_NMI);
    assert_int_equal(v.work & WORK_SINGLE_STEP, 0);
    vcpu.regs.rflags |= TF;
    vmx_clear_shadow(&vcpu);
    assert_int_equal(v.work & WORK_SINGLE_STEP, WORK_SINGLE_STEP);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(an_interrupt_is_taken_at_once),
        T(if_and_shadows_block),
        T(an_entry_takes_one_event),
        T(retract_closes_the_window),
        T(nmi_waits_for_its_time),
        T(nmi_goes_before_an_interrupt),
        T(nmi_behind_an_exception),
        T(two_nmis_are_kept_and_no_more),
        T(interrupted_deliveries_are_done_again),
        T(a_redelivered_nmi_is_not_blocked_by_itself),
        T(an_overtaken_interrupt_is_held),
        T(an_overtaken_nmi_is_queued),
        T(an_overtaken_fault_is_dropped),
        T(reflecting_what_is_queued_changes_nothing),
        T(an_emulated_instruction_ends_the_shadow_and_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
