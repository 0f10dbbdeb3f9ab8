/* The processors' own data and stacks. */
#include "arch/x86/percpu.h"

#include "arch/x86/descriptors.h"

struct __attribute__((aligned(4096))) ist_stack {
    uint8_t guard[GUARD_SIZE];
    uint8_t stack[IST_STACK_SIZE];
};

struct __attribute__((aligned(4096))) cpu_stacks {
    uint8_t guard[GUARD_SIZE];
    uint8_t main[STACK_SIZE];
    struct ist_stack ist[IST_STACKS];
};

/* entry.asm starts on the first one's main stack. */
extern struct cpu_stacks percpu_stacks[MAX_CPUS];
struct cpu_stacks percpu_stacks[MAX_CPUS];
_Static_assert(offsetof(struct cpu_stacks, main) + STACK_SIZE == 4096 + 16384,
               "BOOT_STACK_TOP in boot/entry.asm");

static struct percpu cpus[MAX_CPUS];
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
    struct cpu_stacks *s = &percpu_stacks[id];

    if (stack == 0)
        return (uint64_t)(s->main + STACK_SIZE);
    return (uint64_t)(s->ist[stack - 1].stack + IST_STACK_SIZE);
}

uint64_t percpu_guard(unsigned int id, unsigned int stack)
{
    struct cpu_stacks *s = &percpu_stacks[id];

    return (uint64_t)(stack == 0 ? s->guard : s->ist[stack - 1].guard);
}

uint64_t percpu_stack_end(uint64_t address)
{
    for (unsigned int id = 0; id < MAX_CPUS; id++) {
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
