/* The life of a VM: DESIGN.md section 4 ("Start", "Guests", "End"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/host.h"
#include "vmm/vm.h"

static struct vm refused_vm;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static void memory_map(void **state)
{
    struct vm *vm = *state;
    const struct fake_vm *f = vm->arch;
    const unsigned int all = NPT_READ | NPT_WRITE | NPT_EXEC;
    const struct {
        uint64_t gpa, length;
        unsigned int rights;
    } expected[] = {{0, 0xa0000, all},
                    {0xa0000, 0x18000, NPT_READ},
                    {0xb8000, 0x8000, all},
                    {0xc0000, 0x20000, NPT_READ},
                    {0xe0000, FAKE_VM_MEM - 0xe0000, all}};

    assert_int_equal(f->nmappings, 5);
    for (unsigned int i = 0; i < 5; i++) {
        assert_int_equal(f->mappings[i].gpa, expected[i].gpa);
        assert_int_equal(f->mappings[i].length, expected[i].length);
        assert_int_equal(f->mappings[i].hpa, host_phys(vm->ram.base) + expected[i].gpa);
        assert_int_equal(f->mappings[i].rights, expected[i].rights);
    }
    /* Where only reads are let through, they see what no device answers. */
    assert_int_equal(vm->ram.base[0xa0000] & vm->ram.base[0xb7fff] & vm->ram.base[0xdffff], 0xff);
    assert_int_equal(host_phys(vm->ram.base) % (2u << 20), 0);
}

/* Any address and length: a pointer only into RAM. */
static void ram_pointers(void **state)
{
    struct vm *vm = *state;

    assert_ptr_equal(vm_ram(vm, 0, 1), vm->ram.base);
    assert_ptr_equal(vm_ram(vm, 0x9ffff, 1), vm->ram.base + 0x9ffff);
    assert_null(vm_ram(vm, 0x9ffff, 2));
    assert_null(vm_ram(vm, 0xa0000, 1));
    assert_null(vm_ram(vm, 0xb7fff, 1));
    assert_non_null(vm_ram(vm, 0xb8000, 0x8000));
    assert_null(vm_ram(vm, 0xbffff, 2));
    assert_null(vm_ram(vm, 0, 0x100000));
    assert_non_null(vm_ram(vm, 0xe0000, FAKE_VM_MEM - 0xe0000));
    assert_non_null(vm_ram(vm, FAKE_VM_MEM - 1, 1));
    assert_null(vm_ram(vm, FAKE_VM_MEM - 1, 2));
    assert_null(vm_ram(vm, FAKE_VM_MEM, 1));
    assert_null(vm_ram(vm, 1, UINT64_MAX));
    assert_null(vm_ram(vm, UINT64_MAX, 1));
    assert_null(vm_ram(vm, UINT64_MAX, UINT64_MAX));
    assert_null(vm_ram(vm, 4ull << 30, 1));
    /* As if it had a piece above 4 GiB. */
    vm->ram.low -= 0x100000;
    vm->ram.high = 0x100000;
    assert_ptr_equal(vm_ram(vm, 4ull << 30, 0x100000), vm->ram.base + vm->ram.low);
    assert_null(vm_ram(vm, 4ull << 30, 0x100001));
    assert_null(vm_ram(vm, (4ull << 30) + 0x100000, 1));
    vm->ram.low += 0x100000;
    vm->ram.high = 0;
}

static void the_first_end_wins(void **state)
{
    struct vm *vm = *state;

    vm_end_exit(vm, 7);
    vm_end_crash(vm, "later %d", 1);
    vm_end_poweroff(vm);
    assert_int_equal(vm->state, VM_ENDED);
    assert_int_equal(vm->end, VM_END_EXIT);
    assert_int_equal(vm->exit_code, 7);
    assert_string_equal(vm->end_reason, "");
}

/* stats=exits: a line for each kind that came, once. */
static void exits_are_told_at_the_end(void **state)
{
    struct vm *vm = *state;

    vm->config.count_exits = true;
    vm->vcpus[0]->exits[EXIT_IO] = 12;
    vm->vcpus[0]->exits[EXIT_CPUID] = 3000000000;
    fake_host_reset();
    vm_end_poweroff(vm);
    vm_end_exit(vm, 1);
    assert_non_null(strstr(fake_host.log, ": exits io 12\n"));
    assert_non_null(strstr(fake_host.log, ": exits cpuid 3000000000\n"));
    assert_null(strstr(fake_host.log, "mmio"));
    assert_null(strstr(strstr(fake_host.log, "exits io") + 1, "exits io"));
}

static void a_long_reason_is_cut(void **state)
{
    struct vm *vm = *state;

    vm_end_crash(vm, "%0300d", 1);
    assert_int_equal(strlen(vm->end_reason), VM_REASON_MAX - 1);
}

/* The monitor's `set`: the words of the start, on a VM that runs; or nothing at all. */
static void time_settings_change_live(void **state)
{
    struct vm *vm = *state;
    struct vtime_settings s = vm->config.time;

    vm->time.policy.maxrate = (struct vt_ratio){12, 1};
    s.fixed = true;
    s.rate_p = 5;
    s.rate_q = 2;
    s.k1_ns = 3000;
    s.progress_ns = 70000;
    s.leap_ns = LEAP_OFF;
    assert_true(vm_set_time(vm, &s));
    assert_int_equal(vm->time.policy.rate, VT_RATE_FIXED);
    assert_int_equal(vm->time.policy.c.num, 5);
    assert_int_equal(vm->time.policy.k1, 3000); /* 1 GHz */
    assert_true(vm->time.policy.leap == VT_NO_LEAP);
    assert_int_equal(vm->time.timers->progress, 70000);
    assert_int_equal(vm->time.policy.maxrate.num, 12); /* not given: the scheduler's */
    s.rate_q = 6;
    assert_false(vm_set_time(vm, &s));
    assert_int_equal(vm->time.policy.c.den, 2);
    assert_int_equal(vm->config.time.rate_q, 2);
    s = vm->config.time;
    s.fixed = false;
    s.maxrate = 3;
    assert_true(vm_set_time(vm, &s));
    assert_int_equal(vm->time.policy.rate, VT_RATE_ADAPTIVE);
    assert_int_equal(vm->time.policy.maxrate.num, 3);
}

static void killed_by_the_operator(void **state)
{
    struct vm *vm = *state;

    vm_end_killed(vm);
    assert_int_equal(vm->end, VM_END_KILLED);
    vm_end_exit(vm, 0); /* the first end counts */
    assert_int_equal(vm->end, VM_END_KILLED);
}

/* on-reset=end, and the restart: RAM and devices as new, the images again, apparent time goes on. */
static void resets(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = vm->vcpus[0];
    uint8_t *ram = vm_ram(vm, 0x300000, 1);

    vm->started = true;
    vtime_unpause(&vm->time);
    vtime_vcpu_run(&vm->time, 0);
    fake_host.now = 1000000;
    vtime_advance(&vm->time, fake_host.now);
    assert_int_equal(tsc_read(&vcpu->tsc), 1000000);
    *ram = 1;
    vcpu->regs.rip = 0x1234;
    vcpu->state = VCPU_HALTED;
    vcpu->nmis_pending = 1;
    vcpu->msr.misc_enable = 0;
    vm_request_reset(vm);
    assert_int_equal(vm->state, VM_RUNNING);
    assert_true(vm->reset_requested);
    assert_true(vm_restart(vm));
    assert_false(vm->reset_requested);
    assert_int_equal(vm->restarts, 1);
    assert_int_equal(*ram, 0);
    assert_int_equal(vcpu->regs.rip, 0x7c00);
    assert_memory_equal(vm_ram(vm, 0x7dfe, 2), "\x55\xaa", 2);
    assert_int_equal(vcpu->state, VCPU_RUNNABLE);
    assert_int_equal(vcpu->nmis_pending, 0);
    assert_int_equal(vcpu->msr.misc_enable, 0x1801);
    assert_int_equal(tsc_read(&vcpu->tsc), 0);       /* a RESET clears the TSC ... */
    assert_int_equal(vtime_now(&vm->time), 1000000); /* ... and time goes on */
    vm->config.on_reset = ON_RESET_END;
    vm_request_reset(vm);
    assert_int_equal(vm->end, VM_END_RESET);
}

/* In pieces, and then all of it, again at the next reset; what has been cleared is left alone. */
static void a_reset_in_pieces(void **state)
{
    struct vm *vm = *state;
    uint8_t *low = vm_ram(vm, 0x1000, 1), *high = vm_ram(vm, 0x300000, 1);

    for (unsigned int round = 0; round < 2; round++) {
        *low = *high = 1;
        assert_false(vm_clear(vm, 0x1000));
        assert_int_equal(*low, 1);
        assert_false(vm_clear(vm, 1));
        assert_int_equal(*low, 0);
        assert_int_equal(*high, 1);
        assert_true(vm_clear(vm, 1ull << 40));
        assert_true(vm_clear(vm, 1));
        assert_int_equal(*high, 0);
        *low = 1;
        assert_true(vm_restart(vm));
        assert_int_equal(*low, 1);
    }
}

/* All vCPUs are there; the others wait for SIPI. */
static void several_processors(void **state)
{
    struct vm_config config = fake_vm_config();
    struct vm *vm;

    (void)state;
    config.cpus = 8;
    vm = fake_vm_create(&config);
    assert_non_null(vm);
    assert_int_equal(vm->nvcpus, 8);
    assert_int_equal(vm->vcpus[0]->state, VCPU_RUNNABLE);
    for (unsigned int i = 1; i < 8; i++) {
        assert_int_equal(vm->vcpus[i]->state, VCPU_WAIT_SIPI);
        assert_int_equal(vm->vcpus[i]->id, i);
    }
    void *handle = vm;
    fake_vm_teardown(&handle);
    assert_int_equal(fake_host.pages, 0);
}

/* The words of a module line become RT ticks at the host's frequency. */
static void time_policy(void **state)
{
    struct vm_config config = fake_vm_config();
    struct vm *vm;

    (void)state;
    fake_host.hz = 2500000000u;
    config.time = (struct vtime_settings){.fixed = true,
                                          .rate_p = 3,
                                          .rate_q = 2,
                                          .k1_ns = 1000,
                                          .k2_ns = 2,
                                          .leap_ns = 4000000000u,
                                          .progress_ns = 50000,
                                          .gap_jump = true,
                                          .hyst = 2};
    vm = fake_vm_create(&config);
    assert_non_null(vm);
    const struct vtime_policy *p = &vm->time.policy;
    assert_int_equal(p->rate, VT_RATE_FIXED);
    assert_int_equal(p->c.num, 3);
    assert_int_equal(p->c.den, 2);
    assert_int_equal(p->k1, 2500);
    assert_int_equal(p->k2, 5);
    assert_int_equal(p->leap, 10000000000u);
    assert_int_equal(p->progress, 125000);
    assert_int_equal(p->gap, VT_GAP_JUMP);
    assert_int_equal(p->hyst, VT_HYST_ARTP);
    assert_int_equal(vtime_hz(&vm->time), 2500000000u);
    void *handle = vm;
    fake_vm_teardown(&handle);

    config.time = (struct vtime_settings){.maxrate = 12, .leap_ns = LEAP_OFF};
    vm = fake_vm_create(&config);
    assert_non_null(vm);
    p = &vm->time.policy;
    assert_int_equal(p->rate, VT_RATE_ADAPTIVE);
    assert_int_equal(p->maxrate.num, 12);
    assert_true(p->leap == VT_NO_LEAP);
    assert_int_equal(p->gap, VT_GAP_SMOOTH);
    handle = vm;
    fake_vm_teardown(&handle);
}

/* Refused: one clear reason, and no memory held. */
static void refused(const struct vm_config *config, const char *reason)
{
    memset(&refused_vm, 0xa5, sizeof refused_vm);
    assert_false(vm_create(&refused_vm, &fake_hv_ops, config, 3));
    assert_int_equal(refused_vm.state, VM_ENDED);
    assert_int_equal(refused_vm.end, VM_END_REFUSED);
    if (!strstr(refused_vm.end_reason, reason))
        fail_msg("%s", refused_vm.end_reason);
    assert_int_equal(fake_host.pages, 0);
    assert_int_equal(refused_vm.nvcpus, 0);
    assert_null(refused_vm.ram.base);
    assert_null(refused_vm.arch);
    assert_string_equal(refused_vm.config.name, "test");
}

static void refusals(void **state)
{
    struct vm_config config = fake_vm_config();
    static const uint8_t junk[600] = {1};

    (void)state;
    config.mem = 4ull << 30;
    refused(&config, "mem=4096M: more memory than there is: ");
    config.mem = 4 << 20;
    fake_host.largest = (3 << 20) / 4096;
    refused(&config, "mem=4M: 1024M of memory are free, but at most 3M in one piece");
    fake_host.largest = 0;
    config.mem = 1 << 20;
    refused(&config, "mem=1M");
    config = fake_vm_config();
    config.cpus = 9;
    refused(&config, "cpus=9");
    config = fake_vm_config();
    config.refused = true;
    strcpy(config.reason, "module 2: unknown word speed=3");
    refused(&config, "module 2: unknown word speed=3");
    config = fake_vm_config();
    config.image = junk;
    config.image_size = sizeof junk;
    refused(&config, "test");
    config = fake_vm_config();
    config.time.fixed = true;
    config.time.rate_q = 0;
    refused(&config, "catchup=");
    config = fake_vm_config();
    config.time.k1_ns = UINT64_MAX;
    refused(&config, "k1=");
}

/* Memory that runs out at any point: refused, and nothing is lost. */
static void memory_runs_out_anywhere(void **state)
{
    struct vm_config config = fake_vm_config();
    size_t limit = 0;

    (void)state;
    config.cpus = 4;
    for (; limit < 4096; limit++) {
        fake_host.page_limit = limit;
        if (vm_create(&refused_vm, &fake_hv_ops, &config, 0))
            break;
        assert_int_equal(refused_vm.end, VM_END_REFUSED);
        assert_string_not_equal(refused_vm.end_reason, "");
        assert_int_equal(fake_host.pages, 0);
        if (limit + 64 < FAKE_VM_MEM / 4096)
            limit += 63; /* below the RAM's size they all fail alike */
    }
    assert_int_equal(refused_vm.state, VM_RUNNING);
    vm_destroy(&refused_vm);
    assert_int_equal(fake_host.pages, 0);
}

static void backend_failures(void **state)
{
    struct vm_config config = fake_vm_config();

    (void)state;
    fake_hv_faults.vm_init = true;
    refused(&config, "page tables");
    fake_hv_reset();
    fake_hv_faults.map = true;
    refused(&config, "page tables");
    fake_hv_reset();
    fake_hv_faults.vcpu_init = true;
    refused(&config, "cpus=1");
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, fake_vm_setup, fake_vm_teardown)
#define PLAIN(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_map),
        TEST(ram_pointers),
        TEST(the_first_end_wins),
        TEST(exits_are_told_at_the_end),
        TEST(a_long_reason_is_cut),
        TEST(resets),
        TEST(a_reset_in_pieces),
        TEST(time_settings_change_live),
        TEST(killed_by_the_operator),
        PLAIN(several_processors),
        PLAIN(time_policy),
        PLAIN(refusals),
        PLAIN(memory_runs_out_anywhere),
        PLAIN(backend_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
