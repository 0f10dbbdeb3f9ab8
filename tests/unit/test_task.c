/* Task switches: SDM vol. 3, chapter 8 (8.2.1 the TSS, 8.2.4, 8.3 what happens in which order, 8.4 nesting),
 * and where faults in them come (table 8-1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/exit.h"
#include "vmm/task.h"

#define GDT 0x3000u
#define OLD 0x4000u /* its TSS */
#define NEW 0x5000u

enum { CODE = 0x08, DATA = 0x10, OLD_TSS = 0x18, NEW_TSS = 0x20, LDT = 0x28, OTHER = 0x30, GDT_SIZE = 0x38 };

#define FLAT_CODE 0x00cf9b000000ffffull
#define FLAT_DATA 0x00cf93000000ffffull
#define TSS_32    0x0000890000000067ull
#define TSS_16    0x000081000000002bull
#define BUSY      (2ull << 40)
#define AT(base)  ((uint64_t)(base) << 16)

static struct vm *vm;
static struct vcpu *vcpu;

static void *ram(uint32_t at)
{
    return vm_ram(vm, at, 4);
}

static uint32_t word(uint32_t at)
{
    uint32_t value;
    memcpy(&value, ram(at), sizeof value);
    return value;
}

static void put(uint32_t at, uint32_t value)
{
    memcpy(ram(at), &value, sizeof value);
}

static void descriptor(uint32_t selector, uint64_t value)
{
    memcpy(ram(GDT + selector), &value, sizeof value);
}

static bool busy(uint32_t selector)
{
    return word(GDT + selector + 4) & (BUSY >> 32);
}

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    vcpu = vm->vcpus[0];
    fake_vm_flat32(vm);
    hv->set_reg(vcpu, REG_GDTR_BASE, GDT);
    hv->set_reg(vcpu, REG_GDTR_LIMIT, GDT_SIZE - 1);
    hv->set_segment(vcpu, SEG_TR, &(struct guest_segment){OLD_TSS, 0x8b, 0x67, OLD});
    descriptor(CODE, FLAT_CODE);
    descriptor(DATA, FLAT_DATA);
    descriptor(OLD_TSS, TSS_32 | BUSY | AT(OLD));
    descriptor(NEW_TSS, TSS_32 | AT(NEW));
    for (uint32_t i = 0; i < 8; i++) {
        put(NEW + 0x28 + 4 * i, 0x1000 + i);
        vcpu->regs.gpr[i] = 0x2000 + i;
    }
    put(NEW + 0x20, 0x9000);
    put(NEW + 0x24, 0x46);
    for (uint32_t seg = 0; seg < 6; seg++)
        put(NEW + 0x48 + 4 * seg, seg == SEG_CS ? CODE : DATA);
    vcpu->regs.rip = 0x8000;
    vcpu->regs.rflags = 0x202;
    fake_vcpu(vcpu)->exception = -1;
    return failed;
}

static void afresh(void **state)
{
    fake_vm_teardown(state);
    assert_int_equal(setup(state), 0);
}

static void switch_by(enum task_source source)
{
    task_switch(vcpu, &(struct exit_record){.kind = EXIT_TASK_SWITCH,
                                            .insn_len = 7,
                                            .u.task = {.selector = NEW_TSS, .source = (uint8_t)source}});
}

static void event(bool soft, bool has_error)
{
    task_switch(vcpu, &(struct exit_record){.kind = EXIT_TASK_SWITCH,
                                            .insn_len = 2,
                                            .u.task = {.selector = NEW_TSS,
                                                       .source = TASK_GATE,
                                                       .soft = soft,
                                                       .external = !soft,
                                                       .has_error = has_error,
                                                       .error = 0x1234}});
}

/* The new task runs. */
static void assert_arrived(void)
{
    struct guest_segment s;

    assert_int_equal(fake_vcpu(vcpu)->exception, -1);
    assert_int_equal(vcpu->regs.rip, 0x9000);
    hv->get_segment(vcpu, SEG_TR, &s);
    assert_int_equal(s.selector, NEW_TSS);
    assert_true(s.base == NEW && s.limit == 0x67 && s.attr == 0x8b);
    assert_true(busy(NEW_TSS));
    assert_true(hv->get_reg(vcpu, REG_CR0) & CR0_TS);
}

static void assert_fault(int vector, uint32_t error)
{
    assert_int_equal(fake_vcpu(vcpu)->exception, vector);
    assert_int_equal(fake_vcpu(vcpu)->exception_error, error);
    fake_vcpu(vcpu)->exception = -1;
}

static void call_nests(void **state)
{
    (void)state;
    hv->set_reg(vcpu, REG_DR7, 0x7ff);
    switch_by(TASK_CALL);
    assert_arrived();
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(vcpu->regs.gpr[i], 0x1000 + i);
        assert_int_equal(word(OLD + 0x28 + 4 * i), 0x2000 + i);
    }
    assert_int_equal(vcpu->regs.rflags, 0x46 | RFLAGS_NT);
    assert_int_equal(word(OLD + 0x20), 0x8007);
    assert_int_equal(word(OLD + 0x24), 0x202);
    assert_int_equal(word(OLD + 0x48 + 4 * SEG_CS), CODE);
    assert_int_equal(word(NEW) & 0xffff, OLD_TSS);
    assert_true(busy(OLD_TSS));
    assert_int_equal(hv->get_reg(vcpu, REG_DR7), 0x7ff & ~0x155); /* 18.2.4: the local ones end */
}

static void jmp_does_not(void **state)
{
    (void)state;
    switch_by(TASK_JMP);
    assert_arrived();
    assert_int_equal(vcpu->regs.rflags, 0x46);
    assert_int_equal(word(NEW) & 0xffff, 0);
    assert_false(busy(OLD_TSS));
}

static void iret_returns(void **state)
{
    (void)state;
    descriptor(NEW_TSS, TSS_32 | BUSY | AT(NEW));
    vcpu->regs.rflags |= RFLAGS_NT;
    switch_by(TASK_IRET);
    assert_arrived();
    assert_int_equal(word(OLD + 0x24), 0x202);
    assert_false(busy(OLD_TSS));
}

/* 6.14 and 8.3: behind INT n, at what faulted; the error code on the new stack, as wide as the TSS. */
static void events_return_to_where_they_came_from(void **state)
{
    (void)state;
    event(true, false);
    assert_arrived();
    assert_int_equal(word(OLD + 0x20), 0x8002);
    afresh(state);
    event(false, true);
    assert_arrived();
    assert_int_equal(word(OLD + 0x20), 0x8000);
    assert_int_equal(vcpu->regs.gpr[GPR_RSP], 0x1004 - 4);
    assert_int_equal(word(0x1000), 0x1234);
}

static void a_16_bit_tss(void **state)
{
    struct guest_segment s;

    (void)state;
    descriptor(NEW_TSS, TSS_16 | AT(NEW));
    memset(ram(NEW), 0, 0x2c);
    put(NEW + 0x0e, 0x00469000); /* FLAGS, IP */
    put(NEW + 0x12, 0x55667788); /* CX, AX */
    put(NEW + 0x22, CODE << 16 | DATA);
    put(NEW + 0x26, DATA << 16 | DATA);
    switch_by(TASK_CALL);
    assert_int_equal(fake_vcpu(vcpu)->exception, -1);
    assert_int_equal(vcpu->regs.rip, 0x9000);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], 0x7788);
    assert_int_equal(vcpu->regs.gpr[GPR_RCX], 0x5566);
    hv->get_segment(vcpu, SEG_TR, &s);
    assert_int_equal(s.attr & 0xf, 3);
    hv->get_segment(vcpu, SEG_FS, &s);
    assert_true(s.attr & SEG_ATTR_UNUSABLE);
    vcpu->regs.gpr[GPR_RDI] = 0x4321; /* and back, saved as 16 bits */
    vcpu->regs.rip = 0x9010;
    descriptor(OLD_TSS, TSS_32 | AT(OLD));
    task_switch(vcpu,
                &(struct exit_record){.insn_len = 5, .u.task = {.selector = OLD_TSS, .source = TASK_JMP}});
    assert_int_equal(fake_vcpu(vcpu)->exception, -1);
    assert_int_equal(word(NEW + 0x0e) & 0xffff, 0x9015);
    assert_int_equal(word(NEW + 0x20) & 0xffff, 0x4321);
    assert_int_equal(vcpu->regs.rip, 0x8007);
}

static void virtual_8086_mode(void **state)
{
    struct guest_segment s;

    (void)state;
    put(NEW + 0x24, RFLAGS_VM | 2);
    put(NEW + 0x48 + 4 * SEG_CS, 0x4200);
    put(NEW + 0x48 + 4 * SEG_SS, 0);
    put(NEW + 0x48 + 4 * SEG_ES, 0x1234);
    switch_by(TASK_JMP);
    assert_arrived();
    hv->get_segment(vcpu, SEG_CS, &s);
    assert_true(s.selector == 0x4200 && s.base == 0x42000 && s.limit == 0xffff && s.attr == 0xf3);
    hv->get_segment(vcpu, SEG_ES, &s);
    assert_true(s.selector == 0x1234 && s.base == 0x12340 && s.attr == 0xf3);
    assert_int_equal(vcpu_cpl(vcpu), 3);
}

/* Nothing has been switched: the old task faults. */
static void faults_of_the_old_task(void **state)
{
    static const struct {
        uint64_t descriptor;
        enum task_source source;
    } bad[] = {
        {TSS_32 | BUSY | AT(NEW), TASK_CALL},
        {TSS_32 | AT(NEW), TASK_IRET},
        {(TSS_32 & ~(1ull << 47)) | AT(NEW), TASK_JMP},
        {TSS_32 - 1, TASK_JMP},
        {TSS_16 - 1, TASK_JMP},
        {FLAT_DATA, TASK_JMP},
        {0x0000820000000067ull, TASK_JMP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        descriptor(NEW_TSS, bad[i].descriptor);
        switch_by(bad[i].source);
        assert_fault(10, NEW_TSS);
        assert_int_equal(vcpu->regs.rip, 0x8000);
        assert_int_equal(word(OLD + 0x20), 0);
    }
    hv->set_reg(vcpu, REG_GDTR_LIMIT, NEW_TSS + 6);
    switch_by(TASK_JMP);
    assert_fault(13, NEW_TSS);
    hv->set_reg(vcpu, REG_GDTR_LIMIT, GDT_SIZE - 1);
    descriptor(NEW_TSS, TSS_32 | AT(NEW));
    hv->set_segment(vcpu, SEG_TR, &(struct guest_segment){OLD_TSS, 0x8b, 0x66, OLD});
    switch_by(TASK_JMP);
    assert_fault(10, OLD_TSS);
    assert_true(vcpu->regs.rip == 0x8000 && !busy(NEW_TSS));
}

static void segment(enum guest_seg seg, uint16_t selector, uint64_t value, int vector, uint32_t error)
{
    descriptor(OTHER, value);
    put(NEW + 0x48 + 4 * seg, selector);
    descriptor(NEW_TSS, TSS_32 | AT(NEW));
    hv->set_segment(vcpu, SEG_TR, &(struct guest_segment){OLD_TSS, 0x8b, 0x67, OLD});
    switch_by(TASK_JMP);
    assert_fault(vector, error);
    assert_int_equal(vcpu->regs.rip, 0x9000); /* in the new task */
    put(NEW + 0x48 + 4 * seg, seg == SEG_CS ? CODE : DATA);
}

/* Table 8-1; 5.5 to 5.7. */
static void faults_of_the_new_task(void **state)
{
    const uint64_t present = 1ull << 47, user = 3ull << 45, conforming = 4ull << 40;

    (void)state;
    segment(SEG_CS, 0, 0, 10, 0);
    segment(SEG_CS, DATA, 0, 10, DATA);
    segment(SEG_CS, GDT_SIZE, 0, 10, GDT_SIZE);
    segment(SEG_CS, CODE | 3, 0, 10, CODE);                           /* RPL is not DPL */
    segment(SEG_CS, OTHER, FLAT_CODE | conforming | user, 10, OTHER); /* DPL above RPL */
    segment(SEG_CS, OTHER, FLAT_CODE & ~present, 11, OTHER);
    segment(SEG_CS, OTHER | 4, 0, 10, OTHER | 4); /* no LDT */
    segment(SEG_SS, 0, 0, 10, 0);
    segment(SEG_SS, CODE, 0, 10, CODE);
    segment(SEG_SS, OTHER, FLAT_DATA & ~(2ull << 40), 10, OTHER); /* read-only */
    segment(SEG_SS, OTHER | 3, FLAT_DATA | user, 10, OTHER);
    segment(SEG_SS, OTHER, FLAT_DATA & ~present, 12, OTHER);
    segment(SEG_DS, OTHER, FLAT_CODE & ~(2ull << 40), 10, OTHER); /* execute-only */
    segment(SEG_DS, DATA | 3, 0, 10, DATA);
    segment(SEG_GS, OTHER, FLAT_DATA & ~present, 11, OTHER);
    segment(SEG_ES, OTHER, TSS_32, 10, OTHER);
    assert_int_equal(word(GDT + DATA + 4) >> 8 & 1, 1);
}

/* 3.4.5.1: the accessed flag is set in memory. */
static void accessed(void **state)
{
    (void)state;
    descriptor(DATA, FLAT_DATA & ~(1ull << 40));
    switch_by(TASK_JMP);
    assert_arrived();
    assert_int_equal(word(GDT + DATA + 4) >> 8 & 1, 1);
}

static void local_descriptors(void **state)
{
    struct guest_segment s;

    (void)state;
    descriptor(LDT, 0x0000820000000007ull | AT(0x6000));
    put(0x6000, 0x0000ffff);
    put(0x6004, 0x00cf9300);
    put(NEW + 0x60, LDT);
    put(NEW + 0x48 + 4 * SEG_FS, 4);
    switch_by(TASK_JMP);
    assert_arrived();
    hv->get_segment(vcpu, SEG_FS, &s);
    assert_true(s.selector == 4 && s.limit == UINT32_MAX && s.attr == 0xc093);
    afresh(state);
    descriptor(LDT, FLAT_DATA);
    put(NEW + 0x60, LDT);
    switch_by(TASK_JMP);
    assert_fault(10, LDT);
}

/* Of any TSS and any descriptors: no assertion, and CS and SS are such as the processor takes. */
static void anything(void **state)
{
    uint64_t seed = 42;

    for (unsigned int round = 0; round < 20000; round++) {
        struct guest_segment cs, ss;
        if (round % 64 == 0)
            afresh(state);
        for (unsigned int i = 0; i < 6; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            put(GDT + DATA + 4 * (uint32_t)(seed >> 60), (uint32_t)(seed >> 20));
            put(NEW + 4 * (uint32_t)(seed >> 59), (uint32_t)(seed >> 24) & (seed & 1 ? 0x3f : UINT32_MAX));
        }
        if (seed & 2)
            descriptor(NEW_TSS, TSS_32 | AT(NEW));
        switch_by((enum task_source)(seed >> 5 & 3));
        assert_int_equal(vm->state, VM_RUNNING);
        hv->get_segment(vcpu, SEG_CS, &cs);
        hv->get_segment(vcpu, SEG_SS, &ss);
        if (vcpu->regs.rflags & RFLAGS_VM)
            assert_true(cs.attr == 0xf3 && ss.attr == 0xf3);
        else
            assert_true((cs.attr & 0x98) == 0x98 && (ss.attr & 0x9a) == 0x92);
        assert_int_equal(vcpu->regs.rflags & ~0x3f7fd7ull, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(call_nests),
        TEST(jmp_does_not),
        TEST(iret_returns),
        TEST(events_return_to_where_they_came_from),
        TEST(a_16_bit_tss),
        TEST(virtual_8086_mode),
        TEST(faults_of_the_old_task),
        TEST(faults_of_the_new_task),
        TEST(accessed),
        TEST(local_descriptors),
        TEST(anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
