/* Exits and who handles them: DESIGN.md section 3, STYLE.md habit 2 (an unexpected exit ends that VM with its
 * name, its qualification and the registers). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"

#define GPR(r) (vcpu->regs.gpr[GPR_##r])

static struct vm *vm;
static struct vcpu *vcpu;

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    vcpu = vm->vcpus[0];
    fake_vm_flat32(vm);
    return failed;
}

static void dispatch(const struct exit_record *record)
{
    struct exit_record exit = *record;

    fake_vcpu(vcpu)->exception = -1;
    vcpu->regs.rip = 0x8000;
    dispatch_exit(vcpu, &exit);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < EXIT_KINDS; k++) {
        assert_string_not_equal(exit_kind_name((enum exit_kind)k), "?");
        for (unsigned int other = 0; other < k; other++)
            assert_string_not_equal(exit_kind_name((enum exit_kind)k), exit_kind_name((enum exit_kind)other));
    }
    assert_string_equal(exit_kind_name(EXIT_KINDS), "?");
}

static void exits_that_change_nothing(void **state)
{
    static const enum exit_kind kinds[] = {EXIT_INTERRUPT, EXIT_NMI, EXIT_DEADLINE, EXIT_IRQ_WINDOW,
                                           EXIT_NMI_WINDOW};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct vcpu_regs before;
        dispatch(&(struct exit_record){.kind = EXIT_INTERRUPT});
        before = vcpu->regs;
        dispatch(&(struct exit_record){.kind = kinds[i], .insn_len = 1});
        assert_memory_equal(&before, &vcpu->regs, sizeof before);
        assert_int_equal(vcpu->state, VCPU_RUNNABLE);
    }
}

static void unexpected_ones_end_the_vm_with_a_dump(void **state)
{
    static const enum exit_kind kinds[] = {EXIT_INIT,   EXIT_SIPI,       EXIT_SMI,       EXIT_DR_ACCESS,
                                           EXIT_INVLPG, EXIT_DESCRIPTOR, EXIT_UNEXPECTED};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        vm->state = VM_RUNNING;
        GPR(R11) = 0x1122334455667788;
        dispatch(&(struct exit_record){
            .kind = kinds[i], .raw_reason = 77, .raw_qualification = 0xabcd, .raw_name = "THE NAME"});
        assert_int_equal(vm->state, VM_ENDED);
        assert_int_equal(vm->end, VM_END_CRASH);
        assert_non_null(strstr(vm->end_reason, "THE NAME (77) at rip 8000"));
        assert_int_equal(fake_vcpu(vcpu)->dumps, i + 1);
    }
    assert_non_null(strstr(fake_host.log, "qualification abcd"));
    assert_non_null(strstr(fake_host.log, "1122334455667788"));
    assert_non_null(strstr(fake_host.log, "cr0 11"));
}

static void crash(const struct exit_record *exit, const char *word)
{
    vm->state = VM_RUNNING;
    dispatch(exit);
    assert_int_equal(vm->end, VM_END_CRASH);
    if (!strstr(vm->end_reason, word))
        fail_msg("%s", vm->end_reason);
}

static void crashes_say_what_happened(void **state)
{
    (void)state;
    crash(&(struct exit_record){.kind = EXIT_TRIPLE_FAULT}, "triple fault at rip 8000");
    crash(&(struct exit_record){.kind = EXIT_ENTRY_FAILED, .raw_name = "invalid guest state"},
          "invalid guest state");
}

static void instructions_that_are_not_there(void **state)
{
    static const enum exit_kind undefined[] = {EXIT_MONITOR, EXIT_MWAIT, EXIT_VIRT_INSN};

    (void)state;
    for (size_t i = 0; i < sizeof undefined / sizeof undefined[0]; i++) {
        dispatch(&(struct exit_record){.kind = undefined[i], .insn_len = 3});
        assert_int_equal(fake_vcpu(vcpu)->exception, 6);
        assert_false(fake_vcpu(vcpu)->exception_has_error);
        assert_int_equal(vcpu->regs.rip, 0x8000);
    }
    dispatch(&(struct exit_record){.kind = EXIT_RDPMC, .insn_len = 2});
    assert_int_equal(fake_vcpu(vcpu)->exception, 13);
}

static void instructions_without_effect(void **state)
{
    static const enum exit_kind skipped[] = {EXIT_PAUSE, EXIT_INVD, EXIT_WBINVD};

    (void)state;
    for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++) {
        dispatch(&(struct exit_record){.kind = skipped[i], .insn_len = 2});
        assert_int_equal(vcpu->regs.rip, 0x8002);
        assert_int_equal(fake_vcpu(vcpu)->exception, -1);
    }
}

static unsigned int relaxed;

static void relax(void)
{
    relaxed++;
}

/* A wait in a loop gives the processor to a sibling: 32 PAUSEs, or the processor's own word. Each PAUSE that
 * exits is carried out: another thread of the processor, or another of an emulator's processors, is to get
 * on. */
static void a_spin_gives_way(void **state)
{
    struct exit_record one = {.kind = EXIT_PAUSE, .insn_len = 2};

    (void)state;
    relaxed = 0;
    fake_host.on_relax = relax;
    for (unsigned int i = 0; i < 31; i++) {
        dispatch(&one);
        assert_int_equal(fake_host.yielded, 0);
        assert_int_equal(relaxed, i + 1);
        assert_true(vcpu->quiet);
    }
    dispatch(&one);
    assert_int_equal(fake_host.yielded, 1);
    assert_null(fake_host.to); /* to whoever waits */
    assert_false(vcpu->quiet);
    fake_host.yielded = 0;
    dispatch(&one);
    assert_int_equal(fake_host.yielded, 0);
    one.u.pause.spin = true;
    dispatch(&one);
    assert_int_equal(fake_host.yielded, 1);
}

/* SDM vol. 3, 2.3: RF is cleared, and the STI shadow ends, when an instruction is complete. EIP wraps at 32
 * bits. */
static void the_end_of_an_instruction(void **state)
{
    (void)state;
    vcpu->regs.rflags |= RFLAGS_RF;
    dispatch(&(struct exit_record){.kind = EXIT_PAUSE, .insn_len = 2});
    assert_false(vcpu->regs.rflags & RFLAGS_RF);
    assert_int_equal(fake_vcpu(vcpu)->shadows_cleared, 1);
    vcpu->regs.rip = 0xffffffff;
    vcpu_skip(vcpu, 2);
    assert_int_equal(vcpu->regs.rip, 1);
    fake_vm_long_mode(vm);
    vcpu->regs.rip = 0xffffffff;
    vcpu_skip(vcpu, 2);
    assert_int_equal(vcpu->regs.rip, 0x100000001);
}

static void halt(void **state)
{
    (void)state;
    dispatch(&(struct exit_record){.kind = EXIT_HLT, .insn_len = 1});
    assert_int_equal(vcpu->state, VCPU_HALTED);
    assert_int_equal(vcpu->regs.rip, 0x8001);
}

/* SDM vol. 2, HLT: a debug exception resumes execution, and a single step's is due behind it. */
static void a_single_step_ends_halt(void **state)
{
    (void)state;
    vcpu->regs.rflags |= RFLAGS_TF;
    dispatch(&(struct exit_record){.kind = EXIT_HLT, .insn_len = 1});
    assert_int_equal(vcpu->state, VCPU_RUNNABLE);
    assert_int_equal(vcpu->regs.rip, 0x8001);
}

/* SDM vol. 3, 18.3.1.1: RF is set in what a fault pushes; 27.6.1.1: which is what RFLAGS hold. */
static void faults_push_rf(void **state)
{
    static const enum exit_kind faults[] = {EXIT_VIRT_INSN, EXIT_RDPMC};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        vcpu->regs.rflags &= ~RFLAGS_RF;
        dispatch(&(struct exit_record){.kind = faults[i], .insn_len = 3});
        assert_true(vcpu->regs.rflags & RFLAGS_RF);
    }
    dispatch(&(struct exit_record){.kind = EXIT_CPUID, .insn_len = 2});
    assert_false(vcpu->regs.rflags & RFLAGS_RF);
    dispatch(&(struct exit_record){.kind = EXIT_EXCEPTION, .u.exception = {.vector = 1}}); /* may be a trap */
    assert_false(vcpu->regs.rflags & RFLAGS_RF);
    dispatch(&(struct exit_record){.kind = EXIT_EXCEPTION, .u.exception = {.vector = 6}});
    assert_true(vcpu->regs.rflags & RFLAGS_RF);
}

static void exceptions_go_back(void **state)
{
    (void)state;
    dispatch(&(struct exit_record){.kind = EXIT_EXCEPTION, .u.exception = {.vector = 17, .has_error = true}});
    assert_int_equal(fake_vcpu(vcpu)->exception, 17);
    assert_true(fake_vcpu(vcpu)->exception_has_error);
    dispatch(&(struct exit_record){
        .kind = EXIT_EXCEPTION,
        .u.exception = {.vector = 14, .has_error = true, .error = 6, .address = 0x1234}});
    assert_int_equal(hv->get_reg(vcpu, REG_CR2), 0x1234);
    assert_int_equal(fake_vcpu(vcpu)->exception_error, 6);
    dispatch(&(struct exit_record){.kind = EXIT_EXCEPTION, .u.exception = {.vector = 1}});
    assert_int_equal(fake_vcpu(vcpu)->exception, 1);
    assert_false(fake_vcpu(vcpu)->exception_has_error);
}

/* DESIGN.md 2.4 and 2.10: RDTSC is answered from apparent time. */
static void time_stamp_counter(void **state)
{
    const struct exit_record rdtsc = {.kind = EXIT_RDTSC, .insn_len = 2},
                             rdtscp = {.kind = EXIT_RDTSCP, .insn_len = 3};

    (void)state;
    vm->started = true;
    vtime_unpause(&vm->time);
    vtime_vcpu_run(&vm->time, 0);
    fake_host.now = 0x123456789; /* 4.9 s */
    do
        vtime_advance(&vm->time, fake_host.now);
    while (vtime_deadline(&vm->time) <= fake_host.now);
    GPR(RAX) = GPR(RDX) = GPR(RCX) = UINT64_MAX;
    dispatch(&rdtsc);
    assert_int_equal(GPR(RDX) << 32 | GPR(RAX), 0x123456789);
    assert_int_equal(GPR(RAX) >> 32, 0);
    vcpu->msr.tsc_aux = 3;
    dispatch(&rdtscp);
    assert_int_equal(GPR(RCX), 3);
    assert_int_equal(vcpu->regs.rip, 0x8003);
    hv->set_reg(vcpu, REG_CR4, CR4_TSD);
    dispatch(&rdtsc); /* the kernel may */
    assert_int_equal(fake_vcpu(vcpu)->exception, -1);
    hv->set_segment(vcpu, SEG_SS, &(struct guest_segment){0x13, 0xc0f3, UINT32_MAX, 0});
    dispatch(&rdtsc);
    assert_int_equal(fake_vcpu(vcpu)->exception, 13);
    assert_true(fake_vcpu(vcpu)->tsc_exiting);
}

static void port_input_and_output(void **state)
{
    struct exit_record in = {.kind = EXIT_IO, .insn_len = 1, .u.io = {.port = 0x9999, .size = 1, .in = true}},
                       out = {.kind = EXIT_IO, .insn_len = 1, .u.io = {.port = 0xf4, .size = 1}};

    (void)state;
    GPR(RAX) = 0x1122334455667700;
    dispatch(&in); /* nobody there: all ones, of the width that was asked for */
    assert_true(GPR(RAX) == 0x11223344556677ff);
    in.u.io.size = 2;
    dispatch(&in);
    assert_true(GPR(RAX) == 0x112233445566ffff);
    in.u.io.size = 4;
    dispatch(&in);
    assert_true(GPR(RAX) == 0xffffffff);
    GPR(RAX) = 0xffffff05;
    dispatch(&out); /* DESIGN.md section 4: the exit port */
    assert_int_equal(vm->end, VM_END_EXIT);
    assert_int_equal(vm->exit_code, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_has_a_name),
        TEST(exits_that_change_nothing),
        TEST(unexpected_ones_end_the_vm_with_a_dump),
        TEST(crashes_say_what_happened),
        TEST(instructions_that_are_not_there),
        TEST(instructions_without_effect),
        TEST(a_spin_gives_way),
        TEST(the_end_of_an_instruction),
        TEST(halt),
        TEST(a_single_step_ends_halt),
        TEST(faults_push_rf),
        TEST(exceptions_go_back),
        TEST(time_stamp_counter),
        TEST(port_input_and_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
