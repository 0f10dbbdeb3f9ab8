/* The processors' own data and stacks. */
#include "arch/x86/percpu.h"

#include "arch/x86/descriptors.h"
#include "arch/x86/paging.h"
#include "vmm/host.h"

struct __attribute__((aligned(4096))) ist_stack {
    uint8_t guard[GUARD_SIZE];
    uint8_t stack[IST_STACK_SIZE];
};

struct __attribute__((aligned(4096))) cpu_stacks {
    uint8_t guard[GUARD_SIZE];
    uint8_t main[STACK_SIZE];
    struct ist_stack ist[IST_STACKS];
};

/* The boot processor's: entry.asm starts on its main stack. The others' are allocated when they are started.
 */
extern struct cpu_stacks percpu_stacks;
struct cpu_stacks percpu_stacks;
_Static_assert(offsetof(struct cpu_stacks, main) + STACK_SIZE == 4096 + 16384,
               "BOOT_STACK_TOP in boot/entry.asm");

static struct percpu cpus[MAX_CPUS];
static struct cpu_stacks *stacks[MAX_CPUS] = {&percpu_stacks};
static unsigned int ncpus;

struct percpu *percpu_of(unsigned int id)
{
    return &cpus[id];
}

unsigned int percpu_count(void)
{
    return ncpus;
}

uint64_t percpu_stack_top(unsigned int id, unsigned int stack)
{
    struct cpu_stacks *s = stacks[id];

    if (stack == 0)
        return (uint64_t)(s->main + STACK_SIZE);
    return (uint64_t)(s->ist[stack - 1].stack + IST_STACK_SIZE);
}

uint64_t percpu_guard(unsigned int id, unsigned int stack)
{
    struct cpu_stacks *s = stacks[id];

    return (uint64_t)(stack == 0 ? s->guard : s->ist[stack - 1].guard);
}

uint64_t percpu_stack_end(uint64_t address)
{
    for (unsigned int id = 0; id < ncpus; id++) {
        for (unsigned int stack = 0; stack <= IST_STACKS; stack++) {
            if (address >= percpu_guard(id, stack) + GUARD_SIZE && address < percpu_stack_top(id, stack))
                return percpu_stack_top(id, stack);
        }
    }
    return 0;
}

void percpu_init_boot(void)
{
    struct percpu *cpu = &cpus[0];

    cpu->self = cpu;
    cpu->id = 0;
    cpu->timer_deadline = UINT64_MAX;
    descriptors_init(cpu);
    ncpus = 1;
}

/* They are kept when the processor does not come: the next one gets them. */
static bool make_stacks(unsigned int id)
{
    if (stacks[id])
        return true;
    stacks[id] = host_alloc_pages(sizeof(struct cpu_stacks) / PAGE_SIZE, PAGE_SIZE);
    if (!stacks[id])
        return false;
    for (unsigned int stack = 0; stack <= IST_STACKS; stack++)
        paging_unmap_page(percpu_guard(id, stack));
    return true;
}

struct percpu *percpu_create(void)
{
    struct percpu *cpu;

    if (ncpus == MAX_CPUS || !make_stacks(ncpus))
        return NULL;
    cpu = &cpus[ncpus];
    *cpu = (struct percpu){.self = cpu, .id = ncpus, .timer_deadline = UINT64_MAX};
    ncpus++;
    return cpu;
}

void percpu_forget(struct percpu *cpu)
{
    ASSERT(cpu->id == ncpus - 1);
    ncpus--;
}
