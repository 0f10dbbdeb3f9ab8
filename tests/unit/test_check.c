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

static void outlook_on_another_line(struct vtime *t)
{
    vtime_outlook(t);
    t->outlook.line.offset++;
}

static void outlook_at_another_slope(struct vtime *t)
{
    vtime_outlook(t);
    t->outlook.line.ratio++;
}

static void outlook_on_a_line_that_is_none(struct vtime *t)
{
    vtime_outlook(t);
    t->rt_n.whole += 10;
    t->outlook.deadline += 10;
}

static void gate_opens_otherwise(struct vtime *t)
{
    t->cpu[0].progress_at = t->cpu[0].executed + 100000;
    t->gates = 1;
    t->gate_known = true;
    t->gate = 5;
}

static void on_a_line_without_a_processor(struct vtime *t)
{
    t->scaled.ratio = 1;
    t->moving = false;
}

static void on_a_line_that_lies_behind(struct vtime *t)
{
    t->scaled = (struct vt_tsc_line){1, 0 - t->rt_c};
}

static void running_while_paused(struct vtime *t)
{
    t->paused = true;
    t->paused_at = t->rt_c;
}

static void present_before_the_latest_incident(struct vtime *t)
{
    t->at_l += 1000000;
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
    {outlook_on_another_line, "the outlook is out of date"},
    {outlook_on_a_line_that_is_none, "the outlook is out of date"},
    {gate_opens_otherwise, "vCPUs or gates miscounted"},
    {on_a_line_without_a_processor, "AT is past the line that it keeps to"},
    {on_a_line_that_lies_behind, "AT is past the line that it keeps to"},
    {running_while_paused, "a paused VM runs"},
    {counted_twice, "the ledger does not balance"},
    {leapt_without_a_leap, "the ledger does not balance"},
};

static void check_damages(const struct damage *d, size_t n)
{
    static struct time_rig sound;

    assert_null(vtime_check(&rig.time));
    sound = rig;
    for (size_t i = 0; i < n; i++) {
        const char *told;

        d[i].do_it(&rig.time);
        told = vtime_check(&rig.time);
        if (told == NULL)
            fail_msg("nothing is told of: %s", d[i].told);
        assert_string_equal(told, d[i].told);
        rig = sound;
        assert_null(vtime_check(&rig.time));
    }
}

static void each_broken_invariant_is_told(void **state)
{
    (void)state;
    check_damages(damages, sizeof(damages) / sizeof(damages[0]));
}

/* Half a million units behind, where the processor scales the TSC: what is kept of the line is the line. */
static void on_a_scaled_line(void **state)
{
    static const struct damage there[] = {
        {outlook_on_another_line, "the outlook is out of date"},
        {outlook_at_another_slope, "the outlook is out of date"},
    };

    (void)state;
    vtime_clear(&rig.time, &rig.timer[1].v);
    vtime_set_scaling(&rig.time, (struct vt_scaling){48, 1 << 16});
    every(&rig, 0, 1000000, 1000000);
    stop_at(&rig, 2000);
    resume_at(&rig, 500000);
    assert_true(vtime_outlook(&rig.time)->line.ratio != 0 && rig.time.scaled.ratio != 0);
    check_damages(there, sizeof(there) / sizeof(there[0]));
}

/* Real time is AT there, so it can be before what AT_L says. */
static void without_a_coordinator(void **state)
{
    static const struct damage there[] = {
        {present_before_the_latest_incident, "time ran backwards"},
    };
    struct vtime_policy policy = vtime_policy_figure7();

    (void)state;
    policy.naive = true;
    time_rig_init(&rig, &policy, 1000);
    vtime_vcpu_run(&rig.time, 0);
    once(&rig, 0, 50);
    run_to(&rig, 1260);
    check_damages(there, sizeof(there) / sizeof(there[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_broken_invariant_is_told, set_up),
        cmocka_unit_test_setup(on_a_scaled_line, set_up),
        cmocka_unit_test(without_a_coordinator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
