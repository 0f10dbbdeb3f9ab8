#include "kernel/alarm.h"

#include "arch/x86/apic.h"
#include "kernel/inject.h"
#include "kernel/processor_internal.h"
#include "kernel/trace.h"
#include "kernel/turns.h"

static void arm(void *ctx, rt_t deadline)
{
    deadline = turns_deadline(ctx, deadline);
    trace_host(TRACE_ALARM, deadline);
    apic_timer_arm(inject_alarm(deadline));
}

void alarm_mind_turn(const struct processor *p)
{
    if (turns_over(p))
        apic_timer_arm(0);
}

/* In the timer's interrupt, which comes where nothing else is under way: in a guest's exit or in HLT. Nothing
 * is armed before the round has acted on what is due. */
static void fired(void)
{
    trace_host(TRACE_FIRE, 0);
    coordinator_fired(&this_processor()->deadlines);
    turns_fired(this_processor());
}

void alarm_init(struct processor *p, uint64_t poll)
{
    static const struct coordinator_alarm_ops ops = {.arm = arm};

    coordinator_init(&p->deadlines, &ops, p);
    coordinator_poll(&p->deadlines, poll);
    if (p->id == 0)
        apic_timer_init(true, fired);
    else
        apic_timer_enable();
}
