/* RDTSC without exits at other slopes than one: DESIGN.md 2.10; SDM vol. 3, 25.3; APM vol. 2, 15.30.5. */
#include "tests/unit/support/time_rig.h"
#include "timers/scaled.h"

static const struct vt_scaling vmx = {48, 1 << 16}, svm = {32, 1 << 8};
static struct time_rig r;

static void the_processors_formula(void **state)
{
    const struct vt_scaling none = {0};
    uint64_t random = 1;

    (void)state;
    for (unsigned int i = 0; i < 100000; i++) {
        uint64_t rt, ratio, offset;

        rt = random = random * 6364136223846793005u + 1442695040888963407u;
        ratio = random = random * 6364136223846793005u + 1442695040888963407u;
        offset = random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned __int128 n = (unsigned __int128)rt * ratio;

        assert_int_equal(vt_tsc_line_at(vmx, (struct vt_tsc_line){ratio, offset}, rt),
                         (uint64_t)(n >> 48) + offset);
        assert_int_equal(vt_tsc_line_at(svm, (struct vt_tsc_line){ratio, offset}, rt),
                         (uint64_t)(n >> 32) + offset);
        assert_int_equal(vt_tsc_line_at(none, (struct vt_tsc_line){1, offset}, rt), rt + offset);
    }
    assert_int_equal(vt_ratio_one(vmx), 1ull << 48);
    assert_int_equal(vt_ratio_one(none), 1);
}

/* At AT 1000 of the way to an event at AT 1000007, and so far behind that it takes catch-up mode: half of the
 * real time that the way takes at C is left. */
static void start_behind(struct vt_scaling scaling, struct vt_ratio c)
{
    struct vtime_policy p = vtime_policy_figure7();

    p.c = c;
    time_rig_init(&r, &p, 0);
    vtime_set_scaling(&r.time, scaling);
    resume_at(&r, 0);
    every(&r, 0, 1000007, 1000007);
    stop_at(&r, 1000);
    resume_at(&r, 1000007 - 999007 * c.den / (2 * c.num));
}

/* The line is the exact one rounded down: at the deadline the TSC is not past AT_N, and short of it by less
 * than the ratio's last bit in that time; what it shows never goes back; and any other clock says the same.
 */
static void check_line(struct vt_scaling scaling, struct vt_ratio c)
{
    start_behind(scaling, c);

    const struct vt_outlook *o = vtime_outlook(&r.time);
    struct vt_tsc_line line = o->line;
    int64_t short_of;
    rt_t now = r.time.rt_c, deadline = o->deadline;
    at_t at_n = r.time.queue.head->at, seen = vtime_peek(&r.time);

    assert_int_equal(vtime_mode(&r.time), VT_CATCHUP);
    assert_true(line.ratio > vt_ratio_one(scaling));
    assert_true(line.ratio <= (uint64_t)(((unsigned __int128)c.num << scaling.bits) / c.den) + 1);
    assert_int_equal(vt_tsc_line_at(scaling, line, now), seen);
    for (rt_t rt = now; rt < deadline; rt += 7) {
        at_t tsc = vt_tsc_line_at(scaling, line, rt);

        assert_true(tsc >= seen && tsc <= at_n);
        seen = tsc;
        vtime_advance(&r.time, rt);
        assert_int_equal(vtime_now(&r.time), tsc);
        assert_null(vtime_check(&r.time));
        assert_true(vtime_outlook(&r.time)->line.ratio == line.ratio); /* a read changes no slope */
    }
    assert_true(vt_tsc_line_at(scaling, line, deadline - 1) <= at_n);
    short_of =
        (int64_t)(at_n - vt_tsc_line_at(scaling, line, deadline)); /* the deadline is RT_N rounded up */
    assert_true(short_of <= 2 && short_of > -(int64_t)(c.num / c.den + 1));
    vtime_advance(&r.time, deadline);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_peek(&r.time), short_of > 0 ? at_n : at_n - (at_t)short_of);
}

static void a_line_at_the_catch_up_rate(void **state)
{
    (void)state;
    check_line(vmx, (struct vt_ratio){2, 1});
    check_line(vmx, (struct vt_ratio){19, 16});
    check_line(vmx, (struct vt_ratio){32, 1});
    check_line(svm, (struct vt_ratio){2, 1});
    check_line(svm, (struct vt_ratio){33, 16});
    check_line(svm, (struct vt_ratio){10, 3});
}

static void start_with_progress(uint64_t period)
{
    struct vtime_policy p = vtime_policy_figure7();

    p.progress = 1000;
    time_rig_init(&r, &p, 0);
    vtime_set_scaling(&r.time, vmx);
    resume_at(&r, 0);
    every(&r, 0, period, period);
}

/* What was no progress moves the next event: the line to where it was is left. */
static void a_loss_of_progress_leaves_the_line(void **state)
{
    (void)state;
    start_with_progress(1500);
    stop_at(&r, 1000);
    resume_at(&r, 50000);
    while (r.events == 0)
        vtime_advance(&r.time, vtime_outlook(&r.time)->deadline);
    assert_true(vtime_outlook(&r.time)->line.ratio > 1 && r.time.scaled.ratio != 0);
    rt_t before = vtime_outlook(&r.time)->deadline;
    at_t seen = vtime_peek(&r.time);
    vtime_advance_without(&r.time, 0, r.time.rt_c + 100);
    assert_int_equal(r.time.scaled.ratio, 0);
    assert_int_equal(vtime_outlook(&r.time)->deadline, before + 100);
    assert_true(vtime_peek(&r.time) >= seen);
}

/* SVM's ratios are below 256, VMX's below 65,536: at a steeper slope every RDTSC exits. */
static void too_steep_for_the_processor(void **state)
{
    (void)state;
    start_behind(svm, (struct vt_ratio){255, 1});
    assert_true(vtime_outlook(&r.time)->line.ratio != 0);
    start_behind(svm, (struct vt_ratio){256, 1});
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
    start_behind(svm, (struct vt_ratio){300, 1});
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
    start_behind(vmx, (struct vt_ratio){300, 1});
    assert_true(vtime_outlook(&r.time)->line.ratio != 0);
    start_behind(vmx, (struct vt_ratio){70000, 1});
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
}

/* 2.10, "the deadline keeps TSC <= AT_N": a guest is taken out some RT after it, and on a steep line that is
 * a lot of AT. An overdue event whose gate is still closed (2.6, [0111]) is a turn of AT away, and a moment
 * of RT: steeper than C, its RDTSC exits. */
static void no_line_steeper_than_c(void **state)
{
    (void)state;
    start_with_progress(3000);
    vtime_advance(&r.time, 3000);
    assert_int_equal(r.events, 1);
    stop_at(&r, 3500); /* half of the progress after the event is made */
    resume_at(&r, 9000);
    assert_int_equal(vtime_outlook(&r.time)->deadline, 9500); /* 2,500 units of AT in 500 of RT; C is 2 */
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
    vtime_advance(&r.time, 9500);
    assert_int_equal(r.events, 2);
    assert_true(vtime_outlook(&r.time)->line.ratio > vt_ratio_one(vmx));
}

static void no_scaling_no_line(void **state)
{
    (void)state;
    start_behind((struct vt_scaling){0}, (struct vt_ratio){2, 1});
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
    assert_int_equal(r.time.scaled.ratio, 0);
}

/* gap=jump passes a loss on the literal line, naive clocks are real time, and with no timer armed AT meets
 * the present at a moment that has no deadline. */
static void where_there_is_none(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    start_behind(vmx, (struct vt_ratio){2, 1});
    vtime_clear(&r.time, &r.timer[0].v);
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
    p.gap = VT_GAP_JUMP;
    start_behind(vmx, (struct vt_ratio){2, 1});
    assert_true(vtime_outlook(&r.time)->line.ratio != 0);
    vtime_advance(&r.time, r.time.rt_c + 12345);
    vtime_set_policy(&r.time, &p);
    assert_null(vtime_check(&r.time));
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
}

/* A new event, a loss of the processor, a pause: AT goes on from what the guest has read on the line. */
static void leaving_a_line_loses_nothing(void **state)
{
    at_t shown;

    (void)state;
    for (unsigned int how = 0; how < 4; how++) {
        start_behind(vmx, (struct vt_ratio){19, 16});
        struct vt_tsc_line line = vtime_outlook(&r.time)->line;

        vtime_advance(&r.time, r.time.rt_c + 12347);
        shown = vt_tsc_line_at(vmx, line, r.time.rt_c);
        if (how == 0) {
            once(&r, 1, shown + 1000);
        } else if (how == 1) {
            vtime_vcpu_stop(&r.time, 0);
            assert_int_equal(r.time.scaled.ratio, 0);
        } else if (how == 2) {
            vtime_pause(&r.time);
            assert_int_equal(r.time.scaled.ratio, 0);
        } else {
            vtime_vcpu_run(&r.time, 1); /* another processor: gates may change */
            assert_int_equal(r.time.scaled.ratio, 0);
        }
        assert_int_equal(vtime_peek(&r.time), shown);
        assert_null(vtime_check(&r.time));
        if (how == 0) {
            assert_true(vt_tsc_line_at(vmx, vtime_outlook(&r.time)->line, r.time.rt_c) == shown);
        }
    }
}

/* The guest was taken out late: what its TSC may have shown by then is raised to before anything is answered,
 * and the next line begins there. */
static void overshoot_at_a_slope(void **state)
{
    (void)state;
    start_behind(vmx, (struct vt_ratio){32, 1});
    once(&r, 1, vtime_peek(&r.time) + 3200);

    struct vt_outlook o = *vtime_outlook(&r.time);
    at_t shown = vt_tsc_line_at(vmx, o.line, o.deadline + 50);

    vtime_advance(&r.time, o.deadline + 50);
    vtime_shown(&r.time, shown);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_peek(&r.time), shown);
    assert_null(vtime_check(&r.time));
    assert_int_equal(vt_tsc_line_at(vmx, vtime_outlook(&r.time)->line, r.time.rt_c), shown);
}

/* The same where it was not late: AT goes on from what was shown at once, and does not stand until the old
 * line comes by. What the line itself says is nothing new. */
static void what_was_shown_between_events(void **state)
{
    (void)state;
    start_behind(vmx, (struct vt_ratio){2, 1});
    struct vt_tsc_line line = vtime_outlook(&r.time)->line;
    at_t seen;

    vtime_advance(&r.time, r.time.rt_c + 1001);
    seen = vt_tsc_line_at(vmx, line, r.time.rt_c);
    vtime_shown(&r.time, seen);
    assert_true(r.time.scaled.ratio == line.ratio && r.time.scaled.offset == line.offset);
    vtime_shown(&r.time, seen + 5000);
    assert_int_equal(vtime_peek(&r.time), seen + 5000);
    vtime_advance(&r.time, r.time.rt_c + 10);
    assert_true(vtime_peek(&r.time) > seen + 5000);
}

/* Latched past the deadline, before anything is delivered: a read is not past the undelivered event (2.4),
 * wherever the line would be by then. */
static void a_line_ends_at_the_event(void **state)
{
    static const rt_t late[] = {0, 1, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
        start_behind(vmx, (struct vt_ratio){32, 1});
        struct vt_outlook o = *vtime_outlook(&r.time);

        assert_true(vt_tsc_line_at(vmx, o.line, o.deadline) > r.time.queue.head->at);
        vtime_latch(&r.time, o.deadline + late[i]);
        assert_int_equal(vtime_now(&r.time), r.time.queue.head->at);
    }
}

/* A processor that scales is known from then on, and another policy takes AT off a line that it may not have,
 * where it is. */
static void what_may_be_scaled_changes(void **state)
{
    struct vtime_policy p;
    at_t at;

    (void)state;
    start_behind((struct vt_scaling){0}, (struct vt_ratio){19, 16});
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0);
    vtime_set_scaling(&r.time, vmx);
    assert_true(vtime_outlook(&r.time)->line.ratio != 0);
    vtime_advance(&r.time, r.time.rt_c + 12347);
    at = vtime_peek(&r.time);
    p = r.time.policy;
    p.gap = VT_GAP_JUMP;
    vtime_set_policy(&r.time, &p);
    assert_int_equal(r.time.scaled.ratio, 0);
    assert_int_equal(r.time.at_l, at);
    assert_int_equal(vtime_peek(&r.time), at);
}

/* The next event's interrupt goes to another vCPU, which has not made its progress since its own last event:
 * that takes longer, and the line is another one from where AT is. */
static void another_target_is_another_line(void **state)
{
    struct vt_tsc_line line;
    at_t at;
    rt_t gate;

    (void)state;
    start_behind(vmx, (struct vt_ratio){2, 1});
    vtime_vcpu_run(&r.time, 1);
    r.timer[1].v.vcpu = 1;
    r.timer[1].v.progress = 900000;
    once(&r, 1, vtime_peek(&r.time));
    gate = r.time.rt_c + 900000;
    vtime_advance(&r.time, r.time.rt_c);
    assert_int_equal(r.events, 1);
    assert_true(vtime_outlook(&r.time)->deadline < gate);
    vtime_advance(&r.time, r.time.rt_c + 12347);
    at = vtime_peek(&r.time);
    vtime_target(&r.time, &r.timer[0].v, 1);
    assert_int_equal(vtime_peek(&r.time), at);
    assert_int_equal(vtime_outlook(&r.time)->deadline, gate);
    line = vtime_outlook(&r.time)->line;
    assert_int_equal(vt_tsc_line_at(vmx, line, r.time.rt_c), at);
    assert_true(vt_tsc_line_at(vmx, line, gate) <= r.time.queue.head->at);
    vtime_advance(&r.time, gate - 1);
    assert_in_range(vtime_peek(&r.time), at + 1, r.time.queue.head->at - 1);
}

/* Whatever its numbers are, a line does not lead out of [AT_L, AT_N]. */
static void a_line_is_bounded_by_what_was_and_what_is_to_come(void **state)
{
    (void)state;
    start_behind(vmx, (struct vt_ratio){2, 1});
    (void)vtime_outlook(&r.time);
    vtime_advance(&r.time, r.time.rt_c + 1000);
    at_t before = r.time.at_l, event = r.time.queue.head->at;
    uint64_t offset = r.time.scaled.offset;

    assert_in_range(vtime_peek(&r.time), before + 1, before + 2002);
    r.time.scaled.offset = offset + event;
    assert_int_equal(vtime_peek(&r.time), event);
    r.time.scaled.offset = offset - before - 2000;
    assert_int_equal(vtime_peek(&r.time), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_processors_formula),
        cmocka_unit_test(a_line_at_the_catch_up_rate),
        cmocka_unit_test(a_loss_of_progress_leaves_the_line),
        cmocka_unit_test(too_steep_for_the_processor),
        cmocka_unit_test(no_line_steeper_than_c),
        cmocka_unit_test(no_scaling_no_line),
        cmocka_unit_test(where_there_is_none),
        cmocka_unit_test(leaving_a_line_loses_nothing),
        cmocka_unit_test(overshoot_at_a_slope),
        cmocka_unit_test(what_was_shown_between_events),
        cmocka_unit_test(a_line_ends_at_the_event),
        cmocka_unit_test(what_may_be_scaled_changes),
        cmocka_unit_test(another_target_is_another_line),
        cmocka_unit_test(a_line_is_bounded_by_what_was_and_what_is_to_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
