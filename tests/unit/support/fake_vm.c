/* A VM for native tests: see fake_vm.h. */
#include "tests/unit/support/fake_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "vmm/cr.h"

#define CODE   0x8000u
#define TABLES 0x10000u

static uint8_t boot_sector[512];

struct vm_config fake_vm_config(void)
{
    struct vm_config c = {
        .name = "test",
        .mem = FAKE_VM_MEM,
        .cpus = 1,
        .rtc_seconds = 1000000000,
        .pvclock = true,
        .tsc_deadline = true,
        .image = boot_sector,
        .image_size = sizeof boot_sector,
        .image_name = "test",
        .cmdline = "",
        .time = {.rate_p = 2, .rate_q = 1, .leap_ns = 60000000000ull},
    };
    memset(boot_sector, 0xf4, sizeof boot_sector);
    boot_sector[510] = 0x55;
    boot_sector[511] = 0xaa;
    return c;
}

struct vm *fake_vm_create(const struct vm_config *config)
{
    struct vm *vm = calloc(1, sizeof *vm);
    if (!vm || !vm_create(vm, &fake_hv_ops, config, 0)) {
        fprintf(stderr, "fake_vm: no VM: %s\n", vm ? vm->end_reason : "no memory");
        free(vm);
        return NULL;
    }
    return vm;
}

void fake_reset(void)
{
    fake_host_reset();
    fake_hv_reset();
    fake_cpuid_reset();
}

struct vm *fake_vm_start(const struct vm_config *config)
{
    fake_reset();
    return fake_vm_create(config);
}

int fake_vm_setup(void **state)
{
    struct vm_config config = fake_vm_config();

    *state = fake_vm_start(&config);
    return *state ? 0 : -1;
}

int fake_vm_teardown(void **state)
{
    struct vm *vm = *state;

    vm_destroy(vm);
    free(vm);
    return 0;
}

static void flat_segments(struct vcpu *vcpu, uint16_t code_attr)
{
    struct guest_segment code = {0x08, code_attr, 0xffffffffu, 0}, data = {0x10, 0xc093, 0xffffffffu, 0};

    for (int i = SEG_ES; i <= SEG_GS; i++)
        hv->set_segment(vcpu, (enum guest_seg)i, i == SEG_CS ? &code : &data);
    vcpu->regs.rip = CODE;
}

void fake_vm_flat32(struct vm *vm)
{
    struct vcpu *vcpu = vm->vcpus[0];

    hv->set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET);
    flat_segments(vcpu, 0xc09b);
}

void fake_vm_long_mode(struct vm *vm)
{
    struct vcpu *vcpu = vm->vcpus[0];
    uint64_t *tables = vm_ram(vm, TABLES, 4 * 4096);

    memset(tables, 0, 4 * 4096);
    tables[0] = (TABLES + 0x1000) | 7;
    tables[512] = FAKE_VM_DIRECTORY | 7;
    tables[512 + 3] = (TABLES + 0x3000) | 7;
    for (uint64_t i = 0; i < 512; i++)
        tables[1024 + i] = i << 21 | 0x83;
    for (uint64_t gpa = 0xfec00000; gpa < 0xff000000; gpa += 0x200000)
        tables[1536 + (gpa >> 21) % 512] = gpa | 0x83;
    hv->set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET | CR0_PG | CR0_WP);
    hv->set_reg(vcpu, REG_CR3, TABLES);
    hv->set_reg(vcpu, REG_CR4, CR4_PAE);
    hv->set_reg(vcpu, REG_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    flat_segments(vcpu, 0xa09b);
}

void fake_vm_code(struct vm *vm, const void *bytes, unsigned int n)
{
    memcpy(vm_ram(vm, vm->vcpus[0]->regs.rip, n), bytes, n);
}
