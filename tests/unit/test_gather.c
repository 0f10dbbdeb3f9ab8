/* links: kernel/gather.c kernel/request.c kernel/sched.c */
/* A VM whose vCPUs have their seats on several processors is had for oneself and let go again
 * (kernel/gather.h; DESIGN.md 2.11; issue "Several processors"): resets, ends, wishes, in every order in
 * which the processors come to their inboxes. The processors here are one thread's: on(id) is the next to
 * act. */
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

/* ---- what gather.c asks of the rest of the kernel ---- */

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

void processor_set_rates(const struct processor *p)
{
    (void)p;
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

static struct processor *on(unsigned int id)
{
    assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &percpus[id]), 0);
    return &processors[id];
}

static bool clears(const struct processor *p)
{
    return guest.vm.clearing && guest_home(&guest) == p->id && guest.entities[0].state == SCHED_READY;
}

/* The VM's turn while it is being cleared (kernel/restart.h). */
static void clear(struct processor *p)
{
    if (clears(p) && vm_clear(&guest.vm, FAKE_VM_MEM / 2))
        gather_cleared(p, &guest);
}

static void serve(unsigned int id)
{
    inbox_serve(&on(id)->inbox);
    clear(on(id));
}

static bool is_idle(void)
{
    if (guest.vm.clearing)
        return false;
    for (unsigned int id = 0; id < PROCESSORS; id++) {
        if (processors[id].inbox.newest)
            return false;
    }
    return true;
}

static void serve_all(void)
{
    for (unsigned int rounds = 0; !is_idle(); rounds++) {
        assert_true(rounds < 100);
        for (unsigned int id = 0; id < PROCESSORS; id++)
            serve(id);
    }
}

/* vCPU i sits on seats[i]; all of them run or could. */
static int set_up(const unsigned int seats[VCPUS])
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

static int spread_over_three(void **state)
{
    static const unsigned int seats[VCPUS] = {0, 1, 2, 1};

    (void)state;
    return set_up(seats);
}

static int all_away_from_home(void **state)
{
    static const unsigned int seats[VCPUS] = {2, 0, 0, 1};

    (void)state;
    return set_up(seats);
}

static int tear_down(void **state)
{
    (void)state;
    if (guest.vm.state != VM_ENDED)
        vm_destroy(&guest.vm);
    return syscall(SYS_arch_prctl, ARCH_SET_GS, NULL) == 0 ? 0 : -1;
}

static unsigned int seated(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < VCPUS; i++)
        n += guest.seats[i].in;
    return n;
}

static unsigned int runnable(void)
{
    unsigned int n = 0;

    for (unsigned int id = 0; id < PROCESSORS; id++)
        n += processors[id].sched.runnable;
    return n;
}

/* Nobody else has any of it. */
static void alone(struct guest *g, void *arg)
{
    assert_ptr_equal(g, &guest);
    assert_int_equal(this_processor()->id, guest_home(g));
    assert_int_equal(seated(), 0);
    assert_int_equal(runnable(), 0);
    assert_int_equal(g->in, 0);
    ++*(unsigned int *)arg;
}

static void all_are_back(unsigned int running)
{
    assert_false(guest.gathering);
    assert_int_equal(guest.in, VCPUS);
    assert_int_equal(seated(), VCPUS);
    assert_int_equal(runnable(), running);
}

/* ---- */

/* From the home and from elsewhere: it is had there, once, and everybody comes back. */
static void a_wish_has_it_alone(void **state)
{
    (void)state;
    for (unsigned int from = 0; from < PROCESSORS; from++) {
        unsigned int had = 0;
        struct wish wish = {alone, &had, false};

        assert_true(gather(on(from), &guest, &wish));
        assert_int_equal(had, 0); /* the others have not left */
        serve_all();
        assert_int_equal(had, 1);
        assert_true(wish.done);
        all_are_back(VCPUS);
    }
    assert_int_equal(polled, PROCESSORS);
}

/* Nobody's wish: what the guest has left to be done. Those that wait for SIPI sit, and do not run. */
static void a_reset(void **state)
{
    (void)state;
    guest.vm.reset_requested = true;
    assert_true(gather(on(1), &guest, NULL));
    serve_all();
    assert_int_equal(guest.vm.restarts, 1);
    assert_false(guest.vm.reset_requested);
    all_are_back(1);
    assert_int_equal(processors[guest_home(&guest)].sched.runnable, 1);
}

/* Each processor has one VM less, the VM is gone, and the boot processor is told when none is left. */
static void an_end(void **state)
{
    (void)state;
    vm_end_exit(&guest.vm, 0);
    assert_true(gather(on(1), &guest, NULL));
    for (unsigned int id = 0; id < PROCESSORS; id++)
        assert_int_equal(processors[id].vms, 1);
    serve_all();
    assert_int_equal(ended, 1);
    assert_int_equal(gather_alive(), 1);
    assert_int_equal(seated(), 0);
    assert_int_equal(runnable(), 0);
    for (unsigned int id = 0; id < PROCESSORS; id++)
        assert_int_equal(processors[id].vms, 0);
    assert_false(processors[0].attention && !is_idle());
}

static void the_last_end_wakes_the_boot_processor(void **state)
{
    (void)state;
    gather_count(1);
    vm_end_exit(&guest.vm, 0);
    assert_true(gather(on(guest_home(&guest)), &guest, NULL));
    serve(1);
    serve(2);
    serve(0);
    processors[0].attention = false;
    serve_all();
    serve(guest_home(&guest));
    assert_int_equal(gather_alive(), 0);
    assert_int_equal(ended, 1);
}

/* Two begin at once: one of them gathers, the other only leaves. A wish that came second is told so. */
static void two_at_once(void **state)
{
    unsigned int had = 0;
    struct wish first = {alone, &had, false}, second = {alone, &had, false};

    (void)state;
    assert_true(gather(on(0), &guest, &first));
    assert_false(gather(on(1), &guest, &second));
    serve_all();
    assert_int_equal(had, 1);
    assert_true(first.done);
    assert_false(second.done);
    all_are_back(VCPUS);
    assert_true(gather(on(1), &guest, &second));
    serve_all();
    assert_true(second.done);
}

/* The guest resets while the operator's wish is under way: both are carried out. */
static void a_wish_and_a_reset(void **state)
{
    unsigned int had = 0;
    struct wish wish = {alone, &had, false};

    (void)state;
    assert_true(gather(on(0), &guest, &wish));
    guest.vm.reset_requested = true;
    assert_false(gather(on(1), &guest, NULL));
    serve_all();
    assert_int_equal(guest.vm.restarts, 1);
    assert_int_equal(had, 1);
    all_are_back(1);
}

/* A request to leave that came too late is still in the inbox, before the one to come back, when the next
 * gathering begins: it does not ask again, and yet everybody leaves. */
static void an_old_request_to_leave(void **state)
{
    unsigned int had = 0;
    struct wish wish = {alone, &had, false};

    (void)state;
    assert_true(gather(on(0), &guest, NULL));
    assert_false(gather(on(1), &guest, NULL)); /* leaves by itself; its inbox has the request */
    serve(2);
    serve(0);
    assert_false(guest.gathering);
    assert_true(gather(on(0), &guest, &wish));
    serve_all();
    assert_true(wish.done);
    all_are_back(VCPUS);
}

static void pause_it(struct guest *g, void *arg)
{
    alone(g, arg);
    g->paused = !g->paused;
}

/* Paused it stays away; the next wish finds it so, and lets it come back. */
static void a_pause(void **state)
{
    unsigned int had = 0;
    struct wish pause = {pause_it, &had, false}, resume = {pause_it, &had, false};

    (void)state;
    assert_true(gather(on(0), &guest, &pause));
    serve_all();
    assert_true(pause.done);
    assert_int_equal(seated(), 0);
    assert_true(gather(on(guest_home(&guest)), &guest, &resume));
    serve_all();
    assert_true(resume.done);
    all_are_back(VCPUS);
}

/* Any processor at any time serves its inbox, wishes, or has a vCPU that resets; nothing is lost and nobody
 * has the VM beside another. A fixed seed. */
static void any_order(void **state)
{
    unsigned int had = 0, wished = 0, resets = 0;
    struct wish wish = {alone, &had, true};

    (void)state;
    srand(1);
    for (unsigned int step = 0; step < 20000; step++) {
        struct processor *p = on((unsigned int)rand() % PROCESSORS);

        switch (rand() % 5) {
        case 0:
            if (wish.done && !guest.gathering) {
                wish.done = false;
                wished++;
                assert_true(gather(p, &guest, &wish));
            }
            break;
        case 1:
            if (p->sched.runnable > 0 && !clears(p)) { /* one of its vCPUs has just run */
                guest.vm.reset_requested = true;
                resets += gather(p, &guest, NULL);
            }
            break;
        case 2:
            clear(p);
            break;
        default:
            inbox_serve(&p->inbox);
        }
        assert_true(seated() <= VCPUS);
        assert_true(runnable() <= (guest.vm.clearing ? 1 : seated()));
    }
    serve_all();
    assert_true(wish.done);
    assert_int_equal(had, wished);
    assert_true(wished > 100 && resets > 100);
    assert_true(guest.vm.restarts >= resets);
    all_are_back(1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, spread_over_three, tear_down)
#define AWAY(f) cmocka_unit_test_setup_teardown(f, all_away_from_home, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_wish_has_it_alone),
        AWAY(a_wish_has_it_alone),
        TEST(a_reset),
        AWAY(a_reset),
        TEST(an_end),
        AWAY(an_end),
        TEST(the_last_end_wakes_the_boot_processor),
        TEST(two_at_once),
        TEST(a_wish_and_a_reset),
        TEST(an_old_request_to_leave),
        TEST(a_pause),
        TEST(any_order),
        AWAY(any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
