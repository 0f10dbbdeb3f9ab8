#include "kernel/spread.h"

#include "arch/x86/percpu.h"
#include "kernel/gather.h"
#include "kernel/processor_internal.h"
#include "kernel/smp.h"
#include "vmm/backend.h"
#include "vmm/host.h"

#define LOOKS 3u /* at the others' queues, in a row, that find them shorter */

uint64_t spread_idle;

_Static_assert(MAX_CPUS <= 64, "spread_idle has a bit for each");

static struct guest *guest_of(const struct sched_entity *e)
{
    const struct vcpu *vcpu = e->owner;

    return guests_get(vcpu->vm->index);
}

/* ---- the start ---- */

/* The one with the fewest vCPUs; of equals the first. */
static unsigned int emptiest(const unsigned int *vcpus, unsigned int processors)
{
    unsigned int best = 0;

    for (unsigned int i = 1; i < processors; i++) {
        if (vcpus[i] < vcpus[best])
            best = i;
    }
    return best;
}

static bool is_new(const struct guest *g, unsigned int id)
{
    for (unsigned int i = 0; i < id; i++) {
        if (g->seats[i].processor == g->seats[id].processor)
            return false;
    }
    return true;
}

static void take_seat(struct guest *g, unsigned int id, unsigned int processor)
{
    g->seats[id].processor = processor;
    if (is_new(g, id))
        processor_of(processor)->vms++;
    if (processor != 0) /* it was made on the boot processor */
        hv->vcpu_unload(g->vm.vcpus[id]);
}

/* With monitor=each a VM's timers are all in one coordinator (timers/monitor.h). */
static void settle(struct guest *g, unsigned int *vcpus, unsigned int processors, bool together)
{
    const struct vm_config *c = &g->vm.config;

    g->in = g->vm.nvcpus;
    for (unsigned int i = 0; i < VM_MAX_VCPUS; i++)
        g->seats[i].guest = g;
    for (unsigned int i = 0; i < g->vm.nvcpus; i++) {
        unsigned int at =
            c->npins > 0 ? c->pins[i < c->npins ? i : c->npins - 1] : emptiest(vcpus, processors);

        take_seat(g, i, together ? g->seats[0].processor : at);
        vcpus[g->seats[i].processor]++;
    }
}

/* Those with pin=, or those without. */
static void settle_all(bool pinned, unsigned int *vcpus, unsigned int processors, bool together)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        struct guest *g = guests_get(i);

        if (g->vm.state == VM_RUNNING && (g->vm.config.npins > 0) == pinned)
            settle(g, vcpus, processors, together);
    }
}

void spread_start(unsigned int processors, bool together)
{
    static unsigned int vcpus[MAX_CPUS];

    settle_all(true, vcpus, processors, together); /* the others go where room is left */
    settle_all(false, vcpus, processors, together);
}

bool spread_refuses(const struct vm_config *config, char *why, size_t size)
{
    unsigned int last = processors_in_use - 1;

    for (unsigned int i = 0; i < config->npins; i++) {
        if (config->pins[i] > last) {
            host_snprintf(why, size, "pin=%u: the processors in use are 0 to %u", config->pins[i], last);
            return true;
        }
    }
    return false;
}

/* ---- rates ---- */

void spread_set_rates(struct processor *p)
{
    unsigned int vms = __atomic_load_n(&p->vms, __ATOMIC_RELAXED);

    p->rated = vms;
    for (unsigned int i = 0; i < guests_count(); i++) {
        struct guest *g = guests_get(i);

        if (guest_home(g) == p->id && g->vm.state == VM_RUNNING && g->vm.config.time.maxrate == 0)
            g->vm.time.policy.maxrate = (struct vt_ratio){4ull * vms, 1};
    }
}

/* ---- idle ones ---- */

static uint64_t bit(unsigned int id)
{
    return 1ull << id;
}

/* Any order of these and of the round's own look at its queue will do: a VM that is not given now is at the
 * next round, at the end of a slice at the latest. */
static struct processor *busiest(const struct processor *p)
{
    struct processor *best = NULL;

    for (unsigned int i = 0; i < processors_in_use; i++) {
        struct processor *q = processor_of(i);
        unsigned int n = __atomic_load_n(&q->sched.runnable, __ATOMIC_RELAXED);

        if (q != p && n > 1 && (!best || n > best->sched.runnable))
            best = q;
    }
    return best;
}

void spread_idles(struct processor *p)
{
    rt_t now = host_now();
    struct processor *q;

    if (p->idle_since == 0)
        __atomic_store_n(&p->idle_since, now, __ATOMIC_RELAXED);
    __atomic_fetch_or(&spread_idle, bit(p->id), __ATOMIC_SEQ_CST);
    if (now - p->asked < p->sched.slice)
        return; /* who wakes and sleeps a thousand times a second does not interrupt others as often */
    q = busiest(p);
    if (!q)
        return;
    p->asked = now;
    processor_kick(q->id);
}

void spread_wakes(struct processor *p)
{
    __atomic_fetch_and(&spread_idle, ~bit(p->id), __ATOMIC_SEQ_CST);
}

/* ---- moving ---- */

/* On the processor that it comes to. */
static void arrive(struct request *r)
{
    struct guest *g = request_of(r, struct guest, move);
    struct processor *p = this_processor();

    __atomic_fetch_add(&p->vms, 1, __ATOMIC_RELAXED);
    p->arrivals++;
    g->seats[0].in = true;
    spread_set_rates(p);
    sched_adopt(&p->sched, &g->entities[0]);
    __atomic_store_n(&g->seats[0].processor, p->id, __ATOMIC_RELEASE);
}

static void give_vm(struct processor *p, struct guest *g, unsigned int to)
{
    gather_leave(p, g, 0);
    hv->vcpu_unload(g->vm.vcpus[0]);
    __atomic_fetch_sub(&p->vms, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&g->seats[0].processor, HOME_NONE, __ATOMIC_RELEASE);
    spread_set_rates(p);
    g->move.carry_out = arrive;
    processor_send(to, &g->move);
}

/* A vCPU of several, for which its VM is gathered: one at a time. */
struct moving {
    struct wish wish;
    bool under_way; /* atomic */
    rt_t began;
    unsigned int id, to;
};

static struct moving movings[GUESTS_MAX]; /* by the VM's index */

static bool has_a_seat_on(const struct guest *g, unsigned int processor)
{
    for (unsigned int i = 0; i < g->vm.nvcpus; i++) {
        if (seat_is_on(&g->seats[i], processor))
            return true;
    }
    return false;
}

/* While nobody sits: no deadline of the VM's, and no other processor's queue, has anything of it. Its home
 * goes with vCPU 0, and is nowhere until it is there. */
static void change_seat(struct processor *p, struct guest *g, unsigned int id, unsigned int to)
{
    struct seat *seat = &g->seats[id];
    unsigned int from = seat->processor;

    processor_wake_at(p, &g->vm, RT_NEVER); /* input may have had it looked at meanwhile */
    if (!has_a_seat_on(g, to))
        __atomic_fetch_add(&processor_of(to)->vms, 1, __ATOMIC_RELAXED);
    g->bound_for = to;
    seat->moved = true;
    __atomic_store_n(&seat->processor, id == 0 ? HOME_NONE : to, __ATOMIC_RELEASE);
    if (!has_a_seat_on(g, from))
        __atomic_fetch_sub(&processor_of(from)->vms, 1, __ATOMIC_RELAXED);
}

/* The wish, at home. If it is too late, the other is told that nothing comes. */
static void move(struct guest *g, void *arg)
{
    struct moving *m = arg;

    if (g->vm.state != VM_RUNNING || g->vm.clearing || g->paused)
        processor_kick(m->to);
    else
        change_seat(this_processor(), g, m->id, m->to);
    __atomic_store_n(&m->under_way, false, __ATOMIC_RELEASE);
}

static void give_vcpu(struct processor *p, struct guest *g, unsigned int id, unsigned int to)
{
    struct moving *m = &movings[g->vm.index];

    if (__atomic_exchange_n(&m->under_way, true, __ATOMIC_ACQ_REL)) {
        processor_kick(to);
        return;
    }
    m->wish = (struct wish){.fn = move, .arg = m};
    m->began = host_now();
    m->id = id;
    m->to = to;
    if (!gather(p, g, &m->wish)) {
        __atomic_store_n(&m->under_way, false, __ATOMIC_RELEASE);
        processor_kick(to);
    }
}

/* A gathering takes the siblings out of the guest: not more often than once in a slice, */
static bool may_be_gathered(const struct processor *p, const struct guest *g, rt_t now)
{
    return !p->each && !__atomic_load_n(&g->gathering, __ATOMIC_RELAXED) &&
           now - movings[g->vm.index].began >= p->sched.slice;
}

/* ... and not for a processor that has nothing to run for a moment: those that sleep there come back, and are
 * one too many then. */
static bool is_idle(const struct processor *p, unsigned int to, rt_t now)
{
    rt_t since = __atomic_load_n(&processor_of(to)->idle_since, __ATOMIC_RELAXED);

    return since != 0 && now >= since && now - since >= p->sched.slice;
}

/* The last in the queue would wait longest. Best is one without siblings where it goes, for two that spin for
 * one another want two processors. NULL: none may move; several: those that have siblings may. */
static struct sched_entity *to_give(const struct processor *p, unsigned int to, rt_t now, bool several)
{
    struct sched_entity *last = NULL, *best = NULL;

    for (struct sched_entity *e = p->sched.head; e != NULL; e = e->next) {
        const struct guest *g = guest_of(e);

        if (g->vm.config.npins > 0 || g->vm.clearing)
            continue;
        if (g->vm.nvcpus > 1 && !(several && may_be_gathered(p, g, now)))
            continue;
        last = e;
        if (!has_a_seat_on(g, to))
            best = e;
    }
    return best ? best : last;
}

static void give(struct processor *p, const struct sched_entity *e, unsigned int to)
{
    struct guest *g = guest_of(e);

    if (g->vm.nvcpus == 1)
        give_vm(p, g, to);
    else
        give_vcpu(p, g, ((const struct vcpu *)e->owner)->id, to);
}

/* Its bit is ours then. False: somebody else was quicker. */
static bool claim(unsigned int id)
{
    return __atomic_fetch_and(&spread_idle, ~bit(id), __ATOMIC_SEQ_CST) & bit(id);
}

static void share_with_idle(struct processor *p, rt_t now)
{
    uint64_t left = __atomic_load_n(&spread_idle, __ATOMIC_RELAXED);

    for (; left != 0 && p->sched.runnable > 1; left &= left - 1) {
        unsigned int to = (unsigned int)__builtin_ctzll(left);
        struct sched_entity *e = to_give(p, to, now, is_idle(p, to, now));

        if (e && claim(to))
            give(p, e, to);
    }
}

static unsigned int runnable_on(unsigned int id)
{
    return __atomic_load_n(&processor_of(id)->sched.runnable, __ATOMIC_RELAXED);
}

/* Whoever sleeps has its seat all the same: those that were spread while siblings slept may stand in two
 * queues of three and of one afterwards, and nobody is idle. What is so for a moment is not looked at. */
static void level(struct processor *p, rt_t now)
{
    unsigned int to = p->id;
    struct sched_entity *e;

    for (unsigned int id = 0; id < processors_in_use; id++) {
        if (runnable_on(id) < runnable_on(to))
            to = id;
    }
    p->uneven = p->sched.runnable >= runnable_on(to) + 2 ? p->uneven + 1 : 0;
    if (p->uneven < LOOKS || (e = to_give(p, to, now, true)) == NULL)
        return;
    p->uneven = 0;
    give(p, e, to);
}

void spread_share(struct processor *p, rt_t now)
{
    if (spread_idle)
        share_with_idle(p, now);
    if (now < p->next_level)
        return;
    p->next_level = now + p->sched.slice;
    level(p, now);
}
