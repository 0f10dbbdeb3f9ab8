/* The vCPUs of one VM among each other on several processors (DESIGN.md 2.10, 2.11): the VM's lock and its
 * use as sequence counter, a line of apparent time that all leave together, the targets of the timers. What
 * the other processor does happens in the hooks of the fake host and the fake backend, in one thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/bus.h"
#include "vmm/lock.h"
#include "vmm/run.h"
#include "vmm/siblings.h"

#define CPUS 2u
#define MS   1000000ull
#define PAGE 0xfee00000u

static struct vm *vm;

static int setup_of(void **state, unsigned int cpus)
{
    struct vm_config config = fake_vm_config();

    config.cpus = cpus;
    *state = vm = fake_vm_start(&config);
    return vm ? 0 : -1;
}

static int setup(void **state)
{
    return setup_of(state, CPUS);
}

static int setup_one(void **state)
{
    return setup_of(state, 1);
}

static enum run_stop slice(unsigned int cpu)
{
    enum run_stop stop;

    vm_lock(vm);
    stop = vcpu_run(vm->vcpus[cpu], fake_host.now + MS);
    vm_unlock(vm);
    return stop;
}

static void start_second(void)
{
    bus_mmio_write(&vm->bus, vm->vcpus[0], PAGE + LAPIC_ICR_HIGH, 4, 1u << 24);
    bus_mmio_write(&vm->bus, vm->vcpus[0], PAGE + LAPIC_ICR_LOW, 4, 0x4500);
    bus_mmio_write(&vm->bus, vm->vcpus[0], PAGE + LAPIC_ICR_LOW, 4, 0x4610);
    slice(0);
    slice(1);
}

/* ---- the lock ---- */

static struct lock lock;
static unsigned int waited;

static void other_lets_go(void)
{
    if (++waited == 3)
        lock_release(&lock);
}

static void tickets(void **state)
{
    uint32_t ticket;

    (void)state;
    lock = (struct lock){.next = UINT32_MAX, .serving = UINT32_MAX}; /* they wrap */
    waited = 0;
    assert_false(lock_is_held(&lock));
    assert_true(lock_look(&lock, &ticket));
    assert_true(lock_looked(&lock, ticket));
    lock_take(&lock);
    assert_true(lock_is_held(&lock));
    assert_false(lock_looked(&lock, ticket)); /* what was seen is of no moment */
    assert_false(lock_look(&lock, &ticket));
    fake_host.on_relax = other_lets_go;
    lock_take(&lock); /* second in the queue */
    assert_int_equal(waited, 3);
    lock_release(&lock);
    assert_false(lock_is_held(&lock));
    assert_int_equal(lock.next, 1);
}

/* The guest never runs under it. */
static void held_from_exit_to_entry(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    assert_false(lock_is_held(&vcpu->vm->lock));
    assert_true(vcpu->in_guest);
    *exit = (struct exit_record){.kind = EXIT_DEADLINE};
    fake_host.now = deadline;
}

static void the_guest_runs_without_it(void **state)
{
    (void)state;
    fake_vcpu(vm->vcpus[0])->on_run = held_from_exit_to_entry;
    slice(0);
    assert_true(fake_vcpu(vm->vcpus[0])->entries > 0 || vm->lock.next > 0);
    assert_false(lock_is_held(&vm->lock));
    assert_false(vm->vcpus[0]->in_guest);
}

/* A VM of one vCPU takes none. */
static void one_alone_has_none(void **state)
{
    (void)state;
    slice(0);
    vcpu_put(vm->vcpus[0], NULL);
    vcpu_poll(vm->vcpus[0], fake_host.now);
    assert_int_equal(vm->lock.next, 0);
}

/* ---- time without it ---- */

static unsigned int reads;
static bool held_by_other;

static void read_tsc(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    if (reads-- == 0) {
        if (held_by_other)
            lock_release(&vcpu->vm->lock);
        fake_host.now = deadline;
        *exit = (struct exit_record){.kind = EXIT_DEADLINE};
        return;
    }
    fake_host.now += 100;
    *exit = (struct exit_record){.kind = EXIT_RDTSC, .insn_len = 2};
}

/* Three exits of RDTSC on a known line draw no ticket, and answer what a read under the lock would. */
static void rdtsc_takes_no_lock(void **state)
{
    struct vcpu *v = vm->vcpus[0];

    (void)state;
    slice(0);
    reads = 3;
    fake_vcpu(v)->on_run = read_tsc;
    uint32_t before = vm->lock.next;
    uint64_t from = fake_host.now, rip = v->regs.rip;
    at_t at = vtime_peek(&vm->time);
    slice(0);
    assert_int_equal(vm->lock.next - before, 2); /* the run's own, and the one after the last exit */
    assert_int_equal(v->exits[EXIT_RDTSC], 3);
    assert_int_equal(v->regs.rip, rip + 6);
    assert_int_equal(v->regs.gpr[GPR_RAX] | v->regs.gpr[GPR_RDX] << 32, tsc_at(&v->tsc, at + 300));
    assert_int_equal(vtime_peek(&vm->time) - at, fake_host.now - from);
}

/* ---- a line that all leave ---- */

static void leaves_when_called(void)
{
    vm->vcpus[1]->in_guest = false;
    fake_host.now += 700; /* so long it could still read */
}

static void a_line_is_left_together(void **state)
{
    struct vcpu *other;

    (void)state;
    start_second();
    other = vm->vcpus[1];
    other->in_guest = true;
    other->free_tsc = (struct vcpu_tsc){.free = true, .line = vtime_outlook(&vm->time)->line};
    assert_false(siblings_settle(vm->vcpus[0], vtime_outlook(&vm->time))); /* on the same line */
    fake_host.on_relax = leaves_when_called;
    fake_host.kicked = 0;
    struct vt_outlook changed = *vtime_outlook(&vm->time);
    changed.line.ratio = 0;
    uint64_t line = other->free_tsc.line.offset;
    assert_true(siblings_settle(vm->vcpus[0], &changed));
    assert_int_equal(fake_host.kicked, 1u << 1);
    assert_true(vm->time.at_l >= fake_host.now + line);    /* nobody reads less from now on */
    assert_false(siblings_settle(vm->vcpus[0], &changed)); /* nobody is there */
    other->in_guest = true;
    other->free_tsc.free = false;
    assert_false(siblings_settle(vm->vcpus[0], &changed)); /* or nobody reads without an exit */
    other->in_guest = false;
}

static void nobody_stays_behind(void **state)
{
    (void)state;
    start_second();
    vm->vcpus[1]->in_guest = true;
    fake_host.on_relax = leaves_when_called;
    fake_host.kicked = 0;
    vm_end_exit(vm, 0);
    assert_int_equal(slice(0), RUN_ENDED);
    assert_int_equal(fake_host.kicked, 1u << 1);
    assert_false(vm->vcpus[1]->in_guest);
    assert_int_equal(slice(1), RUN_ENDED);
}

/* Another one's exit is answered at no less than one in the guest may have read by then, along a line that AT
 * has left; it is not taken out for that. */
static void an_answer_is_not_behind_a_free_read(void **state)
{
    struct vcpu *other;
    at_t at;

    (void)state;
    start_second();
    other = vm->vcpus[1];
    other->in_guest = true;
    other->free_tsc = (struct vcpu_tsc){.free = true, .line = vtime_outlook(&vm->time)->line};
    at = vtime_peek(&vm->time);
    siblings_note(vm->vcpus[0], fake_host.now);
    assert_int_equal(vtime_peek(&vm->time), at); /* on the same line */
    other->free_tsc.line.offset += 500;
    fake_host.kicked = 0;
    siblings_note(vm->vcpus[0], fake_host.now);
    assert_int_equal(vm->time.at_l, fake_host.now + other->free_tsc.line.offset);
    assert_int_equal(fake_host.kicked, 0);
    other->in_guest = false;
}

/* ---- the VM's next deadline, when one leaves the guest to the others ---- */

static void somebody_is_out_by_the_deadline(void **state)
{
    struct vtimer timer;
    static const struct vtimer_ops ops = {.event = NULL};
    struct vcpu *other;

    (void)state;
    start_second();
    other = vm->vcpus[1];
    vtime_attach(&vm->time, &timer, "test", &ops, NULL, 0);
    vtime_set(&vm->time, &timer, &(struct vt_schedule){.first = vtime_peek(&vm->time) + MS, .period_den = 1});
    uint64_t deadline = vtime_deadline(&vm->time);
    other->in_guest = true;
    other->out_by = deadline + 1;
    fake_host.kicked = 0;
    siblings_take_over(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 1u << 1);
    fake_host.kicked = 0;
    other->out_by = deadline;
    siblings_take_over(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 0);
    other->out_by = deadline + 1;
    siblings_take_over(vm, other); /* that one is on its way out itself */
    assert_int_equal(fake_host.kicked, 0);
    other->in_guest = false;
    siblings_take_over(vm, NULL); /* nobody runs: the kernel waits for it (vm_idle_until()) */
    assert_int_equal(fake_host.kicked, 0);
    vtime_clear(&vm->time, &timer);
    vm->time.timers = NULL;
}

static void halt(struct vcpu *vcpu)
{
    vcpu->state = VCPU_HALTED;
    vcpu->regs.rflags |= RFLAGS_IF;
    vtime_vcpu_halt(&vm->time, vcpu->id);
}

/* All are halted: the kernel polls. One that has something to do is kicked, wherever its processor is. */
static void a_poll_calls_who_has_to_run(void **state)
{
    (void)state;
    start_second();
    for (unsigned int i = 0; i < CPUS; i++) {
        bus_mmio_write(&vm->bus, vm->vcpus[i], PAGE + LAPIC_SVR, 4, 0x1ff);
        halt(vm->vcpus[i]);
        vm->vcpus[i]->lapic.news = false;
    }
    assert_int_equal(vm_idle_until(vm), vtime_deadline(&vm->time));
    fake_host.kicked = 0;
    assert_int_equal(vm_poll(vm, fake_host.now), vtime_deadline(&vm->time));
    assert_int_equal(fake_host.kicked, 0);
    bus_mmio_write(&vm->bus, vm->vcpus[0], PAGE + LAPIC_ICR_LOW, 4, 0x4041); /* fixed, to the second */
    assert_int_equal(vm_poll(vm, fake_host.now), RT_NEVER);                  /* it looks for itself */
    assert_int_equal(fake_host.kicked, 1u << 1);
    assert_int_equal(vm->vcpus[1]->state, VCPU_RUNNABLE);
    assert_int_equal(vm->time.cpu[1].state, VT_CPU_READY);
    fake_host.kicked = 0;
    vm_poll(vm, fake_host.now); /* it is on its way */
    assert_int_equal(fake_host.kicked, 0);
    assert_int_equal(vm_idle_until(vm), RT_NEVER);
    assert_false(lock_is_held(&vm->lock));
}

/* A VM that a sibling keeps going has lost nothing. */
static void only_a_vm_that_stood_still_is_latched(void **state)
{
    rt_t before;

    (void)state;
    start_second();
    before = vm->time.rt_c;
    assert_true(vm->time.moving);
    vm_latch(vm, before + MS);
    assert_int_equal(vm->time.rt_c, before);
    for (unsigned int i = 0; i < CPUS; i++)
        vcpu_put(vm->vcpus[i], NULL);
    assert_false(vm->time.moving);
    vm_latch(vm, before + MS);
    assert_int_equal(vm->time.rt_c, before + MS);
}

/* ---- the time model's wish ---- */

/* The next event of a vCPU that has no processor waits for it: the running one makes way. */
static void way_is_made(void **state)
{
    struct vtimer timer, own;
    static const struct vtimer_ops ops = {.event = NULL};

    (void)state;
    start_second();
    vcpu_put(vm->vcpus[1], vm->vcpus[0]);
    slice(0);
    vtime_attach(&vm->time, &timer, "test", &ops, NULL, 1);
    siblings_make_way(vm->vcpus[0]);
    assert_int_equal(fake_host.yielded, 0);
    /* An event for it has just been delivered, and the next is due. */
    vm->time.gates = 1u << 1;
    vm->time.cpu[1].progress_at = vm->time.cpu[1].executed + MS;
    vm->time.cpu[1].moved_at = vm->time.moved + 1000 * MS;
    vtime_set(&vm->time, &timer, &(struct vt_schedule){.first = vtime_peek(&vm->time), .period_den = 1});
    siblings_make_way(vm->vcpus[0]);
    assert_int_equal(fake_host.yielded, 1);
    assert_ptr_equal(fake_host.to, vm->vcpus[1]);
    /* With one of its own, at the same AT, for which it has to execute, it does not: that one would make way
     * for it in turn. */
    vtime_attach(&vm->time, &own, "test", &ops, NULL, 0);
    vm->time.gates = 3;
    vm->time.cpu[0].progress_at = vm->time.cpu[0].executed + 1000 * MS;
    vm->time.cpu[0].moved_at = vm->time.moved + 1000 * MS;
    vtime_set(&vm->time, &own, &(struct vt_schedule){.first = vtime_peek(&vm->time), .period_den = 1});
    fake_host.yielded = 0;
    siblings_make_way(vm->vcpus[0]);
    assert_int_equal(fake_host.yielded, 0);
    vtime_clear(&vm->time, &own);
    vtime_clear(&vm->time, &timer);
    vm->time.timers = NULL; /* the timer goes with this frame */
}

static void route(unsigned int input, uint64_t entry)
{
    vm->platform.ioapic.entries[input] = entry;
    vm->platform.wires_changed = true;
    platform_poll(vm);
}

static void timers_follow_their_interrupts(void **state)
{
    const struct platform *p = &vm->platform;

    (void)state;
    for (unsigned int i = 0; i < CPUS; i++)
        bus_mmio_write(&vm->bus, vm->vcpus[i], PAGE + LAPIC_SVR, 4, 0x1ff);
    route(GSI_PIT, 0x31 | 1ull << RTE_DEST_SHIFT);
    assert_int_equal(p->pit.timer.vcpu, 1);
    assert_int_equal(p->rtc.periodic.vcpu, 0);
    route(IRQ_RTC, 0x32 | 1ull << RTE_DEST_SHIFT);
    assert_int_equal(p->rtc.periodic.vcpu, 1);
    assert_int_equal(p->rtc.update.vcpu, 1);
    route(IRQ_RTC, 0x32 | 0xffull << RTE_DEST_SHIFT); /* all: the first */
    assert_int_equal(p->rtc.alarm.vcpu, 0);
    route(IRQ_RTC, 0x32 | 7ull << RTE_DEST_SHIFT); /* nobody */
    assert_int_equal(p->rtc.alarm.vcpu, 0);
    route(GSI_PIT, RTE_MASKED | 1ull << RTE_DEST_SHIFT); /* the PIC's */
    assert_int_equal(p->pit.timer.vcpu, 0);
    /* HPET comparator 0: an input of its own, or the PIT's by legacy replacement. */
    route(20, 0x33 | 1ull << RTE_DEST_SHIFT);
    bus_mmio_write(&vm->bus, vm->vcpus[0], 0xfed00100, 4, 20u << 9 | 4);
    platform_poll(vm);
    assert_int_equal(p->hpet.timer[0].timer.vcpu, 1);
    assert_int_equal(p->hpet.timer[1].timer.vcpu, 0);
    bus_mmio_write(&vm->bus, vm->vcpus[0], 0xfed00010, 4, 3);
    platform_poll(vm);
    assert_int_equal(p->hpet.timer[0].timer.vcpu, 0);
    route(IRQ_RTC, 0x32 | 1ull << RTE_DEST_SHIFT);
    assert_int_equal(p->hpet.timer[1].timer.vcpu, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tickets),
        TEST(the_guest_runs_without_it),
        cmocka_unit_test_setup_teardown(one_alone_has_none, setup_one, fake_vm_teardown),
        TEST(rdtsc_takes_no_lock),
        TEST(a_line_is_left_together),
        TEST(nobody_stays_behind),
        TEST(an_answer_is_not_behind_a_free_read),
        TEST(somebody_is_out_by_the_deadline),
        TEST(a_poll_calls_who_has_to_run),
        TEST(only_a_vm_that_stood_still_is_latched),
        TEST(way_is_made),
        TEST(timers_follow_their_interrupts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
