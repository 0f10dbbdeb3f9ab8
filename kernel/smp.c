#include "kernel/smp.h"

#include "arch/x86/apic.h"
#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/traps.h"
#include "arch/x86/warp.h"
#include "kernel/gather.h"
#include "kernel/processor.h"
#include "kernel/processor_internal.h"
#include "kernel/spread.h"
#include "kernel/trace.h"
#include "vmm/host.h"

#define LOOKS                                                                                                \
    100000000u /* at another processor's turn or answer until it is taken for dead: a second or so */

unsigned int processors_in_use = 1;
static volatile bool go;

/* The one that is being started. */
static struct {
    const struct hv_ops *backend;
    const struct global_config *global;
    struct warp warp;
    volatile enum { COMPARING, AGREED, READY, FAILED } state;
    char why[VM_REASON_MAX];
} start;

/* ---- the start ---- */

static void wait_for(bool (*come)(void))
{
    for (unsigned int looks = LOOKS; looks > 0 && !come(); looks--)
        cpu_pause();
}

static bool agreed(void)
{
    return start.state == AGREED;
}

static bool settled(void)
{
    return start.state == READY || start.state == FAILED;
}

/* On the new processor. The boot processor dismisses it where it stands if it does not like what it sees. */
static void begin(void)
{
    if (!warp_run(&start.warp, false, LOOKS))
        return;
    wait_for(agreed);
    if (!start.backend->cpu_enable(start.why, sizeof start.why)) {
        start.state = FAILED;
        return;
    }
    trace_init(start.global);
    processor_init(start.global);
    start.state = READY;
    while (!go) {
        inbox_serve(&this_processor()->inbox);
        wait_for_interrupt();
    }
    processor_run();
}

/* What is wrong with the one that has answered; NULL: nothing, it is ready. */
static const char *try(void)
{
    if (!warp_run(&start.warp, true, LOOKS))
        return "it stopped while its TSC was compared";
    if (start.warp.backwards) {
        host_snprintf(start.why, sizeof start.why, "its TSC and the boot processor's are %llu ticks apart",
                      (unsigned long long)start.warp.backwards);
        return start.why;
    }
    start.state = AGREED;
    wait_for(settled);
    if (start.state == READY)
        return NULL;
    return start.state == FAILED ? start.why : "it stopped while it switched virtualization on";
}

/* False, and what was wrong in *why. */
static bool start_one(uint32_t apic_id, const char **why)
{
    struct percpu *cpu;

    warp_init(&start.warp);
    start.state = COMPARING;
    cpu = smp_start(apic_id, begin, why);
    if (!cpu)
        return false;
    *why = try();
    if (*why)
        smp_dismiss(cpu);
    return *why == NULL;
}

static void kicked(struct trap_frame *frame)
{
    (void)frame;
    apic_eoi();
}

void processors_start(const struct boot_info *boot, const struct global_config *global,
                      const struct hv_ops *backend)
{
    unsigned int limit = global->processors ? global->processors : MAX_CPUS;
    static uint32_t ids[MAX_CPUS];
    unsigned int n = smp_others(ids, MAX_CPUS);
    const char *why;

    trap_set_handler(VECTOR_IPI_KICK, kicked);
    if (n == 0 || limit == 1)
        return;
    if (!smp_prepare(boot)) {
        host_log("no memory below 1 MiB to start other processors from: the boot processor runs everything");
        return;
    }
    start.backend = backend;
    start.global = global;
    for (unsigned int i = 0; i < n && processors_in_use < limit; i++) {
        if (start_one(ids[i], &why))
            processors_in_use++;
        else
            host_log("processor with APIC id %u left out: %s", ids[i], why);
    }
    smp_finish();
}

void processors_go(void)
{
    go = true;
    for (unsigned int id = 1; id < processors_in_use; id++)
        processor_kick(id);
}

void processors_report(void)
{
    for (unsigned int id = 0; id < processors_in_use; id++) {
        const struct processor *p = processor_of(id);

        if (processors_in_use == 1 && p->switches == 0)
            continue; /* nothing has run */
        host_log("processor %u: %llu switches, timer armed %llu times, %llu vCPUs taken over", id,
                 (unsigned long long)p->switches, (unsigned long long)p->deadlines.arms,
                 (unsigned long long)p->arrivals);
    }
}

/* ---- requests ---- */

void processor_kick(unsigned int id)
{
    processor_of(id)->attention = true;
    if (id != this_cpu()->id)
        processor_interrupt(id);
}

void processor_interrupt(unsigned int id)
{
    apic_send_ipi(percpu_of(id)->apic_id, VECTOR_IPI_KICK);
}

void processor_send(unsigned int id, struct request *r)
{
    inbox_put(&processor_of(id)->inbox, r);
    processor_kick(id);
}

/* What comes meanwhile, as what the operator types, is not kept waiting. */
static void wait_a_moment(void)
{
    cpu_pause();
    interrupt_window();
}

struct call {
    struct request request;
    struct guest *guest;
    struct wish wish;
    bool alone;
    bool moved; /* it did not find the VM at home, or not at leisure; atomic */
};

/* False: not now, or not here. Else the call is its caller's again as soon as wish.done is set. */
static bool carry_out(struct call *c)
{
    struct processor *p = this_processor();
    struct guest *g = c->guest;

    if (guest_home(g) != p->id)
        return false;
    if (c->alone)
        return gather(p, g, &c->wish);
    g->vm.trace = host_trace();
    vm_lock(&g->vm);
    c->wish.fn(g, c->wish.arg);
    vm_unlock(&g->vm);
    __atomic_store_n(&c->wish.done, true, __ATOMIC_RELEASE);
    return true;
}

static void answer(struct request *r)
{
    struct call *c = request_of(r, struct call, request);

    if (!carry_out(c))
        __atomic_store_n(&c->moved, true, __ATOMIC_RELEASE);
}

/* What others want of this processor meanwhile may be what is waited for. */
static void let_others(void)
{
    inbox_serve(&this_processor()->inbox);
    wait_a_moment();
}

static bool is_done(const struct call *c)
{
    return __atomic_load_n(&c->wish.done, __ATOMIC_ACQUIRE);
}

static bool is_moved(const struct call *c)
{
    return __atomic_load_n(&c->moved, __ATOMIC_ACQUIRE);
}

/* True if it has been carried out, or will be. */
static bool try_call(struct call *c)
{
    unsigned int home = guest_home(c->guest);

    if (home == HOME_NONE)
        return false;
    if (home == this_cpu()->id)
        return carry_out(c);
    c->moved = false;
    processor_send(home, &c->request);
    while (!is_done(c) && !is_moved(c))
        let_others();
    return is_done(c);
}

static void call(struct guest *g, void (*fn)(struct guest *g, void *arg), void *arg, bool alone)
{
    struct call c = {{.carry_out = answer}, g, {fn, arg, false}, alone, false};

    while (!try_call(&c))
        let_others();
    while (!is_done(&c))
        let_others();
}

void processor_call(struct guest *g, void (*fn)(struct guest *g, void *arg), void *arg)
{
    call(g, fn, arg, false);
}

void processor_call_alone(struct guest *g, void (*fn)(struct guest *g, void *arg), void *arg)
{
    call(g, fn, arg, true);
}

struct errand {
    struct request request;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void run_errand(struct request *r)
{
    struct errand *e = request_of(r, struct errand, request);

    e->fn(e->arg);
    __atomic_store_n(&e->done, true, __ATOMIC_RELEASE);
}

void processors_each(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    for (unsigned int id = 0; id < processors_in_use; id++) {
        struct errand errand = {{.carry_out = run_errand}, fn, arg, false};

        if (id == this_cpu()->id)
            continue;
        processor_send(id, &errand.request);
        while (!__atomic_load_n(&errand.done, __ATOMIC_ACQUIRE))
            let_others();
    }
}

/* ---- a panic ---- */

#define NOBODY UINT32_MAX

static uint32_t alone = NOBODY; /* the processor for which all others stop; atomic */
static uint64_t stopped;        /* a bit for each that has; atomic */

_Static_assert(MAX_CPUS <= 64, "stopped has a bit for each");

/* An NMI that comes while it halts changes nothing: the bit is there. */
static _Noreturn void stop(void)
{
    __atomic_fetch_or(&stopped, 1ull << this_cpu()->id, __ATOMIC_RELEASE);
    cpu_halt_forever();
}

/* Bounded: one may be broken, or not have begun yet. */
static void stop_others(void)
{
    uint64_t others = 0;

    for (unsigned int id = 0; id < percpu_count(); id++) {
        if (id == this_cpu()->id)
            continue;
        others |= 1ull << id;
        apic_send_nmi(percpu_of(id)->apic_id);
    }
    for (unsigned int looks = LOOKS / 100; looks > 0; looks--) {
        if ((__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) & others) == others)
            return;
        cpu_pause();
    }
}

void processors_stop(void)
{
    uint32_t first = NOBODY;

    if (__atomic_compare_exchange_n(&alone, &first, this_cpu()->id, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        stop_others();
    else if (first != this_cpu()->id)
        stop();
}

void processors_stop_here(void)
{
    uint32_t first = __atomic_load_n(&alone, __ATOMIC_ACQUIRE);

    if (first != NOBODY && first != this_cpu()->id)
        stop();
}
