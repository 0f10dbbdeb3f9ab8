#include "kernel/turns.h"

#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"
#include "kernel/processor_internal.h"
#include "kernel/smp.h"
#include "vmm/host.h"

#define ROUNDS_PER_SECOND 2000u /* of short turns, of all processors */
#define TURNS_PER_SECOND  2000u /* of long ones */
#define LEAST             16u   /* part of a turn, or it is over */
#define LOOKS             16u   /* at another's turn, in a row, until it is taken for one that spins */
#define SAMPLES           32u   /* of the time that the same instructions take */

static rt_t length;        /* of a turn; 0: all processors run at once */
static rt_t least;         /* of one worth taking up again */
static unsigned int whose; /* the turn is; atomic */
static rt_t end;           /* of it; for who has it */

static struct share {
    rt_t rest;         /* what is left of its last turn, while it is another's */
    rt_t wakes;        /* what its timer is wanted for; others look at it while it idles */
    bool wants;        /* it has woken up, and waits for the rest; atomic */
    unsigned int arms; /* of its timer */
} shares[MAX_CPUS];

static bool is_mine(const struct processor *p)
{
    return __atomic_load_n(&whose, __ATOMIC_ACQUIRE) == p->id;
}

static bool idles(unsigned int id)
{
    return __atomic_load_n(&processor_of(id)->idle_since, __ATOMIC_RELAXED) != 0;
}

static bool wants(unsigned int id)
{
    return __atomic_load_n(&shares[id].wants, __ATOMIC_RELAXED);
}

static bool has_some(unsigned int id)
{
    return shares[id].rest >= least;
}

/* The first at which one that idles may wake up, and have some left. */
static rt_t first_wish(void)
{
    rt_t first = RT_NEVER;

    for (unsigned int id = 0; id < processors_in_use; id++) {
        if (idles(id) && has_some(id) && shares[id].wakes < first)
            first = shares[id].wakes;
    }
    return first;
}

rt_t turns_deadline(const struct processor *p, rt_t deadline)
{
    rt_t turn;

    if (length == 0)
        return deadline;
    shares[p->id].wakes = deadline;
    shares[p->id].arms++;
    if (idles(p->id))
        return deadline;
    turn = first_wish();
    turn = turn < end ? turn : end;
    return deadline < turn ? deadline : turn;
}

/* One that wants the turn: the first after the caller's; processors_in_use: none. */
static unsigned int wanting(const struct processor *p)
{
    unsigned int id = p->id + 1;

    while (id < processors_in_use && !wants(id))
        id++;
    for (unsigned int i = 0; i < p->id && id == processors_in_use; i++) {
        if (wants(i))
            id = i;
    }
    return id;
}

bool turns_over(const struct processor *p)
{
    return length != 0 && !idles(p->id) && (!is_mine(p) || wanting(p) != processors_in_use);
}

static void give(unsigned int id, rt_t now)
{
    end = now + (has_some(id) ? shares[id].rest : length);
    shares[id].rest = 0;
    __atomic_store_n(&shares[id].wants, false, __ATOMIC_RELAXED);
    __atomic_store_n(&whose, id, __ATOMIC_RELEASE);
}

/* From one who sleeps with it, and has the rest when it wakes up. One who has slept through its end has
 * another. */
static void take(const struct processor *p, rt_t now)
{
    shares[whose].rest = now < end ? end - now : length;
    give(p->id, now);
}

/* The next that has something to run: p itself, if there is no other. Who idles has a turn in store then. */
static unsigned int next_after(const struct processor *p)
{
    unsigned int id = p->id;

    for (;;) {
        id = (id + 1) % processors_in_use;
        if (id == p->id || !idles(id))
            return id;
        shares[id].rest = length;
    }
}

/* Looks so far, in a row, at one and the same turn of another's. */
struct watch {
    unsigned int whose, looks, arms;
    rt_t end;
};

/* With each PAUSE of its guest's the others get a look; with each timer that it arms, too. */
static bool spins(struct watch *w)
{
    unsigned int id = whose, arms = shares[id].arms;

    if (id != w->whose || end != w->end)
        *w = (struct watch){.whose = id, .end = end};
    if (arms == w->arms)
        return ++w->looks >= LOOKS;
    w->arms = arms;
    return false;
}

/* Until it is the caller's, or who has it sleeps or spins with it; or there must be something that is not
 * understood here: that one may be waiting, without PAUSE, for something that the caller has. */
static void wait_for_mine(const struct processor *p)
{
    rt_t patience = host_now() + processors_in_use * length;
    struct watch w = {0};

    while (!is_mine(p)) {
        if (idles(whose))
            take(p, host_now());
        else if (spins(&w) || host_now() >= patience)
            give(p->id, host_now());
        else
            cpu_pause();
    }
}

/* Those whose timer has gone off wake up. Nobody is waited for twice, whatever keeps him from it. */
static void let_wake(rt_t now)
{
    cpu_pause();
    for (unsigned int id = 0; id < processors_in_use; id++) {
        if (shares[id].wakes <= now)
            shares[id].wakes = RT_NEVER;
    }
}

/* To one that wants it; who has it goes on with the rest when that one sleeps again. */
static void lend(const struct processor *p)
{
    unsigned int id = wanting(p);
    rt_t now = host_now();

    if (id == processors_in_use || now >= end)
        return;
    shares[p->id].rest = end - now;
    give(id, now);
}

void turns_fired(const struct processor *p)
{
    rt_t now = host_now();

    shares[p->id].wakes = RT_NEVER;
    if (length == 0 || idles(p->id))
        return;
    if (is_mine(p) && now >= first_wish())
        let_wake(now);
    if (is_mine(p))
        lend(p);
    if (is_mine(p) && host_now() >= end)
        give(next_after(p), host_now());
    if (!is_mine(p))
        wait_for_mine(p);
}

void turns_wake(const struct processor *p)
{
    if (length == 0)
        return;
    if (is_mine(p) && host_now() >= end)
        give(next_after(p), host_now());
    if (is_mine(p))
        return;
    __atomic_store_n(&shares[p->id].wants, has_some(p->id), __ATOMIC_RELAXED);
    wait_for_mine(p);
}

static uint64_t time_of_a_few_instructions(void)
{
    uint64_t began = rdtsc_ordered(), n = 64;

    __asm__ volatile("1: decq %0; jnz 1b" : "+r"(n) : : "cc");
    return rdtsc_ordered() - began;
}

/* Where it is the processor's clock that counts, or another machine's, they take now more, now less. */
static bool instructions_are_counted(void)
{
    uint64_t first = time_of_a_few_instructions();

    for (unsigned int i = 1; i < SAMPLES; i++) {
        if (time_of_a_few_instructions() != first)
            return false;
    }
    return true;
}

/* Then turns are short: a guest's vCPUs wait for one another. */
static bool any_siblings(void)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        if (guests_get(i)->vm.nvcpus > 1)
            return true;
    }
    return false;
}

void turns_start(void)
{
    bool several = any_siblings();

    if (processors_in_use == 1 || !machine_hypervisor_is("TCGTCGTCGTCG") || !instructions_are_counted())
        return;
    length = host_hz() / (several ? ROUNDS_PER_SECOND * processors_in_use : TURNS_PER_SECOND);
    least = length / LEAST;
    for (unsigned int id = 0; id < processors_in_use; id++)
        shares[id].wakes = RT_NEVER;
    end = host_now() + length;
}
