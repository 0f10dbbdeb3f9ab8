#include "kernel/turns.h"

#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"
#include "kernel/processor_internal.h"
#include "kernel/smp.h"
#include "vmm/host.h"

#define ROUNDS_PER_SECOND 2000u /* of short turns, of all processors */
#define TURNS_PER_SECOND  2000u /* of long ones */
#define LOOKS             16u   /* at another's turn, in a row, until it is taken for one that spins */
#define SAMPLES           32u   /* of the time that the same instructions take */

static rt_t length;        /* of a turn; 0: all processors run at once */
static unsigned int whose; /* the turn is; atomic */
static rt_t end;           /* of it; for who has it */

static bool is_mine(const struct processor *p)
{
    return __atomic_load_n(&whose, __ATOMIC_ACQUIRE) == p->id;
}

static bool idles(unsigned int id)
{
    return __atomic_load_n(&processor_of(id)->idle_since, __ATOMIC_RELAXED) != 0;
}

rt_t turns_end(const struct processor *p)
{
    if (length == 0 || idles(p->id))
        return RT_NEVER;
    return is_mine(p) ? end : host_now() + length;
}

static void give(unsigned int id, rt_t now)
{
    end = now + length;
    __atomic_store_n(&whose, id, __ATOMIC_RELEASE);
}

/* The next that has something to run: p itself, if there is no other. */
static unsigned int next_after(const struct processor *p)
{
    unsigned int id = p->id;

    do
        id = (id + 1) % processors_in_use;
    while (id != p->id && idles(id));
    return id;
}

/* Looks so far, in a row, at one and the same turn of another's. */
struct watch {
    unsigned int whose, looks;
    rt_t end;
};

/* Who has the turn sleeps with it, or spins: with each PAUSE of its guest's the others get a look. A timer
 * that it arms brings one, too, but not as many. */
static bool is_unused(struct watch *w)
{
    unsigned int id = __atomic_load_n(&whose, __ATOMIC_RELAXED);

    if (id != w->whose || end != w->end)
        *w = (struct watch){.whose = id, .end = end};
    return idles(id) || ++w->looks >= LOOKS;
}

/* Until it is the caller's, or nobody uses it; or there must be something that is not understood here: one
 * who has the turn may be waiting, without PAUSE, for something that the caller has. */
static void wait_for_mine(const struct processor *p, rt_t patience)
{
    struct watch w = {0};

    while (!is_mine(p)) {
        if (is_unused(&w) || host_now() >= patience)
            give(p->id, host_now());
        else
            cpu_pause();
    }
}

void turns_wait(const struct processor *p)
{
    rt_t now;

    if (length == 0 || idles(p->id))
        return;
    now = host_now();
    if (is_mine(p) && now >= end)
        give(next_after(p), now);
    if (!is_mine(p))
        wait_for_mine(p, now + processors_in_use * length);
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
    end = host_now() + length;
}
