/* What becomes of a guest that calls the BIOS in real mode (vmm/no_bios.h; README.md, "there is no BIOS
 * behind it"): the VM ends, and says which call it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"
#include "vmm/no_bios.h"
#include "vmm/vm.h"

static struct vm *vm;
static struct vcpu *vcpu;

/* In real mode, where INT leads by the vector, with what it pushes. */
static int setup(void **state)
{
    const struct guest_segment stack = {.base = 0x80000, .limit = 0xFFFF, .attr = 0x93};

    int failed = fake_vm_setup(state);

    vm = *state;
    vcpu = vm->vcpus[0];
    hv->set_segment(vcpu, SEG_SS, &stack);
    vcpu->regs.gpr[GPR_RSP] = 0xFFFA;
    memcpy(vm_ram(vm, 0x8FFFA, 6), "\xD5\x2B\x00\x20\x02\x00", 6);
    vcpu->regs.gpr[GPR_RAX] = 0x12344100;
    return failed;
}

static void interrupt(unsigned int vector)
{
    uint16_t to[2];

    memcpy(to, vm_ram(vm, vector * 4, 4), 4);
    hv->set_segment(vcpu, SEG_CS,
                    &(struct guest_segment){.base = to[1] * 16u, .limit = 0xFFFF, .attr = 0x9B});
    vcpu->regs.rip = to[0];
    assert_int_equal(*(uint8_t *)vm_ram(vm, to[1] * 16u + to[0], 1), 0xF4);
}

static void halts(void)
{
    struct exit_record exit = {.kind = EXIT_HLT, .insn_len = 1};

    dispatch_exit(vcpu, &exit);
}

static void a_call_ends_the_vm(void **state)
{
    (void)state;
    interrupt(0x13);
    halts();
    assert_int_equal(vm->state, VM_ENDED);
    assert_int_equal(vm->end, VM_END_CRASH);
    assert_string_equal(vm->end_reason, "interrupt 13h (AX=4100h, to return to 2000:2BD5) went to the BIOS; "
                                        "there is none");
}

/* Each vector has one of its own. */
static void the_last_vector(void **state)
{
    (void)state;
    interrupt(0xFF);
    halts();
    assert_non_null(strstr(vm->end_reason, "interrupt FFh (AX=4100h"));
}

/* Nothing is there to return to. */
static void a_stack_in_a_hole(void **state)
{
    (void)state;
    hv->set_segment(vcpu, SEG_SS, &(struct guest_segment){.base = 0xA0000, .limit = 0xFFFF, .attr = 0x93});
    interrupt(0);
    halts();
    assert_non_null(strstr(vm->end_reason, "interrupt 00h (AX=4100h, to return to FFFF:FFFF)"));
}

/* Elsewhere at that offset, and there in protected mode, a HLT is a HLT. */
static void other_halts(void **state)
{
    (void)state;
    interrupt(0x13);
    hv->set_segment(vcpu, SEG_CS, &(struct guest_segment){.base = 0x10000, .limit = 0xFFFF, .attr = 0x9B});
    halts();
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(vcpu->state, VCPU_HALTED);
    interrupt(0x13);
    hv->set_reg(vcpu, REG_CR0, 0x11);
    halts();
    assert_int_equal(vm->state, VM_RUNNING);
    hv->set_reg(vcpu, REG_CR0, 0x10);
    interrupt(0xFF);
    vcpu->regs.rip++;
    halts();
    assert_int_equal(vm->state, VM_RUNNING);
    interrupt(0x13);
    *(uint8_t *)vm_ram(vm, vcpu->regs.rip + 1, 1) = 0xEB; /* its own code is there */
    halts();
    assert_int_equal(vm->state, VM_RUNNING);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_vm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_ends_the_vm),
        TEST(the_last_vector),
        TEST(a_stack_in_a_hole),
        TEST(other_halts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
