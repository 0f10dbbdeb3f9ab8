/* The invariants of DESIGN.md section 2 under random run loops: several vCPUs, losses of the processor,
 * latencies of the exits, halts, masks, guests that take their interrupts late or never, reprogramming,
 * pauses, and RDTSC without exits. After each call vtime_check() must hold; time as the guest sees it must
 * not go back; events must come in order of AT; and in the end, with the processor to itself, the VM must be
 * on time again.
 *
 * That says that nothing is wrong, not that nothing has changed: of the first lives everything that can be
 * seen from outside is also summed up and held against tests/golden/lives.txt (LIVES_GOLDEN=1 writes it). A
 * change of the time model's meaning changes sums; one that is meant to change nothing must not. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/support/time_rig.h"

#define CPUS       3
#define REMEMBERED 200
#define GOLDEN     "tests/golden/lives.txt"
#define LIVES      4000 /* each with a seed of its own; the environment's LIVES may ask for more */

struct world {
    struct time_rig r;
    uint64_t seed;
    uint64_t random;
    rt_t now;
    at_t seen; /* the latest time that the guest has seen */
    at_t last_event;
    uint64_t sum;
    size_t checked; /* events checked so far */
};

static struct world w;
static uint64_t incidents; /* of all lives: events, reads, reprogramming, losses of the processor */
static uint64_t lines;     /* reads on a line of another slope than one, of all lives */

static uint64_t below(uint64_t limit)
{
    w.random ^= w.random << 13;
    w.random ^= w.random >> 7;
    w.random ^= w.random << 17;
    return limit != 0 ? (w.random >> 11) % limit : 0;
}

static bool chance(unsigned int percent)
{
    return below(100) < percent;
}

/* FNV-1a, a word at a time. */
static void sum_up(uint64_t value)
{
    w.sum = (w.sum ^ value) * UINT64_C(0x100000001b3);
}

static void sum_up_time(void)
{
    const struct vtime *t = &w.r.time;

    sum_up(vtime_peek(t));
    sum_up(vtime_deadline(t));
    sum_up((uint64_t)vtime_lag(t));
    sum_up((uint64_t)vtime_mode(t));
    for (size_t i = 0; i < RIG_TIMERS; i++) {
        sum_up(vtime_deadline_of(t, &w.r.timer[i].v));
    }
}

static void sum_up_event(const struct rig_event *e)
{
    sum_up(e->rt);
    sum_up(e->at);
    sum_up(e->timer);
    sum_up((uint64_t)e->mode);
    sum_up(e->dropped);
}

static void sum_up_accounts(void)
{
    struct vt_ledger l;
    struct vt_ticks k;

    vtime_ledger(&w.r.time, &l);
    sum_up(l.elapsed);
    sum_up(l.run);
    sum_up(l.leapt);
    sum_up(l.paused);
    sum_up(l.leaps);
    sum_up(l.catchups);
    sum_up((uint64_t)l.max_lag);
    sum_up(l.max_latency);
    sum_up(l.max_overshoot);
    for (size_t i = 0; i < RIG_TIMERS; i++) {
        vtime_ticks(&w.r.time, &w.r.timer[i].v, &k);
        sum_up(k.due);
        sum_up(k.delivered);
        sum_up(k.merged);
        sum_up(k.dropped);
        sum_up(k.cancelled);
        sum_up(k.pending);
    }
}

static void sound(void)
{
    const char *broken = vtime_check(&w.r.time);

    if (broken != NULL) {
        fail_msg("seed %llu: %s at RT %llu", (unsigned long long)w.seed, broken, (unsigned long long)w.now);
    }
    for (; w.checked < w.r.events; w.checked++) {
        const struct rig_event *e = &w.r.event[w.checked % RIG_EVENTS];

        assert_true(e->at >= w.last_event);
        w.last_event = e->at;
        sum_up_event(e);
        incidents++;
    }
    sum_up_time();
}

static void guest_sees(at_t at)
{
    assert_true(at >= w.seen);
    w.seen = at;
    incidents++;
}

static struct vtime_policy random_policy(void)
{
    struct vtime_policy p = chance(50) ? vtime_policy_defaults(1000000) : vtime_policy_figure7();

    p.gap = chance(20) ? VT_GAP_JUMP : VT_GAP_SMOOTH;
    p.hyst = (enum vt_hyst)below(3);
    p.maxrate = (struct vt_ratio){5 + below(20), 1 + below(4)};
    p.c = p.maxrate;
    p.tau = 1 + below(1000);
    p.k1 = chance(30) ? below(300) : 0;
    p.k2 = chance(20) ? below(300) : 0;
    p.leap = chance(40) ? below(20000) : VT_NO_LEAP;
    p.progress = chance(70) ? 1 + below(40) : 0;
    p.round = 500 + below(3000);
    p.missed = chance(30) ? (enum vt_missed)below(VT_MISSED_POLICIES) : VT_COMPRESS;
    return p;
}

static void random_set(void)
{
    at_t now = vtime_now(&w.r.time);
    at_t first = now + below(400) - (now > 50 ? below(50) : 0);
    struct vt_schedule s = {.first = first, .period_den = 1 + below(7)};

    guest_sees(now);
    if (chance(60)) {
        s.period_num = s.period_den * (20 + below(300)) + below(s.period_den);
        s.phase = below(s.period_den);
    }
    vtime_set(&w.r.time, &w.r.timer[below(RIG_TIMERS)].v, &s);
}

/* What a guest may do at an exit. */
static void guest_acts(void)
{
    struct rig_timer *timer = &w.r.timer[below(RIG_TIMERS)];

    switch (below(8)) {
    case 0:
        random_set();
        break;
    case 1:
        vtime_clear(&w.r.time, &timer->v);
        break;
    case 2:
        timer->masked = chance(30);
        break;
    case 3:
        timer->keeps = chance(50);
        break;
    default:
        timer->waiting = timer->waiting && timer->keeps && chance(50);
        guest_sees(vtime_now(&w.r.time));
    }
}

/* The scheduler. */
static void random_state(void)
{
    unsigned int cpu = (unsigned int)below(CPUS);

    incidents++;
    switch (below(5)) {
    case 0:
        vtime_vcpu_stop(&w.r.time, cpu);
        break;
    case 1:
        vtime_vcpu_halt(&w.r.time, cpu);
        break;
    case 2:
        vtime_vcpu_wake(&w.r.time, cpu);
        break;
    case 3:
        if (cpu != 0) {
            vtime_vcpu_off(&w.r.time, cpu);
        }
        break;
    default:
        vtime_vcpu_run(&w.r.time, cpu);
    }
}

/* RDTSC at some moments of a run, its last one included: never past an undelivered event before the deadline
 * (DESIGN.md 2.10). */
static void reads_without_exits(const struct vt_outlook *o, rt_t until)
{
    const struct vtimer *head = w.r.time.queue.head;

    for (rt_t rt = w.now; rt <= until; rt = rt < until ? rt + 1 + below(until - rt) : until + 1) {
        at_t at = vt_tsc_line_at(w.r.time.scaling, o->line, rt);

        if (rt < o->deadline && head != NULL) {
            assert_true(at <= head->at);
        }
        guest_sees(at);
        lines += o->line.ratio != vt_ratio_one(w.r.time.scaling);
    }
}

/* As the run loop does (vmm/run.c). */
static void note_overshoot(const struct vt_outlook *before)
{
    const struct vt_outlook *o;

    if (before->line.ratio == 0 || w.now < before->deadline) {
        return;
    }
    o = vtime_outlook(&w.r.time);
    if (o->line.ratio != before->line.ratio || o->line.offset != before->line.offset) {
        vtime_shown(&w.r.time, vt_tsc_line_at(w.r.time.scaling, before->line, w.now));
    }
}

/* One entry and exit: to the deadline or before, and some latency past it. */
static void enter(rt_t most)
{
    struct vt_outlook o = *vtime_outlook(&w.r.time);
    rt_t until = w.now + 1 + below(most);

    sound();
    if (o.deadline < until) {
        until = o.deadline > w.now ? o.deadline : w.now;
        until += chance(30) ? below(60) : 0;
    }
    if (o.line.ratio != 0 && chance(70)) {
        reads_without_exits(&o, until);
    }
    w.now = until;
    vtime_advance(&w.r.time, w.now);
    note_overshoot(&o);
    sound();
}

static void random_life(unsigned int steps)
{
    for (unsigned int i = 0; i < steps; i++) {
        enter(300);
        if (chance(40)) {
            guest_acts();
            sound();
        }
        if (chance(25)) {
            random_state();
            sound();
            vtime_advance(&w.r.time, w.now);
            sound();
        }
        if (chance(2)) {
            vtime_pause(&w.r.time);
            sound();
        }
        if (chance(30)) {
            if (chance(20))
                vtime_leap_at_resumption(&w.r.time);
            if (chance(50))
                vtime_unpause(&w.r.time);
            else
                vtime_unpause_late(&w.r.time);
            sound();
        }
    }
}

/* "Given enough processor the lag goes to zero and the rate back to one." */
static void quiet_life(void)
{
    struct vtime_policy *p = &w.r.time.policy;
    uint64_t one = vt_ratio_one(w.r.time.scaling);

    vtime_unpause(&w.r.time);
    p->k1 = p->k2 = 0;
    p->hyst = VT_HYST_5C;
    for (size_t i = 0; i < RIG_TIMERS; i++) {
        struct rig_timer *timer = &w.r.timer[i];

        timer->keeps = timer->waiting = timer->masked = false;
        timer->v.progress = p->progress < 4 ? p->progress : 4;
        if (timer->v.armed) {
            every(&w.r, i, vtime_now(&w.r.time) + 300, 900 + 10 * i); /* rounding to units is no matter */
        }
    }
    for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
        vtime_vcpu_run(&w.r.time, cpu);
    }
    for (unsigned int i = 0; i < 30000; i++) {
        rt_t deadline = vtime_deadline(&w.r.time);

        if (vtime_lag(&w.r.time) == 0 && vtime_outlook(&w.r.time)->line.ratio == one) {
            guest_sees(vtime_now(&w.r.time));
            return;
        }
        w.now = deadline < w.now + 200 ? (deadline > w.now ? deadline : w.now) : w.now + 200;
        vtime_advance(&w.r.time, w.now);
        sound();
    }
    fail_msg("seed %llu: still %lld behind", (unsigned long long)w.seed, (long long)vtime_lag(&w.r.time));
}

static void live(uint64_t seed)
{
    /* None, VMX's, SVM's. */
    static const struct vt_scaling scalings[] = {{0, 0}, {48, 1 << 16}, {32, 1 << 8}};
    struct vtime_policy p;

    w = (struct world){.seed = seed, .random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    p = random_policy();
    assert_true(vtime_policy_valid(&p));
    time_rig_init(&w.r, &p, 12345);
    vtime_set_scaling(&w.r.time, scalings[below(3)]);
    w.now = 12345;
    for (size_t i = 0; i < RIG_TIMERS; i++) {
        w.r.timer[i].v.vcpu = (unsigned int)below(CPUS);
    }
    vtime_vcpu_run(&w.r.time, 0);
    random_life(400);
    quiet_life();
    sum_up_accounts();
}

/* tests/golden/lives.txt: a sum for each of the first lives. */
static void remember(FILE *golden, uint64_t seed)
{
    unsigned long long expected = 0;

    if (getenv("LIVES_GOLDEN") != NULL) {
        fprintf(golden, "%016llx\n", (unsigned long long)w.sum);
    } else if (fscanf(golden, "%llx", &expected) != 1 || expected != w.sum) {
        fail_msg(
            "seed %llu: this life was another: %016llx, not %016llx; if that is meant, LIVES_GOLDEN=1 writes " GOLDEN,
            (unsigned long long)seed, (unsigned long long)w.sum, expected);
    }
}

static void test_random_lives(void **state)
{
    const char *wanted = getenv("LIVES");
    uint64_t lives = wanted != NULL ? strtoull(wanted, NULL, 10) : LIVES;

    FILE *golden = fopen(GOLDEN, getenv("LIVES_GOLDEN") != NULL ? "w" : "r");

    (void)state;
    assert_non_null(golden);
    for (uint64_t seed = 1; seed <= lives; seed++) {
        live(seed);
        if (seed <= REMEMBERED) {
            remember(golden, seed);
        }
    }
    fclose(golden);
    assert_true(lines > lives);
    printf("seeds 1 to %llu: %llu incidents\n", (unsigned long long)lives, (unsigned long long)incidents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
