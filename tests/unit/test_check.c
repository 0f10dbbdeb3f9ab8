/* The checker of the invariants itself (DESIGN.md section 2, "Invariants"; timers/check.c): a state in which
 * one is broken is told, each by its own words. A checker that sees nothing would make every property test of
 * the time core worthless. */
#include "tests/unit/support/time_rig.h"

#include "timers/ledger.h"

static struct time_rig rig;

/* Two timers, one of them periodic, some time after the start, on the line of slope one. */
static int set_up(void **state)
{
    struct vtime_policy policy = vtime_policy_figure7();

    (void)state;
    time_rig_init(&rig, &policy, 1000);
    vtime_vcpu_run(&rig.time, 0);
    every(&rig, 0, 50, 100);
    once(&rig, 1, 400);
    run_to(&rig, 1260);
    return 0;
}

static void queue_out_of_order(struct vtime *t)
{
    t->queue.head->entry.at += 1000;
}

static void head_unseen(struct vtime *t)
{
    t->head_seen = NULL;
}

static void head_seen_at_another_time(struct vtime *t)
{
    t->head_seen_at++;
}

static void event_passed(struct vtime *t)
{
    t->at_l = t->queue.head->at + 1;
}

/* Of one that is in no queue: the queue's own check sees the others. */
static void entry_outlived(struct vtime *t)
{
    struct vtimer *timer = t->timers;

    while (timer->armed)
        timer = timer->sibling;
    timer->due = true;
}

static void incident_in_the_future(struct vtime *t)
{
    t->rt_l = t->rt_c + 1;
}

static void before_the_start(struct vtime *t)
{
    t->account.start = t->rt_c + 1;
}

static void offset_lost(struct vtime *t)
{
    t->nrt_p++;
}

static void one_running_too_many(struct vtime *t)
{
    t->running++;
}

static void one_ready_too_many(struct vtime *t)
{
    t->ready++;
}

static void no_denominator(struct vtime *t)
{
    t->c.den = 0;
}

static void below_one(struct vtime *t)
{
    t->c = (struct vt_ratio){1, 2};
}

static void no_mode(struct vtime *t)
{
    t->mode = VT_LEAP;
}

static void outlook_of_yesterday(struct vtime *t)
{
    vtime_outlook(t);
    t->outlook.deadline++;
}

static void counted_twice(struct vtime *t)
{
    t->timers->ticks.delivered++;
}

static void leapt_without_a_leap(struct vtime *t)
{
    t->account.leapt++;
}

static const struct damage {
    void (*do_it)(struct vtime *t);
    const char *told;
} damages[] = {
    {queue_out_of_order, "the queue is out of order"},
    {head_unseen, "the head changed without a decision"},
    {head_seen_at_another_time, "the head changed without a decision"},
    {event_passed, "AT passed an undelivered event"},
    {entry_outlived, "a due entry outlived its instant"},
    {incident_in_the_future, "time ran backwards"},
    {before_the_start, "time ran backwards"},
    {offset_lost, "the normal real times lost their offset"},
    {one_running_too_many, "vCPUs or gates miscounted"},
    {one_ready_too_many, "vCPUs or gates miscounted"},
    {no_denominator, "a rate below one, or no mode"},
    {below_one, "a rate below one, or no mode"},
    {no_mode, "a rate below one, or no mode"},
    {outlook_of_yesterday, "the outlook is out of date"},
    {counted_twice, "the ledger does not balance"},
    {leapt_without_a_leap, "the ledger does not balance"},
};

static void each_broken_invariant_is_told(void **state)
{
    static struct time_rig sound;

    (void)state;
    assert_null(vtime_check(&rig.time));
    sound = rig;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        const char *told;

        damages[i].do_it(&rig.time);
        told = vtime_check(&rig.time);
        if (told == NULL)
            fail_msg("nothing is told of: %s", damages[i].told);
        assert_string_equal(told, damages[i].told);
        rig = sound;
        assert_null(vtime_check(&rig.time));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_broken_invariant_is_told, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
