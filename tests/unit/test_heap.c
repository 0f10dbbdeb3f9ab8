/* The heap under both queues: against a plain search, how deep it gets, and that its check sees each damage.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/coordinator.h"
#include "timers/heap.h"
#include "timers/queue.h"

#define NODES 200

static struct heap heap;
static struct heap_node node[NODES];
static uint64_t x = 7;

static unsigned int below(unsigned int limit)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned int)((x >> 11) % limit);
}

static void reset(void)
{
    heap = (struct heap){0};
    for (unsigned int i = 0; i < NODES; i++) {
        node[i] = (struct heap_node){0};
    }
}

static const struct heap_node *first(void)
{
    const struct heap_node *found = NULL;

    for (unsigned int i = 0; i < NODES; i++) {
        if (heap_has(&node[i]) && (found == NULL || heap_before(&node[i], found))) {
            found = &node[i];
        }
    }
    return found;
}

static void test_the_order_has_three_keys(void **state)
{
    const struct heap_node a = {.at = 1, .rank = 5, .order = 9};
    const struct heap_node b = {.at = 2, .rank = -1, .order = 3};
    const struct heap_node c = {.at = 2, .rank = 0, .order = 1};
    const struct heap_node d = {.at = 2, .rank = 0, .order = 2};
    const struct heap_node *const in_order[] = {&a, &b, &c, &d};

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        for (unsigned int k = 0; k < 4; k++) {
            assert_int_equal(heap_before(in_order[i], in_order[k]), i < k);
        }
    }
}

static void test_against_a_search(void **state)
{
    (void)state;
    reset();
    for (unsigned int step = 0; step < 20000; step++) {
        struct heap_node *n = &node[below(NODES)];
        unsigned int limit = below(12);
        unsigned int walked = 0;
        unsigned int there = 0;

        if (heap_has(n)) {
            heap_remove(&heap, n);
            assert_false(heap_has(n));
        } else {
            n->at = below(10);
            n->rank = (int64_t)below(3) - 1;
            n->order = step;
            heap_add(&heap, n);
        }
        assert_true(heap_check(&heap));
        assert_ptr_equal(heap.root, first());
        for (unsigned int i = 0; i < NODES; i++) {
            there += heap_has(&node[i]) && node[i].at <= limit;
        }
        if (heap.root != NULL && heap.root->at <= limit) {
            for (const struct heap_node *w = heap.root; w != NULL; w = heap_walk(w, limit)) {
                assert_true(w->at <= limit);
                walked++;
            }
        }
        assert_int_equal(walked, there);
    }
}

/* The right spine is what an operation walks. */
static void test_the_right_spine_is_short(void **state)
{
    (void)state;
    reset();
    for (unsigned int i = 0; i < NODES; i++) {
        node[i].at = i;
        heap_add(&heap, &node[i]);
        assert_true(1u << heap.root->reach <= i + 2);
    }
}

/* ---- damage: each invariant broken for itself ---- */

static struct heap_node *leftmost(void)
{
    struct heap_node *n = heap.root;

    while (n->left != NULL) {
        n = n->left;
    }
    return n;
}

static void fill(void)
{
    reset();
    for (unsigned int i = 0; i < 30; i++) {
        node[i].at = i / 2;
        node[i].order = i;
        heap_add(&heap, &node[i]);
    }
    assert_true(heap_check(&heap));
}

#define DAMAGED(what)                                                                                        \
    do {                                                                                                     \
        fill();                                                                                              \
        what;                                                                                                \
        assert_false(heap_check(&heap));                                                                     \
    } while (0)

static struct heap_node other;

static void test_the_check_sees_damage(void **state)
{
    (void)state;
    DAMAGED(heap.root->up = &other);
    DAMAGED(heap.root->at = 100);
    DAMAGED(heap.root->reach++);
    DAMAGED(leftmost()->reach = 0);
    DAMAGED(leftmost()->at = 0);
    DAMAGED(leftmost()->up = &other);
    DAMAGED(heap.root->right->up = &other);
    DAMAGED(heap.root->right->order = heap.root->right->at = 0);
    DAMAGED(heap.root->left = NULL);
    DAMAGED(heap.root->right = NULL);
    DAMAGED(node[29].reach = 2);
    reset();
    assert_true(heap_check(&heap));
}

static void on_arm(void *ctx, rt_t deadline)
{
    (void)ctx;
    (void)deadline;
}

static void test_the_owners_checks_see_damage(void **state)
{
    static const struct coordinator_alarm_ops ops = {on_arm};
    struct coordinator c;
    struct deadline d[2];
    struct vt_queue q = {0};
    struct vtimer t[2] = {{.armed = true, .at = 5}, {.armed = true, .at = 6}};

    (void)state;
    coordinator_init(&c, &ops, NULL);
    for (unsigned int i = 0; i < 2; i++) {
        deadline_init(&d[i], NULL);
        coordinator_set(&c, &d[i], 10 + i);
        queue_add(&q, &t[i]);
    }
    assert_true(coordinator_check(&c) && queue_check(&q));
    d[1].at++;
    assert_false(coordinator_check(&c));
    d[1].at = d[1].entry.at = RT_NEVER;
    assert_false(coordinator_check(&c));
    d[1].at = d[1].entry.at = 11;
    assert_true(coordinator_check(&c));
    d[1].entry.at = d[1].at = 9;
    assert_false(coordinator_check(&c));

    t[1].armed = false;
    assert_false(queue_check(&q));
    t[1].armed = true;
    t[1].due = true;
    assert_false(queue_check(&q));
    t[1].due = false;
    t[1].at++;
    assert_false(queue_check(&q));
    t[1].at = t[1].entry.at = 4;
    assert_false(queue_check(&q));
    t[1].at = t[1].entry.at = 6;
    assert_true(queue_check(&q));
    q.head = &t[1];
    assert_false(queue_check(&q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_has_three_keys),     cmocka_unit_test(test_against_a_search),
        cmocka_unit_test(test_the_right_spine_is_short),     cmocka_unit_test(test_the_check_sees_damage),
        cmocka_unit_test(test_the_owners_checks_see_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
