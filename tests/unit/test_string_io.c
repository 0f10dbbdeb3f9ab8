/* INS and OUTS: SDM vol. 2, INS/INSB/INSW/INSD, OUTS, REP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/bus.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"
#include "vmm/string_io.h"

#define CODE   0x8000ull
#define BUFFER 0x20000ull
#define PORT   0x5678u /* a test's own */
#define GPR(r) (vm->vcpus[0]->regs.gpr[GPR_##r])

static struct vm *vm;
static unsigned int port_reads, port_writes;

/* Counts up. */
static uint64_t count_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    (void)self;
    (void)vcpu;
    (void)offset;
    (void)size;
    return 0x30 + port_reads++;
}

static void count_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)self;
    (void)offset;
    (void)size;
    if (++port_writes == 3 && value == 0xee)
        vm_end_exit(vcpu->vm, 0);
}

static int setup(void **state)
{
    int failed = fake_vm_setup(state);

    vm = *state;
    port_reads = port_writes = 0;
    bus_claim_ports(
        &vm->bus,
        &(struct bus_range){
            .base = PORT, .length = 4, .width = 4, .read = count_read, .write = count_write, .name = "test"});
    fake_vm_flat32(vm);
    GPR(RDX) = PORT;
    return failed;
}

static void io(uint16_t port, bool in, uint8_t size, const uint8_t *code, unsigned int n)
{
    struct exit_record exit = {.kind = EXIT_IO,
                               .u.io = {.port = port, .size = size, .in = in, .string = true}};

    fake_vm_code(vm, code, n);
    dispatch_exit(vm->vcpus[0], &exit);
}

static void one_of_each_width(void **state)
{
    const uint8_t outsb[] = {0x6e}, insw[] = {0x66, 0x6d}, insl[] = {0x6d};
    uint8_t *ram = vm_ram(vm, BUFFER, 16);

    (void)state;
    GPR(RSI) = GPR(RDI) = BUFFER;
    ram[0] = '!';
    io(0x3f8, false, 1, outsb, sizeof outsb);
    assert_string_equal(fake_host.console, "!");
    assert_int_equal(GPR(RSI), BUFFER + 1);
    io(PORT, true, 2, insw, sizeof insw);
    assert_memory_equal(ram, "\x30\0", 2);
    assert_int_equal(GPR(RDI), BUFFER + 2);
    io(PORT, true, 4, insl, sizeof insl);
    assert_int_equal(GPR(RDI), BUFFER + 6);
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE + 4);
}

static void rep_in_chunks(void **state)
{
    const uint8_t code[] = {0xf3, 0x6c};
    uint8_t *ram = vm_ram(vm, BUFFER, 200);

    (void)state;
    GPR(RDI) = BUFFER;
    GPR(RCX) = STRING_IO_CHUNK + 10;
    io(PORT, true, 1, code, sizeof code);
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE);
    assert_int_equal(GPR(RCX), 10);
    assert_int_equal(GPR(RDI), BUFFER + STRING_IO_CHUNK);
    io(PORT, true, 1, code, sizeof code);
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE + 2);
    assert_int_equal(GPR(RCX), 0);
    assert_int_equal(ram[STRING_IO_CHUNK + 9], 0x30 + STRING_IO_CHUNK + 9);
    assert_int_equal(port_reads, STRING_IO_CHUNK + 10);
}

/* SDM vol. 3, 18.3.1.4: a trap after each repetition. */
static void a_trap_for_each_repetition(void **state)
{
    const uint8_t code[] = {0xf3, 0x6c};
    struct vcpu *vcpu = vm->vcpus[0];

    (void)state;
    vcpu->regs.rflags |= RFLAGS_TF;
    GPR(RDI) = BUFFER;
    GPR(RCX) = 3;
    for (unsigned int i = 1; i <= 3; i++) {
        const uint64_t before = fake_vcpu(vcpu)->shadows_cleared;
        io(PORT, true, 1, code, sizeof code);
        assert_int_equal(port_reads, i);
        assert_int_equal(GPR(RCX), 3 - i);
        assert_int_equal(vcpu->regs.rip, i < 3 ? CODE : CODE + 2);
        assert_int_equal(fake_vcpu(vcpu)->shadows_cleared, before + 1);
    }
}

/* REP with rCX = 0 does nothing; in 16-bit addressing only CX counts and is written. */
static void counts(void **state)
{
    const uint8_t code[] = {0xf3, 0x6c}, addr16[] = {0xf3, 0x67, 0x6c};

    (void)state;
    io(PORT, true, 1, code, sizeof code);
    assert_int_equal(port_reads, 0);
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE + 2);
    GPR(RCX) = 0x10002;
    GPR(RDI) = 0xabcdffff;
    io(PORT, true, 1, addr16, sizeof addr16);
    assert_int_equal(port_reads, 2);
    assert_int_equal(GPR(RCX), 0x10000);
    assert_int_equal(GPR(RDI), 0xabcd0001); /* DI wraps */
}

static void downwards_with_an_override(void **state)
{
    const uint8_t code[] = {0xf3, 0x65, 0x6e}; /* rep outsb %gs:(%esi) */
    uint8_t *ram = vm_ram(vm, BUFFER, 16);

    (void)state;
    memcpy(ram, "abcd", 4);
    hv->set_segment(vm->vcpus[0], SEG_GS, &(struct guest_segment){0x18, 0xc093, 0xffffffff, BUFFER});
    vm->vcpus[0]->regs.rflags |= RFLAGS_DF;
    GPR(RSI) = 3;
    GPR(RCX) = 4;
    io(0x3f8, false, 1, code, sizeof code);
    assert_string_equal(fake_host.console, "dcba");
    assert_int_equal((uint32_t)GPR(RSI), UINT32_MAX);
}

/* The element that faults has not read the port; those before it are done. */
static void a_fault_in_the_middle(void **state)
{
    const uint8_t code[] = {0xf3, 0x6c};

    (void)state;
    hv->set_segment(vm->vcpus[0], SEG_ES, &(struct guest_segment){0x18, 0x4093, BUFFER + 1, 0});
    GPR(RDI) = BUFFER;
    GPR(RCX) = 5;
    io(PORT, true, 1, code, sizeof code);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception, 13);
    assert_int_equal(GPR(RCX), 3);
    assert_int_equal(port_reads, 2);
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE);
}

/* A port that ends the VM ends the instruction too. */
static void stops_when_the_vm_ends(void **state)
{
    const uint8_t code[] = {0xf3, 0x6e};

    (void)state;
    memset(vm_ram(vm, BUFFER, 16), 0xee, 16);
    GPR(RSI) = BUFFER;
    GPR(RCX) = 16;
    io(PORT, false, 1, code, sizeof code);
    assert_int_equal(port_writes, 3);
    assert_int_equal(vm->state, VM_ENDED);
}

static void another_instruction_at_rip(void **state)
{
    const uint8_t code[] = {0x6e};

    (void)state;
    io(PORT, true, 1, code, sizeof code);
    assert_int_equal(vm->end, VM_END_CRASH);
    assert_non_null(strstr(vm->end_reason, "string I/O"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_of_each_width),          TEST(rep_in_chunks),
        TEST(a_trap_for_each_repetition), TEST(counts),
        TEST(downwards_with_an_override), TEST(a_fault_in_the_middle),
        TEST(stops_when_the_vm_ends),     TEST(another_instruction_at_rip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
