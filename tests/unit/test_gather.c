/* links: kernel/gather.c kernel/request.c kernel/sched.c kernel/spread.c */
/* A VM whose vCPUs have their seats on several processors is had for oneself and let go again
 * (kernel/gather.h; DESIGN.md 2.11; issue "Several processors"): resets, ends, wishes, seats that change
 * (test_spread.c), in every order in which the processors come to their inboxes. The processors here are
 * one thread's: on(id) is the next to act. */
#include "tests/unit/support/seats_rig.h"

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

/* A SIPI is told of while its target is on its way: nobody is there for the call, and yet it runs. */
static void a_sipi_on_the_way(void **state)
{
    struct vcpu *vcpu = guest.vm.vcpus[3];

    (void)state;
    vcpu->state = VCPU_WAIT_SIPI;
    assert_true(gather(on(0), &guest, NULL));
    serve(1);
    vcpu->lapic.sipi_pending = true;
    gather_call(&guest.seats[3]);
    serve(1);
    serve_all();
    assert_int_equal(guest.entities[3].state, SCHED_READY);
    all_are_back(VCPUS);
}

/* One of p's vCPUs has sent it a SIPI. */
static void start_another(struct processor *p, unsigned int id)
{
    struct seat *seat = &guest.seats[id];

    guest.vm.vcpus[id]->state = VCPU_RUNNABLE;
    if (seat->processor == p->id)
        gather_wake(p, seat);
    else
        gather_call(seat);
}

/* Any processor at any time serves its inbox, wishes, or has a vCPU that resets; nothing is lost and nobody
 * has the VM beside another. A fixed seed. */
static void any_order(void **state)
{
    unsigned int had = 0, wished = 0, resets = 0;
    struct wish wish = {alone, &had, true};

    (void)state;
    srand(1);
    for (unsigned int step = 0; step < 150000; step++) {
        struct processor *p = on((unsigned int)rand() % PROCESSORS);

        fake_host.now += 300;
        switch (rand() % 9) {
        case 0:
            if (wish.done && !guest.gathering) {
                wish.done = false;
                wished++;
                assert_true(gather(p, &guest, &wish));
            }
            break;
        case 1:
            if (p->sched.runnable > 0 && !clears(p) && rand() % 4 == 0) { /* one of its vCPUs has just run */
                guest.vm.reset_requested = true;
                resets += gather(p, &guest, NULL);
            }
            break;
        case 2:
            clear(p);
            break;
        case 3:
            spread_idle = 1u << rand() % PROCESSORS & ~(1u << p->id);
            for (unsigned int id = 0; id < PROCESSORS; id++)
                processors[id].idle_since = 1;
            spread_share(p, fake_host.now);
            spread_idle = 0;
            break;
        case 4:
        case 5:
            if (p->sched.runnable > 0 && !clears(p))
                start_another(p, (unsigned int)rand() % VCPUS);
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
    for (unsigned int id = 0; id < PROCESSORS; id++)
        assert_true(processors[id].arrivals > 10);
    assert_true(guest.vm.restarts >= resets);
    for (unsigned int i = 0; i < VCPUS; i++)
        assert_true(guest.entities[i].state == SCHED_READY || guest.vm.vcpus[i]->state != VCPU_RUNNABLE);
    all_are_back(runnable());
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, spread_over_three, tear_down)
#define TWO(f)  cmocka_unit_test_setup_teardown(f, two_on_each_of_two, tear_down)
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
        TWO(a_sipi_on_the_way),
        TEST(any_order),
        AWAY(any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
