/* Guest page tables and segments: SDM vol. 3, chapters 3, 4 and 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/walk.h"

#define P  1u
#define W  2u
#define U  4u
#define A  0x20u
#define D  0x40u
#define PS 0x80u
#define NX (1ull << 63)

#define ROOT 0x100000u
#define T2   0x101000u
#define T3   0x102000u
#define T4   0x103000u

static struct vm *vm;
static struct walk_regs regs;
static struct fault fault;
static uint64_t gpa;

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    regs = (struct walk_regs){.cr0 = CR0_PG | CR0_PE | CR0_WP, .cr3 = ROOT, .phys_bits = 39};
    return failed;
}

static uint64_t *entry8(uint64_t table, unsigned int index)
{
    return vm_ram(vm, table + index * 8, 8);
}

static uint32_t *entry4(uint64_t table, unsigned int index)
{
    return vm_ram(vm, table + index * 4, 4);
}

static void four_levels(uint64_t rights)
{
    regs.cr4 = CR4_PAE;
    regs.efer = EFER_LMA | EFER_LME | EFER_NXE;
    *entry8(ROOT, 1) = T2 | P | W | U;
    *entry8(T2, 2) = T3 | P | W | U;
    *entry8(T3, 3) = T4 | P | W | U;
    *entry8(T4, 4) = 0x7000 | rights;
}
#define FOUR (1ull << 39 | 2ull << 30 | 3ull << 21 | 4ull << 12)

static void faults(uint64_t linear, unsigned int access, uint32_t error)
{
    assert_false(walk(vm, &regs, linear, access, &gpa, &fault));
    assert_int_equal(fault.vector, 14);
    assert_int_equal(fault.error, error);
    assert_int_equal(fault.address, linear);
}

static void without_paging_it_is_the_identity(void **state)
{
    (void)state;
    regs.cr0 = CR0_PE;
    assert_true(walk(vm, &regs, 0x123456789, 0, &gpa, &fault));
    assert_int_equal(gpa, 0x23456789); /* 32 bits of linear address */
}

/* 4.5, and 4.8: accessed flags along the way, the dirty flag for a write only. */
static void four_level_paging(void **state)
{
    (void)state;
    four_levels(P | W | U);
    assert_true(walk(vm, &regs, FOUR | 0x123, ACCESS_USER, &gpa, &fault));
    assert_int_equal(gpa, 0x7123);
    assert_int_equal(*entry8(ROOT, 1), T2 | P | W | U | A);
    assert_int_equal(*entry8(T4, 4), 0x7000 | P | W | U | A);
    assert_true(walk(vm, &regs, FOUR, ACCESS_USER | ACCESS_WRITE, &gpa, &fault));
    assert_int_equal(*entry8(T4, 4), 0x7000 | P | W | U | A | D);
    assert_int_equal(*entry8(T3, 3), T4 | P | W | U | A);
}

static void large_pages(void **state)
{
    (void)state;
    four_levels(0);
    *entry8(T3, 3) = 0x40200000 | P | W | PS;
    assert_true(walk(vm, &regs, FOUR | 0x567, 0, &gpa, &fault));
    assert_int_equal(gpa, 0x40200000 + 0x4567);
    *entry8(T2, 2) = 0x80000000 | P | W | PS;
    assert_true(walk(vm, &regs, FOUR, 0, &gpa, &fault));
    assert_int_equal(gpa, 0x80000000 + (FOUR & 0x3fffffff));
    *entry8(T2, 2) = T3 | P | W;
    *entry8(T3, 3) = 0x40202000 | P | W | PS; /* not on a 2 MiB boundary: reserved bits */
    faults(FOUR, 0, PF_PRESENT | PF_RESERVED);
}

/* 4.6 and 4.7. */
static void rights_and_error_codes(void **state)
{
    (void)state;
    four_levels(P);
    faults(FOUR, ACCESS_USER, PF_PRESENT | ACCESS_USER);
    faults(FOUR, ACCESS_WRITE, PF_PRESENT | ACCESS_WRITE);
    regs.cr0 &= ~CR0_WP;
    assert_true(walk(vm, &regs, FOUR, ACCESS_WRITE, &gpa, &fault));
    regs.cr0 |= CR0_WP;
    four_levels(P | U | NX);
    faults(FOUR, ACCESS_FETCH | ACCESS_USER, PF_PRESENT | ACCESS_FETCH | ACCESS_USER);
    four_levels(P | U);
    assert_true(walk(vm, &regs, FOUR, ACCESS_FETCH | ACCESS_USER, &gpa, &fault));
    regs.cr4 |= CR4_SMEP | CR4_SMAP;
    faults(FOUR, ACCESS_FETCH, PF_PRESENT | ACCESS_FETCH);
    faults(FOUR, 0, PF_PRESENT);
    regs.rflags = RFLAGS_AC;
    assert_true(walk(vm, &regs, FOUR, 0, &gpa, &fault));
    four_levels(0);
    faults(FOUR, ACCESS_WRITE, ACCESS_WRITE);
    *entry8(T3, 3) &= ~(uint64_t)W; /* the whole path must allow it */
    *entry8(T4, 4) = 0x7000 | P | W;
    faults(FOUR, ACCESS_WRITE, PF_PRESENT | ACCESS_WRITE);
}

static void reserved_bits(void **state)
{
    (void)state;
    four_levels(P | 1ull << 39); /* MAXPHYADDR is 39 */
    faults(FOUR, 0, PF_PRESENT | PF_RESERVED);
    four_levels(P | NX);
    regs.efer &= ~EFER_NXE;
    faults(FOUR, ACCESS_FETCH, PF_PRESENT | PF_RESERVED); /* no I flag without NX and SMEP */
    *entry8(ROOT, 1) = T2 | P | PS;
    faults(FOUR, 0, PF_PRESENT | PF_RESERVED);
}

/* 4.3, with PSE-36. */
static void thirty_two_bit_paging(void **state)
{
    (void)state;
    *entry4(ROOT, 5) = T2 | P | W | U;
    *entry4(T2, 6) = 0x9000 | P | W | U;
    assert_true(walk(vm, &regs, 5u << 22 | 6u << 12 | 7, ACCESS_WRITE, &gpa, &fault));
    assert_int_equal(gpa, 0x9007);
    assert_int_equal(*entry4(T2, 6), 0x9000 | P | W | U | A | D);
    *entry4(ROOT, 5) = 0x00c00000 | 3u << 13 | P | PS;
    regs.cr4 = CR4_PSE;
    assert_true(walk(vm, &regs, 5u << 22 | 0x123456, 0, &gpa, &fault));
    assert_int_equal(gpa, (3ull << 32) + 0xd23456);
    *entry4(ROOT, 5) |= 1u << 21;
    faults(5u << 22, 0, PF_PRESENT | PF_RESERVED);
}

/* 4.4. */
static void pae_paging(void **state)
{
    (void)state;
    regs.cr4 = CR4_PAE;
    regs.cr3 = ROOT + 0x20; /* on a 32-byte boundary */
    *entry8(ROOT + 0x20, 3) = T2 | P;
    *entry8(T2, 1) = T3 | P | W | U;
    *entry8(T3, 2) = 0x5000 | P | W | U;
    assert_true(walk(vm, &regs, 0xc0202abc, ACCESS_USER | ACCESS_WRITE, &gpa, &fault));
    assert_int_equal(gpa, 0x5abc);
    assert_int_equal(*entry8(ROOT + 0x20, 3), T2 | P); /* no accessed flag there */
    *entry8(ROOT + 0x20, 3) = T2 | P | W;
    faults(0xc0202abc, 0, PF_PRESENT | PF_RESERVED);
    *entry8(ROOT + 0x20, 3) = T2 | P | A; /* QEMU's processor has been there */
    assert_true(walk(vm, &regs, 0xc0202abc, 0, &gpa, &fault));
    assert_int_equal(gpa, 0x5abc);
}

/* Hostile tables: anywhere, in holes, beyond RAM. Whatever comes out, nothing outside RAM is touched (ASan).
 */
static void random_tables(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (unsigned int round = 0; round < 20000; round++) {
        uint64_t r[4];
        for (unsigned int i = 0; i < 4; i++)
            r[i] = seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        for (unsigned int i = 0; i < 8; i++)
            *entry8(ROOT, (unsigned int)(r[0] >> 40) % 512) = r[i % 4] >> (r[1] >> 62 ? 30 : 0) | P;
        regs.cr3 = r[0] >> 63 ? ROOT : r[1];
        regs.cr4 = r[2] & (CR4_PAE | CR4_PSE | CR4_SMAP | CR4_SMEP);
        regs.efer = r[2] >> 50 & 1 ? EFER_LMA | EFER_NXE : 0;
        if (!walk(vm, &regs, r[3], (unsigned int)(r[2] >> 8) & (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH),
                  &gpa, &fault))
            assert_int_equal(fault.vector, 14);
    }
}

/* An access across two pages is checked on both before the first byte is written. */
static void across_pages(void **state)
{
    struct vcpu *vcpu = vm->vcpus[0];
    uint64_t *tables;
    uint8_t *low = vm_ram(vm, 0x1ffffc, 4), *high = vm_ram(vm, 0x400000, 4);
    uint32_t value = 0;

    (void)state;
    fake_vm_long_mode(vm);
    tables = vm_ram(vm, 0x12000, 4096);
    tables[1] = 0x400000 | 0x83; /* 200000h lies at 400000h */
    assert_true(guest_write(vcpu, 0x1ffffe, "\1\2\3\4", 4, 0, &fault));
    assert_memory_equal(low + 2, "\1\2", 2);
    assert_memory_equal(high, "\3\4", 2);
    assert_true(guest_read(vcpu, 0x1ffffe, &value, 4, 0, &fault));
    assert_int_equal(value, 0x04030201);
    tables[1] = 0;
    assert_false(guest_write(vcpu, 0x1ffffe, "\5\6\7\10", 4, 0, &fault));
    assert_int_equal(fault.address, 0x200000);
    assert_int_equal(fault.error, ACCESS_WRITE);
    assert_memory_equal(low + 2, "\1\2", 2);
}

/* DESIGN.md section 4: unclaimed reads are all ones, writes are dropped. */
static void holes(void **state)
{
    struct vcpu *vcpu = vm->vcpus[0];
    uint8_t buf[6] = {0};

    (void)state;
    fake_vm_flat32(vm);
    assert_true(guest_write(vcpu, 0xa0000 - 3, "abcdef", 6, 0, &fault));
    assert_true(guest_read(vcpu, 0xa0000 - 3, buf, 6, 0, &fault));
    assert_memory_equal(buf, "abc\xff\xff\xff", 6);
}

static bool linear(enum guest_seg seg, uint64_t offset, unsigned int size, bool write, uint64_t *out)
{
    return guest_linear(vm->vcpus[0], seg, offset, size, write, out, &fault);
}

/* 5.3 and 5.4. */
static void segment_limits_and_types(void **state)
{
    struct vcpu *vcpu = vm->vcpus[0];
    uint64_t out;

    (void)state;
    fake_vm_flat32(vm);
    hv->set_segment(vcpu, SEG_DS, &(struct guest_segment){0x10, 0x4093, 0xfff, 0x10000});
    assert_true(linear(SEG_DS, 0xffc, 4, true, &out));
    assert_int_equal(out, 0x10ffc);
    assert_false(linear(SEG_DS, 0xffd, 4, false, &out));
    assert_int_equal(fault.vector, 13);
    assert_false(linear(SEG_DS, 0xffffffff, 4, false, &out)); /* no wrap past the limit */
    hv->set_segment(vcpu, SEG_SS, &(struct guest_segment){0x18, 0x4097, 0xfff, 0}); /* expand-down */
    assert_false(linear(SEG_SS, 0xfff, 1, false, &out));
    assert_int_equal(fault.vector, 12);
    assert_true(linear(SEG_SS, 0x1000, 4, true, &out));
    hv->set_segment(vcpu, SEG_ES, &(struct guest_segment){0x20, 0x4091, 0xffffffff, 0}); /* read-only */
    assert_true(linear(SEG_ES, 0, 4, false, &out));
    assert_false(linear(SEG_ES, 0, 4, true, &out));
    assert_false(linear(SEG_CS, 0, 4, true, &out));
    hv->set_segment(vcpu, SEG_FS, &(struct guest_segment){0, SEG_ATTR_UNUSABLE, 0, 0});
    assert_false(linear(SEG_FS, 0, 1, false, &out));
}

static void real_mode_checks_the_limit_only(void **state)
{
    struct vcpu *vcpu = vm->vcpus[0];
    uint64_t out;

    (void)state;
    hv->set_reg(vcpu, REG_CR0, CR0_ET);
    hv->set_segment(vcpu, SEG_CS, &(struct guest_segment){0x1000, 0x9b, 0xffff, 0x10000});
    assert_true(linear(SEG_CS, 0xffff, 1, true, &out));
    assert_int_equal(out, 0x1ffff);
    assert_false(linear(SEG_CS, 0xffff, 2, true, &out));
    /* In real-address mode a fault pushes no error code. */
    fault_inject(vcpu, &fault);
    assert_int_equal(fake_vcpu(vcpu)->exception, 13);
    assert_false(fake_vcpu(vcpu)->exception_has_error);
}

/* 3.3.7.1: canonical addresses; bases of FS and GS only. */
static void long_mode_segments(void **state)
{
    struct vcpu *vcpu = vm->vcpus[0];
    uint64_t out;

    (void)state;
    fake_vm_long_mode(vm);
    hv->set_segment(vcpu, SEG_DS, &(struct guest_segment){0, SEG_ATTR_UNUSABLE, 0, 0x1000});
    hv->set_segment(vcpu, SEG_GS, &(struct guest_segment){0, SEG_ATTR_UNUSABLE, 0, 0xffff880000000000});
    assert_true(linear(SEG_DS, 0x10, 8, true, &out));
    assert_int_equal(out, 0x10);
    assert_true(linear(SEG_GS, 0x10, 8, true, &out));
    assert_true(out == 0xffff880000000010);
    assert_false(linear(SEG_DS, 0x7ffffffffffe, 4, false, &out));
    assert_int_equal(fault.vector, 13);
    assert_false(linear(SEG_SS, 0x800000000000, 1, false, &out));
    assert_int_equal(fault.vector, 12);
    fault = (struct fault){14, 6, 0x1234};
    fault_inject(vcpu, &fault);
    assert_int_equal(hv->get_reg(vcpu, REG_CR2), 0x1234);
    assert_int_equal(fake_vcpu(vcpu)->exception_error, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_paging_it_is_the_identity, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(four_level_paging, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(large_pages, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(rights_and_error_codes, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(reserved_bits, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(thirty_two_bit_paging, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(pae_paging, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(random_tables, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(across_pages, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(holes, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(segment_limits_and_types, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(real_mode_checks_the_limit_only, setup, fake_vm_teardown),
        cmocka_unit_test_setup_teardown(long_mode_segments, setup, fake_vm_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
