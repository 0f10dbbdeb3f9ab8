/* One VM of four vCPUs on three processors, which are one thread's: on(id) is the next to act. What
 * kernel/gather.c and kernel/spread.c ask of the rest of the kernel is here. Header only. */
#ifndef TESTS_UNIT_SUPPORT_SEATS_RIG_H
#define TESTS_UNIT_SUPPORT_SEATS_RIG_H

#include <asm/prctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernel/accounts.h"
#include "kernel/console.h"
#include "kernel/gather.h"
#include "kernel/processor_internal.h"
#include "kernel/restart.h"
#include "kernel/smp.h"
#include "kernel/spread.h"
#include "kernel/trace.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"

#define PROCESSORS 3
#define VCPUS      4

static struct percpu percpus[PROCESSORS];
static struct processor processors[PROCESSORS];
static struct guest guest;
static unsigned int ended, polled;
unsigned int processors_in_use = PROCESSORS;

/* ---- what gather.c and spread.c ask of the rest of the kernel ---- */

unsigned int guests_count(void)
{
    return 1;
}

struct guest *guests_get(unsigned int index)
{
    assert_int_equal(index, 0);
    return &guest;
}

struct processor *processor_of(unsigned int id)
{
    return &processors[id];
}

void processor_kick(unsigned int id)
{
    processors[id].attention = true;
}

void processor_send(unsigned int id, struct request *r)
{
    assert_true(id < PROCESSORS);
    inbox_put(&processors[id].inbox, r);
    processor_kick(id);
}

void processor_unload(struct processor *p)
{
    p->loaded = NULL;
}

void processor_poll(struct processor *p, struct vm *vm, rt_t now)
{
    assert_int_equal(p->id, guest_home(&guest));
    assert_ptr_equal(vm, &guest.vm);
    (void)now;
    polled++;
}

void processor_wake_at(struct processor *p, struct vm *vm, rt_t rt)
{
    (void)p;
    (void)vm;
    assert_true(rt == RT_NEVER);
}

void accounts_print(const struct vm *vm)
{
    assert_int_equal(vm->state, VM_ENDED);
    ended++;
}

void trace_end(struct vm *vm)
{
    (void)vm;
}

void console_vm_end(unsigned int index)
{
    (void)index;
}

enum input_view console_view(void)
{
    return (enum input_view)0;
}

const char *guests_end_words(char out[GUESTS_END_WORDS], const struct vm *vm)
{
    (void)vm;
    return strcpy(out, "in a test");
}

void restart_begin(struct guest *g, const char *who)
{
    assert_string_equal(who, "guest");
    g->vm.reset_requested = false;
    g->vm.clearing = true;
}

/* ---- the machine ---- */

static inline struct processor *on(unsigned int id)
{
    assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &percpus[id]), 0);
    return &processors[id];
}

static inline bool clears(const struct processor *p)
{
    return guest.vm.clearing && guest_home(&guest) == p->id && guest.entities[0].state == SCHED_READY;
}

/* The VM's turn while it is being cleared (kernel/restart.h). */
static inline void clear(struct processor *p)
{
    if (clears(p) && vm_clear(&guest.vm, FAKE_VM_MEM / 2))
        gather_cleared(p, &guest);
}

static inline void serve(unsigned int id)
{
    inbox_serve(&on(id)->inbox);
    clear(on(id));
}

static inline bool is_idle(void)
{
    if (guest.vm.clearing)
        return false;
    for (unsigned int id = 0; id < PROCESSORS; id++) {
        if (processors[id].inbox.newest)
            return false;
    }
    return true;
}

static inline void serve_all(void)
{
    for (unsigned int rounds = 0; !is_idle(); rounds++) {
        assert_true(rounds < 100);
        for (unsigned int id = 0; id < PROCESSORS; id++)
            serve(id);
    }
}

/* vCPU i sits on seats[i]; all of them run or could. */
static inline int set_up(const unsigned int seats[VCPUS])
{
    struct vm_config config = fake_vm_config();

    fake_reset();
    memset(&guest, 0, sizeof guest);
    ended = polled = 0;
    config.cpus = VCPUS;
    if (!vm_create(&guest.vm, &fake_hv_ops, &config, 0))
        return -1;
    for (unsigned int id = 0; id < PROCESSORS; id++) {
        percpus[id] = (struct percpu){.self = &percpus[id], .id = id, .processor = &processors[id]};
        processors[id] = (struct processor){.id = id};
        sched_init(&processors[id].sched, 1000, true);
    }
    for (unsigned int i = 0; i < VM_MAX_VCPUS; i++)
        guest.seats[i].guest = &guest;
    guest.in = VCPUS;
    for (unsigned int i = 0; i < VCPUS; i++) {
        guest.seats[i].processor = seats[i];
        guest.vm.vcpus[i]->state = VCPU_RUNNABLE;
        processors[seats[i]].vms = 1;
    }
    for (unsigned int id = 0; id < PROCESSORS; id++)
        gather_start(on(id), &guest);
    gather_count(2);
    return 0;
}

static inline int spread_over_three(void **state)
{
    static const unsigned int seats[VCPUS] = {0, 1, 2, 1};

    (void)state;
    return set_up(seats);
}

static inline int all_away_from_home(void **state)
{
    static const unsigned int seats[VCPUS] = {2, 0, 0, 1};

    (void)state;
    return set_up(seats);
}

static inline int two_on_each_of_two(void **state)
{
    static const unsigned int seats[VCPUS] = {0, 0, 1, 1};

    (void)state;
    return set_up(seats);
}

static inline int tear_down(void **state)
{
    (void)state;
    if (guest.vm.state != VM_ENDED)
        vm_destroy(&guest.vm);
    return syscall(SYS_arch_prctl, ARCH_SET_GS, NULL) == 0 ? 0 : -1;
}

static inline unsigned int seated(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < VCPUS; i++)
        n += guest.seats[i].in;
    return n;
}

static inline unsigned int runnable(void)
{
    unsigned int n = 0;

    for (unsigned int id = 0; id < PROCESSORS; id++)
        n += processors[id].sched.runnable;
    return n;
}

/* Nobody else has any of it. */
static inline void alone(struct guest *g, void *arg)
{
    assert_ptr_equal(g, &guest);
    assert_int_equal(this_processor()->id, guest_home(g));
    assert_int_equal(seated(), 0);
    assert_int_equal(runnable(), 0);
    assert_int_equal(g->in, 0);
    ++*(unsigned int *)arg;
}

static inline void all_are_back(unsigned int running)
{
    assert_false(guest.gathering);
    assert_int_equal(guest.in, VCPUS);
    assert_int_equal(seated(), VCPUS);
    assert_int_equal(runnable(), running);
}

#endif
