/* The timer event queue against a model: the plain list that DESIGN.md 2.2 and [0086] describe, moved as the
 * text says. Every sequence of a few updates of three timers on three ATs; and long random ones of many. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/queue.h"

#define MOST 24

/* An entry of the model, and the list of them in order. */
struct model {
    unsigned int list[MOST];
    unsigned int count;
    bool due[MOST];
    uint64_t instant[MOST]; /* that last updated it */
    uint64_t instants;
};

static struct vt_queue queue;
static struct vtimer timer[MOST];
static struct model model;

static void reset(void)
{
    queue = (struct vt_queue){0};
    model = (struct model){0};
    for (unsigned int i = 0; i < MOST; i++) {
        timer[i] = (struct vtimer){0};
    }
}

static at_t at_of(unsigned int place)
{
    return timer[model.list[place]].at;
}

static unsigned int place_of(unsigned int t)
{
    unsigned int place = 0;

    while (place < model.count && model.list[place] != t) {
        place++;
    }
    return place;
}

static void put(unsigned int place, unsigned int t)
{
    for (unsigned int i = model.count++; i > place; i--) {
        model.list[i] = model.list[i - 1];
    }
    model.list[place] = t;
}

static void take(unsigned int t)
{
    for (unsigned int i = place_of(t); i + 1 < model.count; i++) {
        model.list[i] = model.list[i + 1];
    }
    model.count--;
}

/* ---- what may happen; each on both ---- */

static void add(unsigned int t, at_t at)
{
    unsigned int place = model.count;

    timer[t].at = at;
    timer[t].armed = true;
    queue_add(&queue, &timer[t]);
    while (place > 0 && at_of(place - 1) > at) {
        place--; /* "a new entry goes behind its equals" */
    }
    put(place, t);
}

static void drop(unsigned int t)
{
    queue_remove(&queue, &timer[t]);
    timer[t].armed = false;
    model.due[t] = false;
    take(t);
}

static void move(unsigned int t, at_t at)
{
    unsigned int place = place_of(t);

    timer[t].at = at;
    queue_moved(&queue, &timer[t]);
    take(t);
    while (place < model.count && at_of(place) < at) {
        place++; /* "moves back only past strictly smaller ATs" */
    }
    while (place > 0 && at_of(place - 1) > at) {
        place--;
    }
    put(place, t);
}

/* An entry that the present instant has delivered comes back: behind what is still due, and in front of its
 * equals but for those that the same instant has updated. */
static void requeue(unsigned int t, at_t at)
{
    unsigned int place = 0;

    timer[t].at = at;
    timer[t].armed = true;
    queue_requeue(&queue, &timer[t]);
    while (place < model.count &&
           (model.due[model.list[place]] || at_of(place) < at ||
            (at_of(place) == at && model.instant[model.list[place]] == model.instants))) {
        place++;
    }
    put(place, t);
}

static bool begin(at_t upto)
{
    bool any = queue_begin_instant(&queue, upto);

    model.instants++;
    for (unsigned int i = 0; i < model.count; i++) {
        model.due[model.list[i]] = at_of(i) <= upto;
    }
    assert_int_equal(any, model.count != 0 && model.due[model.list[0]]);
    return any;
}

/* The instant's next entry, which must be the model's; MOST at the end. */
static unsigned int next_due(void)
{
    struct vtimer *due = queue_next_due(&queue);
    unsigned int t;

    if (due == NULL) {
        assert_true(model.count == 0 || !model.due[model.list[0]]);
        return MOST;
    }
    t = (unsigned int)(due - timer);
    assert_true(model.count != 0 && model.due[t]);
    assert_int_equal(model.list[0], t);
    model.due[t] = false;
    model.instant[t] = model.instants;
    assert_true(queue_in_instant(&queue, due));
    timer[t].armed = false;
    take(t);
    return t;
}

/* Outside of an instant: the same head, and the same entries in the same order. */
static void same(void)
{
    unsigned int equals = 0;

    assert_true(queue_check(&queue));
    assert_ptr_equal(queue.head, model.count != 0 ? &timer[model.list[0]] : NULL);
    for (const struct vtimer *t = queue.head; t != NULL; t = queue_next_equal(&queue, t)) {
        assert_true(t->at == queue.head->at);
        equals++;
    }
    for (unsigned int i = 0; i < model.count; i++) {
        equals -= at_of(i) == at_of(0);
    }
    assert_int_equal(equals, 0);
}

/* Everything comes out in the model's order. Empties both. */
static void drain(void)
{
    same();
    if (begin(AT_LIMIT)) {
        while (next_due() != MOST) {
        }
    }
    assert_int_equal(model.count, 0);
    assert_null(queue.head);
}

/* ---- every short sequence ---- */

#define FEW   3
#define STEPS 4
/* add, move, remove, or an instant whose entries come back at one of three ATs, and which may arm another */
#define CHOICES (FEW * FEW * 2 + FEW)

static void instant(at_t upto, at_t back, unsigned int armed)
{
    unsigned int t;

    if (!begin(upto)) {
        return;
    }
    while ((t = next_due()) != MOST) {
        requeue(t, upto + back);
        if (armed < FEW && t != armed) {
            if (timer[armed].armed) {
                drop(armed);
            }
            if (queue_in_instant(&queue, &timer[armed])) {
                requeue(armed, upto + back);
            } else {
                add(armed, upto + back);
            }
        }
    }
}

static void step(unsigned int choice)
{
    unsigned int t = choice % FEW;
    at_t at = choice / FEW % FEW;

    if (choice < FEW * FEW) {
        if (timer[t].armed) {
            move(t, at);
        } else {
            add(t, at);
        }
    } else if (choice < FEW * FEW * 2) {
        instant(queue.head != NULL ? queue.head->at : 0, at, t == 0 ? FEW : t);
    } else if (timer[t].armed) {
        drop(t);
    }
    same();
}

static void test_every_short_sequence(void **state)
{
    unsigned int sequences = 1;

    (void)state;
    for (unsigned int i = 0; i < STEPS; i++) {
        sequences *= CHOICES;
    }
    for (unsigned int sequence = 0; sequence < sequences; sequence++) {
        unsigned int rest = sequence;

        reset();
        for (unsigned int i = 0; i < FEW; i++) {
            add(i, 1);
        }
        for (unsigned int i = 0; i < STEPS; i++) {
            step(rest % CHOICES);
            rest /= CHOICES;
        }
        drain();
    }
}

/* ---- long random ones ---- */

static uint64_t x = 1;

static unsigned int below(unsigned int limit)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned int)((x >> 11) % limit);
}

static void random_instant(void)
{
    at_t upto = queue.head != NULL ? queue.head->at + below(3) : 0;
    unsigned int t;

    if (!begin(upto)) {
        return;
    }
    while ((t = next_due()) != MOST) {
        unsigned int other = below(MOST);

        if (below(4) != 0) {
            requeue(t, upto + below(5));
        }
        if (below(3) == 0) { /* its event arms, re-arms or clears another */
            if (timer[other].armed) {
                drop(other);
            }
            if (below(3) != 0) {
                if (queue_in_instant(&queue, &timer[other])) {
                    requeue(other, upto + below(5));
                } else {
                    add(other, upto + below(5));
                }
            }
        }
    }
}

static void test_long_random_sequences(void **state)
{
    (void)state;
    for (unsigned int life = 0; life < 300; life++) {
        reset();
        for (unsigned int i = 0; i < 200; i++) {
            unsigned int t = below(MOST);
            at_t at = (queue.head != NULL ? queue.head->at : 0) + below(6);

            if (below(4) == 0) {
                random_instant();
            } else if (!timer[t].armed) {
                add(t, at);
            } else if (below(4) == 0) {
                drop(t);
            } else {
                move(t, at);
            }
            same();
        }
        drain();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_long_random_sequences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
