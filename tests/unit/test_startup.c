/* Several virtual processors in one VM: INIT and SIPI (SDM vol. 3, 9.4 and table 9-1), waking, the hand-over
 * of the processor between siblings, and that apparent time is theirs together (DESIGN.md 2.11). The run
 * loop, the platform and the time coordinator are the real ones. */
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
#include "vmm/cr.h"
#include "vmm/run.h"
#include "vmm/siblings.h"
#include "vmm/startup.h"

#define CPUS  3u
#define MS    1000000ull
#define LAPIC 0xfee00000u

static struct vm *vm;

static int setup(void **state)
{
    struct vm_config config = fake_vm_config();

    config.cpus = CPUS;
    *state = vm = fake_vm_start(&config);
    return vm ? 0 : -1;
}

static void lapic(unsigned int cpu, uint32_t reg, uint32_t value)
{
    bus_mmio_write(&vm->bus, vm->vcpus[cpu], LAPIC + reg, 4, value);
}

/* An interprocessor interrupt of vCPU `from`. */
static void ipi(unsigned int from, unsigned int to, uint32_t low)
{
    lapic(from, LAPIC_ICR_HIGH, to << 24);
    lapic(from, LAPIC_ICR_LOW, low);
}

static void start(unsigned int cpu, uint32_t page)
{
    ipi(0, cpu, 0x4500);
    ipi(0, cpu, 0x4600 | page);
}

/* A slice of 1 ms that its end takes the vCPU out of. */
static enum run_stop slice(unsigned int cpu)
{
    enum run_stop stop;

    vm_lock(vm);
    stop = vcpu_run(vm->vcpus[cpu], fake_host.now + MS);
    vm_unlock(vm);
    return stop;
}

static void a_started_one_begins_at_its_page(void **state)
{
    struct guest_segment cs;
    uint32_t out[4];

    (void)state;
    assert_int_equal(slice(1), RUN_HALTED); /* waits for SIPI: never entered */
    assert_int_equal(fake_vcpu(vm->vcpus[1])->entries, 0);
    start(1, 0x9a);
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 1u << 1);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(fake_vcpu(vm->vcpus[1])->entries, 1);
    hv->get_segment(vm->vcpus[1], SEG_CS, &cs);
    assert_int_equal(cs.selector, 0x9a00);
    assert_int_equal(cs.base, 0x9a000);
    assert_int_equal(vm->vcpus[1]->regs.rip, 0);
    assert_int_equal(vm->vcpus[1]->state, VCPU_RUNNABLE);
    assert_int_equal(vm->vcpus[2]->state, VCPU_WAIT_SIPI);
    cpuid_read(vm->vcpus[1], 1, 0, out);
    assert_int_equal(vm->vcpus[1]->regs.gpr[GPR_RDX], out[CPUID_EAX]); /* the processor's signature */
}

/* 9.4.4: a SIPI that finds nobody waiting, and a second one, are lost. */
static void sipi_without_waiting(void **state)
{
    struct guest_segment cs;

    (void)state;
    start(1, 0x10);
    ipi(0, 1, 0x4620);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    vm->vcpus[1]->regs.rip = 0x77;
    ipi(0, 1, 0x4630);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    hv->get_segment(vm->vcpus[1], SEG_CS, &cs);
    assert_int_equal(cs.selector, 0x1000);
    assert_int_equal(vm->vcpus[1]->regs.rip, 0x77);
    ipi(1, 0, 0x4640); /* to the one that booted */
    assert_false(vm->vcpus[0]->lapic.sipi_pending);
}

/* Table 9-1, the column of INIT. */
static void init_of_a_running_one(void **state)
{
    struct vcpu *v = vm->vcpus[1];

    (void)state;
    start(1, 0x10);
    slice(1);
    lapic(1, LAPIC_SVR, 0x1ff);
    hv->set_reg(v, REG_PAT, 0x0606060606060606);
    hv->set_reg(v, REG_CR0, CR0_PE | CR0_ET);
    assert_true(msr_write(v, 0x3b, 12345));
    assert_true(msr_write(v, 0x200, 6));
    v->regs.gpr[GPR_RBX] = 7;
    ipi(0, 1, 0x4500);
    assert_int_equal(slice(1), RUN_HALTED);
    assert_int_equal(v->state, VCPU_WAIT_SIPI);
    assert_int_equal(vm->time.cpu[1].state, VT_CPU_OFF);
    assert_false(lapic_enabled(&v->lapic));
    assert_int_equal(hv->get_reg(v, REG_PAT), 0x0606060606060606);
    assert_int_equal(hv->get_reg(v, REG_CR0), CR0_ET); /* caching stays on */
    assert_int_equal(v->tsc.adjust, 12345);
    assert_int_equal(v->msr.mtrr_base[0], 6);
    assert_int_equal(v->regs.gpr[GPR_RBX], 0);
    ipi(0, 1, 0x4620);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    /* The de-assert of old does nothing. */
    ipi(0, 1, 0x8500);
    assert_false(v->lapic.init_pending);
}

/* INIT reaches a processor in HLT with interrupts off, and one that has lost its way. */
static void init_of_a_halted_one(void **state)
{
    struct vcpu *v = vm->vcpus[1];
    struct exit_record hlt = {.kind = EXIT_HLT, .insn_len = 1};

    (void)state;
    start(1, 0x10);
    fake_hv_push(v, &hlt);
    assert_int_equal(slice(1), RUN_HALTED);
    fake_host.kicked = 0;
    ipi(0, 1, 0x500);
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 1u << 1);
    assert_int_equal(slice(1), RUN_HALTED);
    assert_int_equal(v->state, VCPU_WAIT_SIPI);
    fake_host.kicked = 0;
    ipi(0, 1, 0x4500); /* once more: it waits already */
    assert_int_equal(slice(1), RUN_HALTED);
    assert_int_equal(v->state, VCPU_WAIT_SIPI);
    ipi(0, 1, 0x6ff);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(v->state, VCPU_RUNNABLE);
}

/* One that waits for SIPI takes neither interrupts nor NMIs (SDM vol. 3, 26.7.1, of that activity state); an
 * NMI is held until it has started. INIT forgets one that came before it. */
static void nmi_to_a_waiting_one(void **state)
{
    struct vcpu *v = vm->vcpus[1];

    (void)state;
    ipi(0, 1, 0x400);
    ipi(0, 1, 0x41);
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked & 2, 0);
    assert_int_equal(slice(1), RUN_HALTED);
    assert_int_equal(fake_vcpu(v)->nmis, 0);
    ipi(0, 1, 0x610);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(fake_vcpu(v)->nmis, 1);
    ipi(0, 1, 0x400);
    start(1, 0x10);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(fake_vcpu(v)->nmis, 1);
}

/* 9.4.4: the vector is a page of the first MiB, any of them, and IP is 0. */
static void every_page_can_be_started_from(void **state)
{
    struct guest_segment cs;

    (void)state;
    for (uint32_t page = 0; page < 256; page++) {
        start(2, page);
        assert_int_equal(slice(2), RUN_PREEMPTED);
        hv->get_segment(vm->vcpus[2], SEG_CS, &cs);
        assert_int_equal(cs.base, page << 12);
        assert_int_equal(cs.selector, page << 8);
        assert_int_equal(vm->vcpus[2]->regs.rip, 0);
    }
}

/* The bootstrap processor would run the firmware: the VM starts again. */
static void init_of_the_first(void **state)
{
    (void)state;
    start(1, 0x10);
    slice(1);
    ipi(1, 0, 0x4500);
    siblings_call(vm, vm->vcpus[1]);
    assert_true(fake_host.kicked & 1);
    assert_int_equal(slice(0), RUN_RESET);
    fake_host.kicked = 0;
    assert_true(vm_restart(vm));
    assert_int_equal(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
    assert_int_equal(vm->time.cpu[1].state, VT_CPU_OFF);
    assert_int_equal(fake_host.kicked, 1); /* it may have been halted */
    assert_int_equal(slice(1), RUN_HALTED);
    assert_int_equal(slice(0), RUN_PREEMPTED);
}

/* HLT on vCPU 1 ends with the IPI of vCPU 0, at once and without its timer. */
static void an_ipi_wakes(void **state)
{
    struct vcpu *v = vm->vcpus[1];
    struct exit_record hlt = {.kind = EXIT_HLT, .insn_len = 1};

    (void)state;
    start(1, 0x10);
    slice(0);
    slice(1);
    lapic(1, LAPIC_SVR, 0x1ff);
    v->regs.rflags |= RFLAGS_IF;
    fake_hv_push(v, &hlt);
    assert_int_equal(slice(1), RUN_HALTED);
    fake_host.kicked = 0;
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 0);
    ipi(0, 1, 0x40);
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 1u << 1);
    assert_int_equal(v->state, VCPU_RUNNABLE);
    assert_int_equal(vm->time.cpu[1].state, VT_CPU_READY);
    siblings_call(vm, vm->vcpus[0]); /* said once */
    fake_host.kicked = 0;
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked, 0);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(fake_vcpu(v)->irqs[0], 0x40);
}

/* With interrupts off only an NMI ends HLT; vectors, absent targets, SMI and what nobody defines wake nobody.
 */
static void what_does_not_wake(void **state)
{
    struct vcpu *v = vm->vcpus[1];
    struct exit_record hlt = {.kind = EXIT_HLT, .insn_len = 1};

    (void)state;
    start(1, 0x10);
    slice(1);
    lapic(1, LAPIC_SVR, 0x1ff);
    fake_hv_push(v, &hlt);
    assert_int_equal(slice(1), RUN_HALTED);
    fake_host.kicked = 0;
    for (uint32_t low = 0; low < 0x100000; low += 0x100) {
        if ((low & 0x700) == 0x400 || (low & 0x700) == 0x500)
            continue; /* NMI, INIT */
        ipi(0, 1, low | 0x41);
        ipi(0, 77, low | 0x41);
    }
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(fake_host.kicked & 2, 0);
    assert_int_equal(v->state, VCPU_HALTED);
    ipi(0, 1, 0x400);
    siblings_call(vm, vm->vcpus[0]);
    assert_int_equal(v->state, VCPU_RUNNABLE);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(fake_vcpu(v)->nmis, 1);
}

/* A switch between siblings is no loss: AT keeps to its line through the 5 us that it takes. */
static void siblings_hand_the_processor_over(void **state)
{
    (void)state;
    start(1, 0x10);
    slice(0);
    slice(1);
    vcpu_put(vm->vcpus[1], vm->vcpus[0]);
    slice(0);
    at_t at = vtime_peek(&vm->time);
    uint64_t from = fake_host.now, losses = vm->time.losses;
    fake_host.now += 5000;
    vcpu_put(vm->vcpus[0], vm->vcpus[1]);
    assert_int_equal(vm->time.cpu[0].state, VT_CPU_READY);
    assert_int_equal(vm->time.cpu[1].state, VT_CPU_RUNNING);
    assert_int_equal(slice(1), RUN_PREEMPTED);
    assert_int_equal(vtime_peek(&vm->time), at + fake_host.now - from);
    assert_int_equal(vm->time.losses, losses);
    assert_int_equal(vtime_lag(&vm->time), 0);
    vcpu_put(vm->vcpus[1], NULL); /* to another VM: that is one */
    assert_int_equal(vm->time.losses, losses + 1);
}

/* The lag is the VM's: while one runs, nothing is lost for the other. */
static void time_goes_on_for_a_descheduled_one(void **state)
{
    (void)state;
    start(1, 0x10);
    slice(0);
    slice(1);
    vcpu_put(vm->vcpus[1], vm->vcpus[0]);
    for (unsigned int i = 0; i < 50; i++)
        slice(0);
    assert_int_equal(vtime_lag(&vm->time), 0);
    assert_int_equal(vtime_peek(&vm->time), 52 * MS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_started_one_begins_at_its_page),
        TEST(sipi_without_waiting),
        TEST(init_of_a_running_one),
        TEST(init_of_a_halted_one),
        TEST(nmi_to_a_waiting_one),
        TEST(every_page_can_be_started_from),
        TEST(init_of_the_first),
        TEST(an_ipi_wakes),
        TEST(what_does_not_wake),
        TEST(siblings_hand_the_processor_over),
        TEST(time_goes_on_for_a_descheduled_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
