#include "kernel/restart.h"

#include "arch/x86/cpu.h"
#include "kernel/alarm.h"
#include "kernel/processor_internal.h"
#include "vmm/host.h"
#include "vmm/vm.h"

#define PIECE 65536u /* bytes, some 10 us: an interrupt waits no longer */

void restart_begin(struct guest *g, const char *who)
{
    g->vm.reset_requested = false;
    g->vm.clearing = true;
    host_log("vm %s: reset by the %s: starts again from its images", g->vm.config.name, who);
}

bool restart_run(struct processor *p, struct sched_entity *e, rt_t now)
{
    const struct vcpu *vcpu = e->owner;
    rt_t until = coordinator_arm(&p->deadlines, p->slice_end);
    bool clear;

    do {
        clear = vm_clear(vcpu->vm, PIECE);
        alarm_mind_turn(p);
        interrupt_window();
        p->left = host_now();
    } while (!clear && p->left < until && !p->attention && !p->resched);
    sched_ran(&p->sched, p->left - now, false);
    return clear;
}
