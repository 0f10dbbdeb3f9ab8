/* One exit of a guest in any state whatever: registers, segments, control registers, page tables and code of
 * the fuzzer's choice, and any exit record. So the dispatcher, the decoder, the walk of guest page tables,
 * segmentation, string I/O, the emulator, MSRs, CPUID, control registers. What must hold: no assertion, no
 * access outside the guest's RAM (ASan), an end within bounded work; a VM that ends says why in one line. */
#include "tests/fuzz/bytes.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"

/* Every allocation of RAM is this one, with nothing behind it that may be touched. */
#define RAM VM_MEM_MIN

static struct bytes in;
static struct vm machine;

/* An address that is likely to mean something: in RAM, at its end, at a page's end, at 4 GiB, a device's. */
static uint64_t some_address(void)
{
    static const uint64_t places[] = {0,          0x8000,     0x9f000,    0xa0000,    0xb8000,    0xdfff8,
                                      0x100000,   RAM,        0xfec00000, 0xfed00000, 0xfee00000, UINT32_MAX,
                                      1ull << 32, 1ull << 39, 1ull << 47, UINT64_MAX};
    uint8_t which = take8(&in);

    if (which % 20 < 16)
        return places[which % 20] + (uint64_t)(int8_t)take8(&in);
    return which % 20 < 18 ? take(&in, 3) : take_number(&in);
}

static void some_registers(struct vcpu *vcpu)
{
    uint8_t n = take8(&in) % GPRS;

    for (unsigned int i = 0; i < n; i++)
        vcpu->regs.gpr[take8(&in) % GPRS] = some_address();
    vcpu->regs.rflags = take(&in, 3) | RFLAGS_1;
    vcpu->regs.rip = some_address();
}

/* The backend's registers hold what a processor would have let through; what the bits mean is not checked
 * here. */
static void some_control(struct vcpu *vcpu)
{
    static const uint64_t cr0[] = {CR0_ET, CR0_ET | CR0_PE, CR0_ET | CR0_PE | CR0_PG,
                                   CR0_ET | CR0_PE | CR0_PG | CR0_WP};
    static const uint64_t cr4[] = {0, CR4_PSE, CR4_PAE, CR4_PAE | CR4_SMAP | CR4_SMEP};
    uint8_t what = take8(&in);
    bool paging = (what & 3) >= 2, wide = paging && (what & 32);

    hv->set_reg(vcpu, REG_CR0, cr0[what & 3]);
    hv->set_reg(vcpu, REG_CR4, cr4[what >> 2 & 3] | (wide ? CR4_PAE : 0));
    hv->set_reg(vcpu, REG_EFER, (what & 64 ? EFER_NXE : 0) | (wide ? EFER_LME | EFER_LMA : 0));
    hv->set_reg(vcpu, REG_CR3, some_address());
}

static void some_segments(struct vcpu *vcpu)
{
    uint8_t which = take8(&in);

    for (unsigned int i = 0; i < GUEST_SEGS; i++)
        if (which >> i & 1) {
            struct guest_segment s = {(uint16_t)take(&in, 2), (uint16_t)take(&in, 2),
                                      (uint32_t)some_address(), some_address()};
            hv->set_segment(vcpu, (enum guest_seg)i, &s);
        }
}

/* Pieces of code, page tables and data anywhere in RAM. */
static void some_memory(struct vm *vm)
{
    for (uint8_t n = take8(&in) % 12; n > 0; n--) {
        uint64_t gpa = some_address();
        size_t length;
        const uint8_t *bytes = take_bytes(&in, 1 + take8(&in) % 32, &length);
        void *to = length ? vm_ram(vm, gpa, length) : NULL;

        if (to)
            memcpy(to, bytes, length);
    }
    for (uint8_t n = take8(&in) % 8; n > 0; n--) { /* an entry of a paging structure */
        uint64_t entry = some_address() & ~0xfffull;
        uint64_t *to = vm_ram(vm, some_address() & ~7ull, 8);

        if (to)
            *to = entry | take(&in, 2) % 0x1000;
    }
}

static void some_exit(struct exit_record *exit)
{
    uint8_t what = take8(&in);

    *exit = (struct exit_record){.kind = (enum exit_kind)(what % EXIT_KINDS), .raw_name = "fuzz"};
    if (what % 5 == 0)
        exit->kind = EXIT_MMIO;
    else if (what % 5 == 1)
        exit->kind = EXIT_IO;
    what = take8(&in);
    exit->insn_len = what & 1 ? 0 : 1 + what / 2 % 15;
    exit->cr3 = take8(&in);
    switch (exit->kind) {
    case EXIT_IO:
        exit->u.io.port = (uint16_t)take(&in, 2);
        exit->u.io.size = (uint8_t)(1u << take8(&in) % 3);
        exit->u.io.in = what & 16;
        exit->u.io.string = what & 32;
        exit->u.io.rep = what & 64;
        exit->insn_len = exit->insn_len ? exit->insn_len : 1; /* both vendors tell it for I/O */
        break;
    case EXIT_MMIO:
        exit->u.mmio.gpa = some_address();
        exit->u.mmio.write = what & 16;
        exit->u.mmio.fetch = (what & 0xe0) == 0xe0;
        exit->u.mmio.in_walk = (what & 0xe0) == 0xc0;
        break;
    case EXIT_RDMSR:
    case EXIT_WRMSR:
        exit->u.msr.index = (uint32_t)take_number(&in);
        exit->u.msr.value = some_address();
        break;
    case EXIT_CR_ACCESS:
        exit->u.cr.cr = (uint8_t[]){0, 3, 4, 8}[what >> 4 & 3];
        /* A processor that tells the access tells the length too. */
        exit->u.cr.access = exit->insn_len ? take8(&in) % CR_UNKNOWN : CR_UNKNOWN;
        exit->u.cr.gpr = take8(&in) % GPRS;
        exit->u.cr.lmsw = (uint16_t)take(&in, 2);
        break;
    case EXIT_EXCEPTION:
        exit->u.exception.vector = take8(&in) % 32;
        exit->u.exception.has_error = what & 16;
        exit->u.exception.address = some_address();
        break;
    case EXIT_TASK_SWITCH:
        exit->u.task.selector = (uint16_t)take(&in, 2);
        exit->u.task.source = what >> 4 & 3;
        exit->u.task.soft = what & 64;
        exit->u.task.external = !exit->u.task.soft;
        exit->u.task.has_error = what & 128;
        exit->u.task.error = (uint32_t)take(&in, 2);
        break;
    case EXIT_PAUSE: /* instructions of a length that is not asked for are told by both vendors */
        exit->insn_len = exit->insn_len ? exit->insn_len : 2;
        break;
    default:
        break;
    }
}

static void one_exit(struct vm *vm)
{
    struct vcpu *vcpu = vm->vcpus[0];
    struct exit_record exit;

    some_registers(vcpu);
    some_control(vcpu);
    some_segments(vcpu);
    some_exit(&exit);
    fake_host.now += take(&in, 2);
    vtime_advance(&vm->time, fake_host.now);
    dispatch_exit(vcpu, &exit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(RAM) uint8_t ram[RAM];
    struct vm *vm = &machine;

    in = (struct bytes){data, size};
    fake_host_reset();
    fake_hv_reset();
    fake_host.lent = ram;
    fake_host.lent_size = sizeof(ram);
    struct vm_config c = fake_vm_config();
    c.mem = RAM;
    CHECK(vm_create(vm, &fake_hv_ops, &c, 0), "no VM: %s", vm->end_reason);
    vtime_unpause(&vm->time);
    vtime_vcpu_run(&vm->time, 0);
    some_memory(vm);
    while (in.left > 0 && vm->state == VM_RUNNING && !vm->reset_requested)
        one_exit(vm);
    if (vm->state == VM_ENDED && vm->end == VM_END_CRASH)
        CHECK(strlen(vm->end_reason) > 0 && !strchr(vm->end_reason, '\n'), "the reason: %s", vm->end_reason);
    CHECK(vtime_check(&vm->time) == NULL, "%s", vtime_check(&vm->time));
    vm_destroy(vm);
    return 0;
}
