/* links: tests/fuzz/support_native.c */
/* The emulator of instructions on device memory against the processor that this runs on: the same registers,
 * flags and memory after each instruction, and RIP behind it. In 64-bit mode, the only one that a process
 * has. Undefined flags are left out (SDM vol. 2, the instructions' pages). */
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/native.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/decode.h"
#include "vmm/emulate.h"

#define STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Where operands may lie: away from both ends, so that what reaches beyond still lies in the data. */
#define WINDOW_FIRST (NATIVE_DATA + 0x400u)
#define WINDOW_BYTES 0x1800u
#define REPEATS_MAX  20u

/* In the guest the operand is a device that keeps what is written: its page tables map NATIVE_DATA there. */
#define DEVICE     0x40400000u
#define LARGE_PAGE 0x200000u
#define PTE_LARGE  0x83u

struct experiment {
    uint8_t code[INSN_MAX_LENGTH];
    struct insn insn;
    struct native_state start;
    uint64_t operand; /* linear address of the operand in memory */
    uint8_t data[NATIVE_DATA_BYTES];
};

static struct vm *vm;
static uint8_t device[NATIVE_DATA_BYTES];

static bool is_string(const struct insn *insn)
{
    return insn->op == OP_STOS || insn->op == OP_LODS || insn->op == OP_MOVS;
}

static bool is_bit(const struct insn *insn)
{
    return insn->op >= OP_BT && insn->op <= OP_BTC;
}

static uint64_t mask_of(unsigned int size)
{
    return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

/* Overwrites the displacement, wherever it stands: the one of the bytes' fours (or eights) that does it. */
static bool set_displacement(struct experiment *e, uint64_t disp, unsigned int bytes)
{
    struct insn again;

    for (unsigned int at = 1; at + bytes <= e->insn.length; at++) {
        uint8_t code[INSN_MAX_LENGTH];

        memcpy(code, e->code, sizeof(code));
        memcpy(code + at, &disp, bytes);
        if (decode(code, e->insn.length, 64, &again) == DECODE_OK && again.disp == disp &&
            again.length == e->insn.length && again.op == e->insn.op && again.base == e->insn.base &&
            again.index == e->insn.index && again.rip_relative == e->insn.rip_relative) {
            memcpy(e->code, code, sizeof(code));
            e->insn = again;
            return true;
        }
    }
    return false;
}

/* The manual's formula (SDM vol. 1, 3.7.5). */
static uint64_t address_of(const struct experiment *e)
{
    const struct insn *i = &e->insn;
    uint64_t a = i->disp;

    a += i->base == INSN_NO_REG ? 0 : e->start.gpr[i->base];
    a += i->index == INSN_NO_REG ? 0 : e->start.gpr[i->index] * i->scale;
    a += i->rip_relative ? NATIVE_CODE + i->length : 0;
    return a & mask_of(i->address_size);
}

/* Chooses registers, or the displacement, so that the operand lies at `target`. */
static void aim(struct experiment *e, uint64_t target)
{
    const struct insn *i = &e->insn;
    uint64_t index = i->index == INSN_NO_REG ? 0 : e->start.gpr[i->index] * i->scale;

    if (i->base != INSN_NO_REG && i->base != i->index)
        e->start.gpr[i->base] = target - i->disp - index;
    else if (i->base != INSN_NO_REG)
        e->start.gpr[i->base] = (target - i->disp) / (i->scale + 1u);
    else if (i->index != INSN_NO_REG)
        e->start.gpr[i->index] = (target - i->disp) / i->scale;
    else if (!set_displacement(e, i->rip_relative ? target - NATIVE_CODE - i->length : target, 4))
        set_displacement(e, target, 8);
}

/* Where a bit string's bit lies (SDM vol. 2, table 3-2). */
static uint64_t bit_address(const struct experiment *e, uint64_t address)
{
    const struct insn *i = &e->insn;
    unsigned int bits = 8u * i->size;
    uint64_t number = e->start.gpr[i->src.reg] & mask_of(i->size), sign = 1ull << (bits - 1);
    int64_t signed_number = (int64_t)((number ^ sign) - sign), operand = signed_number / (int64_t)bits;

    operand -= signed_number % (int64_t)bits < 0;
    return (address + (uint64_t)operand * i->size) & mask_of(i->address_size);
}

static bool in_window(uint64_t address)
{
    return address >= WINDOW_FIRST && address < WINDOW_FIRST + WINDOW_BYTES;
}

static bool prepare_string(struct experiment *e, struct bytes *in)
{
    e->start.gpr[GPR_RSI] = WINDOW_FIRST + 0x200 + take(in, 2) % (WINDOW_BYTES - 0x400);
    e->start.gpr[GPR_RDI] = WINDOW_FIRST + 0x200 + take(in, 2) % (WINDOW_BYTES - 0x400);
    e->start.gpr[GPR_RCX] = take8(in) % REPEATS_MAX;
    e->operand = e->start.gpr[e->insn.op == OP_LODS ? GPR_RSI : GPR_RDI];
    return true;
}

static bool prepare_operand(struct experiment *e, struct bytes *in)
{
    if (is_bit(&e->insn) && e->insn.src.kind == OPERAND_REG)
        e->start.gpr[e->insn.src.reg] = (uint64_t)(int16_t)take(in, 2);
    aim(e, WINDOW_FIRST + take(in, 2) % WINDOW_BYTES);
    e->operand = address_of(e);
    if (is_bit(&e->insn) && e->insn.src.kind == OPERAND_REG)
        e->operand = bit_address(e, e->operand);
    return in_window(e->operand);
}

/* Bytes that differ from their neighbours, in pieces of 64. */
static void fill(uint8_t *data, uint64_t seed)
{
    for (size_t i = 0; i < 64; i++)
        data[i] = (uint8_t)(seed >> (i % 8 * 8)) ^ (uint8_t)(i * 37);
    for (size_t done = 64; done < NATIVE_DATA_BYTES; done *= 2)
        memcpy(data + done, data, done);
}

/* False: this input is no experiment. */
static bool prepare(struct experiment *e, struct bytes *in)
{
    for (unsigned int i = 0; i < INSN_MAX_LENGTH; i++)
        e->code[i] = take8(in);
    if (decode(e->code, INSN_MAX_LENGTH, 64, &e->insn) != DECODE_OK || e->insn.op > OP_BTC)
        return false;
    if (e->insn.seg == SEG_FS || e->insn.seg == SEG_GS)
        return false;
    e->start.flags = take(in, 2) & (STATUS | RFLAGS_DF);
    for (unsigned int i = 0; i < GPRS; i++)
        e->start.gpr[i] = take_number(in);
    if (!(is_string(&e->insn) ? prepare_string : prepare_operand)(e, in))
        return false;
    fill(e->data, take(in, 8));
    return true;
}

static void emulate_once(const struct experiment *e, struct native_state *end)
{
    struct vcpu *vcpu = vm->vcpus[0];
    const struct exit_record exit = {
        .kind = EXIT_MMIO,
        .u.mmio = {.gpa = e->operand + (DEVICE - NATIVE_DATA), .write = e->insn.dst.kind == OPERAND_MEM}};

    memcpy(device, e->data, NATIVE_DATA_BYTES);
    memcpy(vm_ram(vm, NATIVE_CODE, INSN_MAX_LENGTH), e->code, INSN_MAX_LENGTH);
    memcpy(vcpu->regs.gpr, e->start.gpr, sizeof(vcpu->regs.gpr));
    vcpu->regs.rip = NATIVE_CODE;
    vcpu->regs.rflags = e->start.flags | 2;
    fake_vcpu(vcpu)->exception = -1;
    emulate_mmio(vcpu, &exit);
    CHECK(vm->state == VM_RUNNING, "the VM has ended: %s", vm->end_reason);
    CHECK(fake_vcpu(vcpu)->exception == -1, "exception %d", fake_vcpu(vcpu)->exception);
    CHECK(vcpu->regs.rip == NATIVE_CODE + e->insn.length, "rip %llx", (unsigned long long)vcpu->regs.rip);
    memcpy(end->gpr, vcpu->regs.gpr, sizeof(end->gpr));
    end->flags = vcpu->regs.rflags;
}

/* The status flags that the instruction defines. */
static uint64_t defined_flags(unsigned int op)
{
    if (op == OP_AND || op == OP_OR || op == OP_XOR || op == OP_TEST)
        return STATUS & ~RFLAGS_AF;
    if (op >= OP_BT && op <= OP_BTC)
        return RFLAGS_CF | RFLAGS_ZF;
    return STATUS;
}

static void compare(const struct experiment *e, const struct native_state *ours,
                    const struct native_state *theirs)
{
    const uint8_t *their_data = (const uint8_t *)(uintptr_t)NATIVE_DATA;
    uint64_t wrong = (ours->flags ^ theirs->flags) & defined_flags(e->insn.op);

    for (unsigned int i = 0; i < GPRS; i++)
        CHECK(ours->gpr[i] == theirs->gpr[i], "register %u is %llx, the processor makes it %llx", i,
              (unsigned long long)ours->gpr[i], (unsigned long long)theirs->gpr[i]);
    CHECK(wrong == 0, "flags %llx, the processor makes them %llx", (unsigned long long)ours->flags,
          (unsigned long long)theirs->flags);
    CHECK(memcmp(device, their_data, NATIVE_DATA_BYTES) == 0, "what the processor stores is something else");
}

static uint64_t device_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    uint64_t value = 0;

    (void)self;
    (void)vcpu;
    memcpy(&value, device + offset, size);
    return value;
}

static void device_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)self;
    (void)vcpu;
    memcpy(device + offset, &value, size);
}

static void set_up(void)
{
    struct vm_config config = fake_vm_config();

    fake_host_reset();
    vm = fake_vm_create(&config);
    CHECK(vm, "no VM");
    fake_vm_long_mode(vm);
    uint64_t *directory = vm_ram(vm, FAKE_VM_DIRECTORY, 4096);
    directory[NATIVE_DATA / LARGE_PAGE] = DEVICE | PTE_LARGE;
    bus_claim_mmio(&vm->bus, &(struct bus_range){.base = DEVICE,
                                                 .length = NATIVE_DATA_BYTES,
                                                 .read = device_read,
                                                 .write = device_write,
                                                 .name = "memory"});
    native_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct experiment e;
    struct bytes in = {data, size};
    struct native_state ours, theirs;

    if (!vm)
        set_up();
    if (!prepare(&e, &in))
        return 0;
    theirs = e.start;
    memcpy((void *)(uintptr_t)NATIVE_DATA, e.data, NATIVE_DATA_BYTES);
    /* #UD before memory is reached (MOVNTI with a prefix): no such exit comes. */
    if (!native_run(e.code, e.insn.length, &theirs))
        return 0;
    emulate_once(&e, &ours);
    compare(&e, &ours, &theirs);
    /* Once more: now as an instruction met before (vmm/mmio_move.h). */
    emulate_once(&e, &ours);
    compare(&e, &ours, &theirs);
    return 0;
}
