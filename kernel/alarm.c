#include "kernel/alarm.h"

#include "arch/x86/apic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"
#include "kernel/inject.h"
#include "kernel/processor_internal.h"
#include "kernel/smp.h"
#include "kernel/trace.h"
#include "vmm/host.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* QEMU's TCG runs one processor at a time where it counts instructions. It goes on to the next when one halts
 * or pauses, or when a timer is due, and else gives the others nothing for up to 100 ms: guests of several
 * vCPUs see one another stand still with their locks held, and a Linux says "hrtimer: interrupt took 20 ms".
 * So there a processor that has something to run is interrupted when it has had its turn, and pauses. Turns
 * are short where siblings may wait for one another; each costs 1,500 instructions. */
#define ROUNDS_PER_SECOND 2000u /* of short turns, of all processors */
#define TURNS_PER_SECOND  1000u /* of long ones */

static rt_t short_turn, long_turn; /* 0: the machine is no such emulator */

static rt_t within_a_turn(const struct processor *p, rt_t deadline)
{
    bool several = p->loaded && p->loaded->vm->nvcpus > 1;
    rt_t end;

    if (long_turn == 0 || p->idle_since != 0)
        return deadline;
    end = host_now() + (several ? short_turn : long_turn);
    return deadline < end ? deadline : end;
}

static void arm(void *ctx, rt_t deadline)
{
    deadline = within_a_turn(ctx, deadline);
    trace_host(TRACE_ALARM, deadline);
    apic_timer_arm(inject_alarm(deadline));
}

/* In the timer's interrupt, which comes where nothing else is under way: in a guest's exit or in HLT. Nothing
 * is armed before the round has acted on what is due. */
static void fired(void)
{
    trace_host(TRACE_FIRE, 0);
    coordinator_fired(&this_processor()->deadlines);
    if (long_turn != 0)
        cpu_pause();
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

void alarm_start(void)
{
    if (processors_in_use == 1 || !machine_hypervisor_is("TCGTCGTCGTCG"))
        return;
    short_turn = host_hz() / (ROUNDS_PER_SECOND * processors_in_use);
    long_turn = host_hz() / TURNS_PER_SECOND;
}
