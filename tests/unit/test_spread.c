/* links: kernel/gather.c kernel/request.c kernel/sched.c kernel/spread.c */
/* A vCPU goes to another processor (kernel/spread.h; issue "Several processors": "work moves to idle
 * processors"). */
#include "tests/unit/support/seats_rig.h"

/* On one clock for all tests: a VM that has moved stays for a slice. */
static void a_slice_passes(void)
{
    static uint64_t now;

    fake_host.now = now += 1000;
}

/* Processor `id` has had nothing to run for a slice. */
static void idles(unsigned int id)
{
    a_slice_passes();
    processors[id].asked = fake_host.now;
    spread_idles(on(id));
    a_slice_passes();
}

/* ... and no look at the others' queues is due. */
static void share(struct processor *p)
{
    p->next_level = RT_NEVER;
    spread_share(p, fake_host.now);
}

static void sits_on(unsigned int id, unsigned int processor)
{
    assert_int_equal(guest.seats[id].processor, processor);
    assert_true(guest.seats[id].in);
    assert_int_equal(guest.entities[id].state, SCHED_READY);
}

/* "Work moves to idle processors": also one vCPU of several. Not before the other has been idle for a slice,
 * not where one runs alone, and not twice in a slice. */
static void a_vcpu_moves(void **state)
{
    (void)state;
    share(on(0));
    assert_false(guest.gathering);
    idles(2);
    processors[2].idle_since++;
    share(on(0));
    assert_false(guest.gathering);
    assert_int_equal(spread_idle, 1u << 2);
    processors[2].idle_since--;
    share(on(0));
    assert_int_equal(spread_idle, 0);
    serve_all();
    all_are_back(VCPUS);
    sits_on(0, 0);
    sits_on(1, 2); /* the last in the queue */
    assert_int_equal(processors[2].arrivals, 1);
    assert_int_equal(processors[0].sched.runnable, 1);
    assert_int_equal(processors[2].sched.runnable, 1);
    for (unsigned int id = 0; id < PROCESSORS; id++)
        assert_int_equal(processors[id].vms, 1);
    idles(2);
    share(on(0));
    assert_int_equal(spread_idle, 1u << 2); /* one alone stays */
    fake_host.now -= 1001;
    processors[2].idle_since = 1;
    share(on(1));
    assert_int_equal(spread_idle, 1u << 2); /* too soon */
    spread_idle = 0;
}

/* Nobody is idle, but one has three and another one: once in a slice that is looked at. Of the three the one
 * goes that has no sibling there, if there is such a one. */
static void three_and_one_become_two_and_two(void **state)
{
    (void)state;
    idles(0);
    share(on(1)); /* makes it three and one */
    serve_all();
    processors[0].idle_since = 0;
    assert_int_equal(processors[0].sched.runnable, 3);
    assert_int_equal(processors[1].sched.runnable, 1);
    processors[2].sched.runnable = 9;
    a_slice_passes();
    processors[0].next_level = fake_host.now + 1;
    spread_share(on(0), fake_host.now);
    assert_false(guest.gathering);
    processors[0].next_level = fake_host.now;
    for (unsigned int looks = 0; looks < 3; looks++) {
        assert_false(guest.gathering);
        spread_share(on(0), fake_host.now);
        assert_int_equal(processors[0].next_level, fake_host.now + 1000);
        a_slice_passes();
    }
    serve_all();
    all_are_back(VCPUS + 9);
    assert_int_equal(processors[0].sched.runnable, 2);
    assert_int_equal(processors[1].sched.runnable, 2);
    for (unsigned int looks = 0; looks < 4; looks++) {
        a_slice_passes();
        spread_share(on(0), fake_host.now);
        assert_false(guest.gathering);
    }
}

/* For a moment: the count begins anew. */
static void uneven_for_two_slices(void **state)
{
    (void)state;
    processors[1].sched.runnable = 9;
    for (unsigned int looks = 0; looks < 9; looks++) {
        a_slice_passes();
        processors[2].sched.runnable = looks % 3 == 2;
        spread_share(on(0), fake_host.now);
        assert_false(guest.gathering);
    }
    processors[1].sched.runnable = 2;
    processors[2].sched.runnable = 0;
}

/* Processor 0 gives vCPU 0, which stands behind its sibling, to 2, and has just sent it: the home is nowhere.
 */
static void the_home_is_on_its_way(void)
{
    struct processor *p = on(0);

    assert_ptr_equal(sched_pick(&p->sched), &guest.entities[0]);
    sched_ran(&p->sched, 1000, false);
    idles(2);
    share(p);
    serve(1);
    serve(0);
    assert_int_equal(guest_home(&guest), HOME_NONE);
}

/* vCPU 0 takes the home with it: from then on wishes are carried out there, and the old home has no part in
 * the VM. */
static void the_home_moves(void **state)
{
    unsigned int had = 0;
    struct wish wish = {alone, &had, false};

    (void)state;
    processors[0].vms = 3;
    spread_set_rates(on(0));
    assert_int_equal(guest.vm.time.policy.maxrate.num, 12);
    the_home_is_on_its_way();
    assert_false(gather(on(1), &guest, &wish)); /* "not now" */
    serve_all();
    sits_on(0, 2);
    sits_on(1, 0);
    all_are_back(VCPUS);
    assert_int_equal(polled, 1);
    assert_int_equal(guest.vm.time.policy.maxrate.num, 4); /* its home's, where no other VM is */
    processors[0].vms = 1;
    assert_true(gather(on(0), &guest, &wish));
    serve_all();
    assert_true(wish.done);
    vm_end_exit(&guest.vm, 0);
    assert_true(gather(on(1), &guest, NULL));
    serve_all();
    for (unsigned int id = 0; id < PROCESSORS; id++)
        assert_int_equal(processors[id].vms, 0);
}

/* A VM that ends, or is paused, just then keeps its seats; the idle one is woken, to ask again. */
static void too_late_to_move(void **state)
{
    (void)state;
    idles(2);
    share(on(0));
    guest.paused = true;
    processors[2].attention = false;
    serve_all();
    assert_true(processors[2].attention);
    assert_int_equal(guest.seats[1].processor, 0);
    assert_int_equal(guest_home(&guest), 0);
    assert_int_equal(processors[2].vms, 0);
}

/* pin= holds. */
static void a_pinned_one_stays(void **state)
{
    (void)state;
    guest.vm.config.npins = 1;
    idles(2);
    share(on(0));
    assert_int_equal(spread_idle, 1u << 2);
    assert_false(guest.gathering);
    spread_idle = 0;
}

/* A call lies in the inbox of the old seat's processor when the vCPU, halted, sits on the new one. */
static void a_call_follows(void **state)
{
    (void)state;
    idles(2);
    share(on(0));
    gather_call(&guest.seats[1]); /* a sibling on 1, which has not left yet */
    serve(1);
    struct request *later = processors[0].inbox.newest; /* the VM comes home; before it, the call */

    assert_ptr_equal(later->next, &guest.seats[1].call);
    processors[0].inbox.newest = later->next;
    later->next = NULL;
    on(0);
    later->carry_out(later);
    inbox_serve(&on(2)->inbox);
    sits_on(1, 2);
    sched_remove(&processors[2].sched, &guest.entities[1]); /* it halts */
    serve(0);
    serve(2);
    sits_on(1, 2);
    assert_int_equal(processors[0].sched.runnable, 1); /* vCPU 0 alone */
    serve_all();
    all_are_back(VCPUS);
}

/* Whoever read that it sits, and was held up, comes to call when its home is nowhere. */
static void a_call_to_nowhere(void **state)
{
    (void)state;
    guest.vm.vcpus[0]->state = VCPU_HALTED;
    the_home_is_on_its_way();
    guest.vm.vcpus[0]->state = VCPU_RUNNABLE;
    gather_call(&guest.seats[0]);
    assert_false(guest.seats[0].called);
    serve_all();
    sits_on(0, 2);
    all_are_back(VCPUS);
}

int main(void)
{
#define TWO(f) cmocka_unit_test_setup_teardown(f, two_on_each_of_two, tear_down)
    const struct CMUnitTest tests[] = {
        TWO(a_vcpu_moves),          TWO(three_and_one_become_two_and_two),
        TWO(uneven_for_two_slices), TWO(the_home_moves),
        TWO(too_late_to_move),      TWO(a_pinned_one_stays),
        TWO(a_call_follows),        TWO(a_call_to_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
