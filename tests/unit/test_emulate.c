/* Instructions on memory-mapped devices: DESIGN.md section 4 ("Unclaimed reads are all ones, writes are
 * dropped"), SDM vol. 2 for each instruction. The device is a real one, the local APIC at FEE00000h, or a
 * page that records accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/bus.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"
#include "vmm/walk.h"

#define DEVICE 0xfed80000ull /* nothing is there but what a test claims */
#define CODE   0x8000ull
#define GPR(r) (vm->vcpus[0]->regs.gpr[GPR_##r])

static struct vm *vm;

/* A device of 64 bytes that counts what is done to it. */
static struct device {
    uint8_t bytes[64];
    unsigned int reads, writes;
    unsigned int last_size;
} device;

static uint64_t device_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct device *d = self;
    uint64_t value = 0;

    (void)vcpu;
    d->reads++;
    d->last_size = size;
    if (offset + size <= sizeof d->bytes)
        memcpy(&value, d->bytes + offset, size);
    return value;
}

static void device_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct device *d = self;

    (void)vcpu;
    d->writes++;
    d->last_size = size;
    if (offset + size <= sizeof d->bytes)
        memcpy(d->bytes + offset, &value, size);
}

static int setup(void **state)
{
    int failed = fake_vm_setup(state);

    vm = *state;
    device = (struct device){0};
    bus_claim_mmio(&vm->bus, &(struct bus_range){.base = DEVICE,
                                                 .length = 0x1000,
                                                 .width = 8,
                                                 .read = device_read,
                                                 .write = device_write,
                                                 .self = &device,
                                                 .name = "test"});
    fake_vm_long_mode(vm);
    GPR(RDI) = DEVICE;
    return failed;
}

static void mmio(uint64_t gpa)
{
    struct exit_record exit = {.kind = EXIT_MMIO, .u.mmio = {.gpa = gpa}};
    dispatch_exit(vm->vcpus[0], &exit);
}

/* Runs one instruction that faults on the device's page. */
#define RUN(...)                                                                                             \
    do {                                                                                                     \
        const uint8_t code[] = {__VA_ARGS__};                                                                \
        vm->vcpus[0]->regs.rip = CODE;                                                                       \
        fake_vm_code(vm, code, sizeof code);                                                                 \
        mmio(DEVICE);                                                                                        \
        assert_int_equal(vm->state, VM_RUNNING);                                                             \
        assert_int_equal(vm->vcpus[0]->regs.rip, CODE + sizeof code);                                        \
    } while (0)

static uint64_t at(unsigned int offset)
{
    uint64_t value;
    memcpy(&value, device.bytes + offset, 8);
    return value;
}

static void moves(void **state)
{
    (void)state;
    GPR(RAX) = 0x1122334455667788;
    RUN(0x48, 0x89, 0x07); /* mov %rax,(%rdi) */
    assert_true(at(0) == 0x1122334455667788);
    assert_int_equal(device.last_size, 8);
    RUN(0x88, 0x67, 0x08); /* mov %ah,8(%rdi) */
    assert_int_equal(at(8), 0x77);
    GPR(RCX) = UINT64_MAX;
    RUN(0x8b, 0x0f); /* mov (%rdi),%ecx clears the upper half */
    assert_int_equal(GPR(RCX), 0x55667788);
    GPR(RCX) = UINT64_MAX;
    RUN(0x66, 0x8b, 0x0f); /* mov (%rdi),%cx does not */
    assert_true(GPR(RCX) == 0xffffffffffff7788);
    RUN(0x8a, 0x2f); /* mov (%rdi),%ch */
    assert_true(GPR(RCX) == 0xffffffffffff8888);
    RUN(0xc7, 0x47, 0x10, 0xf0, 0xff, 0xff, 0xff); /* movl $-16,16(%rdi) */
    assert_int_equal(at(16), 0xfffffff0);
    RUN(0x48, 0x0f, 0xbe, 0x57, 0x10); /* movsbq 16(%rdi),%rdx */
    assert_true(GPR(RDX) == (uint64_t)-16);
    RUN(0x0f, 0xb7, 0x57, 0x10); /* movzwl */
    assert_int_equal(GPR(RDX), 0xfff0);
    RUN(0x48, 0x63, 0x57, 0x10); /* movslq */
    assert_true(GPR(RDX) == (uint64_t)-16);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->shadows_cleared, 9);
}

static void reads_and_writes_back(void **state)
{
    (void)state;
    device.bytes[0] = 0x0f;
    RUN(0x83, 0x0f, 0x30); /* orl $0x30,(%rdi) */
    assert_int_equal(at(0), 0x3f);
    assert_int_equal(device.reads, 1);
    assert_int_equal(device.writes, 1);
    RUN(0xf6, 0x07, 0x40); /* testb: no write */
    assert_true(vm->vcpus[0]->regs.rflags & RFLAGS_ZF);
    assert_int_equal(device.writes, 1);
    GPR(RBX) = 0xabcd;
    RUN(0x87, 0x1f); /* xchg %ebx,(%rdi) */
    assert_int_equal(GPR(RBX), 0x3f);
    assert_int_equal(at(0), 0xabcd);
    RUN(0x2b, 0x1f); /* sub (%rdi),%ebx */
    assert_int_equal(GPR(RBX), 0xffff5472);
    assert_true(vm->vcpus[0]->regs.rflags & RFLAGS_CF);
    RUN(0xf0, 0x0f, 0xba, 0x2f, 0x1f); /* lock btsl $31,(%rdi) */
    assert_int_equal(at(0), 0x8000abcd);
    assert_false(vm->vcpus[0]->regs.rflags & RFLAGS_CF);
    RUN(0xff, 0x0f); /* decl */
    assert_int_equal(at(0), 0x8000abcc);
    RUN(0xf7, 0x17); /* notl */
    assert_int_equal(at(0), 0x7fff5433);
}

/* SDM vol. 2, BT: a register's bit number reaches over the whole address space. */
static void bit_strings(void **state)
{
    (void)state;
    GPR(RAX) = 8 * 12 + 3;
    RUN(0x0f, 0xab, 0x07); /* bts %eax,(%rdi) */
    assert_int_equal(device.bytes[12], 8);
    GPR(RAX) = (uint32_t)-1;
    GPR(RDI) = DEVICE + 16;
    RUN(0x0f, 0xa3, 0x07); /* bt: bit 31 of the dword before */
    assert_false(vm->vcpus[0]->regs.rflags & RFLAGS_CF);
    device.bytes[15] = 0x80;
    RUN(0x0f, 0xa3, 0x07);
    assert_true(vm->vcpus[0]->regs.rflags & RFLAGS_CF);
}

/* SDM vol. 3, 18.3.1.4: a trap after each repetition, with RIP at the instruction until the last. */
static void stepped_strings(void **state)
{
    const uint8_t stos[] = {0xf3, 0xaa};

    (void)state;
    vm->vcpus[0]->regs.rflags |= RFLAGS_TF;
    GPR(RCX) = 3;
    fake_vm_code(vm, stos, sizeof stos);
    for (unsigned int i = 1; i <= 3; i++) {
        const uint64_t before = fake_vcpu(vm->vcpus[0])->shadows_cleared;
        mmio(DEVICE);
        assert_int_equal(device.writes, i);
        assert_int_equal(vm->vcpus[0]->regs.rip, i < 3 ? CODE : CODE + 2);
        assert_int_equal(fake_vcpu(vm->vcpus[0])->shadows_cleared, before + 1);
    }
}

/* In chunks: RIP stays until rCX is zero. */
static void repeated_strings(void **state)
{
    uint8_t *ram = vm_ram(vm, 0x20000, 64);
    const uint8_t stos[] = {0xf3, 0xaa};
    unsigned int turns = 0;

    (void)state;
    GPR(RAX) = 0x5a;
    GPR(RCX) = 1000;
    fake_vm_code(vm, stos, sizeof stos);
    while (vm->vcpus[0]->regs.rip == CODE && turns < 100) {
        mmio(DEVICE);
        turns++;
    }
    assert_int_equal(turns, 4);
    assert_int_equal(device.writes, 1000);
    assert_int_equal(GPR(RCX), 0);
    assert_int_equal(GPR(RDI), DEVICE + 1000);
    assert_int_equal(device.bytes[63], 0x5a);

    memcpy(ram, "0123456789abcdef", 16);
    GPR(RSI) = 0x20000;
    GPR(RDI) = DEVICE;
    GPR(RCX) = 4;
    RUN(0xf3, 0xa5); /* rep movsl */
    assert_memory_equal(device.bytes, "0123456789abcdef", 16);
    assert_int_equal(GPR(RSI), 0x20010);
    vm->vcpus[0]->regs.rflags |= RFLAGS_DF;
    GPR(RSI) = DEVICE + 1;
    RUN(0xac); /* lodsb, downwards */
    assert_int_equal(GPR(RAX), '1');
    assert_int_equal(GPR(RSI), DEVICE);
    GPR(RCX) = 0;
    RUN(0xf3, 0xaa); /* nothing to do */
}

/* A fault in the middle leaves the registers at the element that faulted. */
static void fault_within_a_string(void **state)
{
    const uint8_t movs[] = {0xf3, 0xa4};

    (void)state;
    fake_vm_code(vm, movs, sizeof movs);
    GPR(RSI) = DEVICE;
    GPR(RDI) = 0x3ffffffe; /* the last two bytes that are mapped */
    GPR(RCX) = 5;
    mmio(DEVICE);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception, 14);
    assert_int_equal(hv->get_reg(vm->vcpus[0], REG_CR2), 0x40000000);
    assert_int_equal(GPR(RCX), 3);
    assert_int_equal(device.reads, 2); /* not read for an element that cannot be stored */
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE);
}

/* An operand that faults, or must not be written, faults before the device sees anything. */
static void faults_come_first(void **state)
{
    const uint8_t add[] = {0x01, 0x07}; /* add %eax,(%rdi) */
    uint64_t *pd = vm_ram(vm, 0x13000, 4096);

    (void)state;
    pd[(DEVICE >> 21) % 512] &= ~2ull; /* read-only */
    fake_vm_code(vm, add, sizeof add);
    mmio(DEVICE);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception, 14);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception_error, 3);
    assert_int_equal(device.reads, 0);
    assert_int_equal(vm->vcpus[0]->regs.rip, CODE);
}

/* An instruction over a page boundary; the second page is fetched only if it is needed. */
static void code_across_pages(void **state)
{
    const uint8_t mov[] = {0xc7, 0x07, 1, 2, 3, 4};
    uint64_t *pd = vm_ram(vm, 0x12000, 4096);

    (void)state;
    vm->vcpus[0]->regs.rip = 0x1ffffd;
    fake_vm_code(vm, mov, sizeof mov);
    mmio(DEVICE);
    assert_int_equal(at(0), 0x04030201);
    pd[1] = 0;
    vm->vcpus[0]->regs.rip = 0x1ffffd;
    mmio(DEVICE);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception, 14);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception_error, ACCESS_FETCH);
    assert_int_equal(hv->get_reg(vm->vcpus[0], REG_CR2), 0x200000);
    fake_vcpu(vm->vcpus[0])->exception = -1;
    vm->vcpus[0]->regs.rip = 0x1ffffe;
    *(uint8_t *)vm_ram(vm, 0x1ffffe, 1) = 0x8b;
    *(uint8_t *)vm_ram(vm, 0x1fffff, 1) = 0x07;
    mmio(DEVICE);
    assert_int_equal(fake_vcpu(vm->vcpus[0])->exception, -1);
    assert_int_equal(GPR(RAX), 0x04030201);
}

static void the_local_apic_answers(void **state)
{
    (void)state;
    GPR(RDI) = 0xfee00000;
    const uint8_t code[] = {0x8b, 0x47, 0x30}; /* version */
    fake_vm_code(vm, code, sizeof code);
    mmio(0xfee00030);
    assert_int_equal(GPR(RAX), LAPIC_VERSION);
}

static void holes_are_all_ones(void **state)
{
    (void)state;
    GPR(RDI) = 0xc0010;
    const uint8_t code[] = {0x48, 0x8b, 0x07};
    fake_vm_code(vm, code, sizeof code);
    mmio(0xc0010);
    assert_true(GPR(RAX) == UINT64_MAX);
    GPR(RDI) = FAKE_VM_MEM;
    vm->vcpus[0]->regs.rip = CODE;
    mmio(FAKE_VM_MEM);
    assert_true(GPR(RAX) == UINT64_MAX);
}

static void ends_with(const char *text)
{
    assert_int_equal(vm->state, VM_ENDED);
    assert_int_equal(vm->end, VM_END_CRASH);
    if (!strstr(vm->end_reason, text))
        fail_msg("%s", vm->end_reason);
}

static void names_the_bytes_it_cannot_emulate(void **state)
{
    const uint8_t fxsave[] = {0x0f, 0xae, 0x07};

    (void)state;
    fake_vm_code(vm, fxsave, sizeof fxsave);
    mmio(DEVICE);
    ends_with("cannot emulate 0f ae 07");
    ends_with("at rip 8000");
}

static void a_jump_into_nothing(void **state)
{
    struct exit_record exit = {.kind = EXIT_MMIO, .u.mmio = {.gpa = 0xd0000000, .fetch = true}};

    (void)state;
    dispatch_exit(vm->vcpus[0], &exit);
    ends_with("jumped to where there is no RAM");
}

static void page_tables_in_nothing(void **state)
{
    struct exit_record exit = {.kind = EXIT_MMIO, .u.mmio = {.gpa = 0xd0000000, .in_walk = true}};

    (void)state;
    dispatch_exit(vm->vcpus[0], &exit);
    ends_with("page tables");
}

/* The stack, an IDT or a GDT in a hole: the instruction at RIP is innocent. */
static void an_access_that_is_not_the_instructions(void **state)
{
    const uint8_t mov[] = {0x89, 0x07};

    (void)state;
    GPR(RDI) = 0x20000;
    fake_vm_code(vm, mov, sizeof mov);
    mmio(DEVICE);
    ends_with("event delivery");
    assert_int_equal(device.writes, 0);
}

static void real_mode_and_its_segments(void **state)
{
    struct vcpu *vcpu = vm->vcpus[0];
    const uint8_t code[] = {0x26, 0x88, 0x05}; /* mov %al,%es:(%di) */

    (void)state;
    hv->vcpu_reset(vcpu);
    hv->set_segment(vcpu, SEG_CS, &(struct guest_segment){0x800, 0x9b, 0xffff, 0x8000});
    hv->set_segment(vcpu, SEG_ES, &(struct guest_segment){0xa000, 0x93, 0xffff, 0xa0000});
    vcpu->regs.rip = 0x10;
    memcpy(vm_ram(vm, 0x8010, 3), code, 3);
    vcpu->regs.gpr[GPR_RDI] = 0x12340004; /* only DI counts */
    mmio(0xa0004);
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(vcpu->regs.rip, 0x13);
}

/* Random code at RIP: an end with a reason, a fault or a step; never anything worse. */
static void random_code(void **state)
{
    uint64_t seed = 3;
    unsigned int steps = 0, faults = 0, ends = 0;

    (void)state;
    for (unsigned int round = 0; round < 20000; round++) {
        uint8_t code[15];
        for (unsigned int i = 0; i < sizeof code; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            code[i] = (uint8_t)(seed >> 33);
        }
        for (unsigned int r = 0; r < GPRS; r++)
            vm->vcpus[0]->regs.gpr[r] = DEVICE + (seed >> (r + 20) & 0xff);
        GPR(RCX) = 3;
        fake_vcpu(vm->vcpus[0])->exception = -1;
        vm->vcpus[0]->regs.rip = CODE;
        vm->state = VM_RUNNING;
        fake_vm_code(vm, code, sizeof code);
        mmio(DEVICE);
        steps += vm->vcpus[0]->regs.rip != CODE;
        faults += fake_vcpu(vm->vcpus[0])->exception >= 0;
        ends += vm->state == VM_ENDED;
    }
    assert_int_equal(steps + faults + ends, 20000);
    assert_true(steps > 100 && faults > 100 && ends > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(moves),
        TEST(reads_and_writes_back),
        TEST(bit_strings),
        TEST(repeated_strings),
        TEST(stepped_strings),
        TEST(fault_within_a_string),
        TEST(faults_come_first),
        TEST(code_across_pages),
        TEST(the_local_apic_answers),
        TEST(holes_are_all_ones),
        TEST(names_the_bytes_it_cannot_emulate),
        TEST(a_jump_into_nothing),
        TEST(page_tables_in_nothing),
        TEST(an_access_that_is_not_the_instructions),
        TEST(real_mode_and_its_segments),
        TEST(random_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
