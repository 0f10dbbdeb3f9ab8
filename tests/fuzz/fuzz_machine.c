/* A whole virtual machine under random exits at random times: every device through the bus (PIC, IOAPIC,
 * LAPIC, PIT, RTC and CMOS, HPET, PM timer, UART, ACPI PM, port 61h, kvm-clock), the run loop, the scheduler
 * that takes the processor away. What must hold after each step: the invariants and the ledger (DESIGN.md
 * section 2), apparent time does not decrease, no assertion is reached. */
#include "tests/fuzz/bytes.h"
#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/ioapic.h"
#include "vmm/run.h"

#define CODE 0x8000u
/* Bits of a step of real time: 4 s. In more of it a halted VM has more ticks than there is time to try them;
 * the kernel looks at each when it comes. */
#define LONGEST_RT 32u

static struct bytes in;
static struct vm *vm;
static at_t seen;

static uint64_t some_time(void)
{
    return take_number(&in) & ((1ull << LONGEST_RT) - 1);
}

static void sound(void)
{
    const char *broken = vtime_check(&vm->time);
    at_t at = vtime_peek(&vm->time);

    CHECK(!broken, "%s", broken);
    CHECK(vtime_balances(&vm->time), "the ledger");
    CHECK(at >= seen, "apparent time %llu after %llu", (unsigned long long)at, (unsigned long long)seen);
    seen = at;
}

/* ---- what a guest does ---- */

static void port_access(struct exit_record *exit)
{
    static const uint16_t ports[] = {0x20,  0x21,  0xa0,  0xa1,  0x40,  0x41,  0x42,  0x43,  0x61,
                                     0x70,  0x71,  0x64,  0x92,  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc,
                                     0x3fd, 0x3fe, 0x3ff, 0x3d4, 0x3d5, 0x3da, 0x4d0, 0x4d1, 0x600,
                                     0x602, 0x604, 0x606, 0x608, 0xcf8, 0xcf9};
    uint8_t what = take8(&in);
    size_t n = sizeof(ports) / sizeof(ports[0]);

    exit->kind = EXIT_IO;
    exit->insn_len = 1;
    exit->u.io.in = what & 1;
    exit->u.io.size = (uint8_t)(1u << (what >> 1 & 3) % 3);
    exit->u.io.port = what >> 3 < 28 ? ports[take8(&in) % n] : (uint16_t)take(&in, 2);
    /* Accesses of a byte are what most registers take: the others are rare. */
    if (what >> 3 < 20)
        exit->u.io.size = 1;
}

static void port_write(struct vcpu *vcpu, struct exit_record *exit)
{
    port_access(exit);
    vcpu->regs.gpr[GPR_RAX] = take(&in, exit->u.io.size);
}

static void string_access(struct vcpu *vcpu, struct exit_record *exit)
{
    uint8_t code[3] = {0xf3, 0x6c, 0x90};

    port_access(exit);
    code[1] = (uint8_t)(exit->u.io.in ? 0x6c : 0x6e) | (exit->u.io.size > 1);
    memcpy(vm_ram(vm, CODE, sizeof(code)), code, sizeof(code));
    vcpu->regs.rip = CODE;
    vcpu->regs.gpr[GPR_RCX] = take8(&in);
    vcpu->regs.gpr[GPR_RDI] = vcpu->regs.gpr[GPR_RSI] = take(&in, 3);
    exit->u.io.string = exit->u.io.rep = true;
}

static uint64_t device_address(void)
{
    static const uint64_t bases[] = {LAPIC_DEFAULT_BASE, IOAPIC_BASE, HPET_BASE, 0xa0000,
                                     0xfee00000ull + 0x1000};
    uint8_t which = take8(&in) % 6;

    return which == 5 ? take_number(&in) & UINT32_MAX
                      : bases[which] + (take(&in, 2) & 0xfff & ~3ull) + take8(&in) % 8 / 7;
}

/* MOV between EAX (or its parts) and [EDI]. */
static void memory_access(struct vcpu *vcpu, struct exit_record *exit)
{
    static const uint8_t moves[6][3] = {{0x88, 0x07}, {0x66, 0x89, 0x07}, {0x89, 0x07},
                                        {0x8a, 0x07}, {0x66, 0x8b, 0x07}, {0x8b, 0x07}};
    uint8_t which = take8(&in) % 6;

    memcpy(vm_ram(vm, CODE, 3), moves[which], 3);
    vcpu->regs.rip = CODE;
    vcpu->regs.gpr[GPR_RDI] = device_address();
    vcpu->regs.gpr[GPR_RAX] = take(&in, 4);
    exit->kind = EXIT_MMIO;
    exit->u.mmio.gpa = vcpu->regs.gpr[GPR_RDI];
    exit->u.mmio.write = which < 3;
}

static void wide_access(struct vcpu *vcpu)
{
    uint64_t gpa = device_address();
    uint8_t what = take8(&in);

    if (what & 1)
        bus_mmio_write(&vm->bus, vcpu, gpa, 1u << (what >> 1 & 3), take(&in, 8));
    else
        bus_mmio_read(&vm->bus, vcpu, gpa, 1u << (what >> 1 & 3));
}

static void msr_access(struct exit_record *exit)
{
    static const uint32_t msrs[] = {0x10,       0x11,       0x12,       0x1b,       0x3b,       0x6e0, 0x277,
                                    0x4b564d00, 0x4b564d01, 0xc0000080, 0xc0000102, 0xc0000103, 0x174, 0x1a0};
    uint8_t what = take8(&in);

    exit->kind = what & 1 ? EXIT_WRMSR : EXIT_RDMSR;
    exit->insn_len = 2;
    exit->u.msr.index =
        what >> 1 < 120 ? msrs[what / 2 % (sizeof(msrs) / sizeof(msrs[0]))] : (uint32_t)take(&in, 4);
    if (what & 1)
        exit->u.msr.value = take_number(&in);
}

static void plain(struct vcpu *vcpu, struct exit_record *exit)
{
    static const enum exit_kind kinds[] = {EXIT_RDTSC,     EXIT_RDTSCP,     EXIT_CPUID, EXIT_HLT,
                                           EXIT_PAUSE,     EXIT_WBINVD,     EXIT_RDPMC, EXIT_XSETBV,
                                           EXIT_HYPERCALL, EXIT_MONITOR,    EXIT_NMI,   EXIT_INVD,
                                           EXIT_HLT,       EXIT_IRQ_WINDOW, EXIT_HLT};

    exit->kind = kinds[take8(&in) % (sizeof(kinds) / sizeof(kinds[0]))];
    exit->insn_len = 3;
    if (exit->kind == EXIT_CPUID) {
        vcpu->regs.gpr[GPR_RAX] = take(&in, 4);
        vcpu->regs.gpr[GPR_RCX] = take8(&in);
    }
}

static void cr_access_exit(struct vcpu *vcpu, struct exit_record *exit)
{
    uint8_t what = take8(&in);

    exit->kind = EXIT_CR_ACCESS;
    exit->insn_len = 3;
    exit->u.cr.cr = what & 1 ? 8 : 4;
    exit->u.cr.access = what >> 1 & 1 ? CR_WRITE : CR_READ;
    vcpu->regs.gpr[GPR_RAX] = what >> 2;
}

/* The processor's own state, and what lies outside the guest. */
static void surroundings(struct vcpu *vcpu, struct exit_record *exit)
{
    static uint8_t typed[] = "typed by a person\r";
    uint8_t what = take8(&in);

    exit->kind = EXIT_INTERRUPT;
    vcpu->regs.rflags = what & 1 ? vcpu->regs.rflags | RFLAGS_IF : vcpu->regs.rflags & ~RFLAGS_IF;
    fake_vcpu(vcpu)->irq_answer = what & 2 ? INJECT_WINDOW : INJECT_TAKEN;
    fake_vcpu(vcpu)->not_ready = what & 4;
    fake_host.console_full = what & 8;
    if (what & 16) {
        fake_host.input = typed;
        fake_host.input_length = sizeof(typed);
    }
    fake_host.earliest = what & 32 ? fake_host.now + some_time() : RT_NEVER;
    if (what & 64)
        (void)vcpu_raise_nmi(vcpu);
}

static void act(struct vcpu *vcpu, struct exit_record *exit)
{
    switch (take8(&in) % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        port_write(vcpu, exit);
        break;
    case 5:
        string_access(vcpu, exit);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        memory_access(vcpu, exit);
        break;
    case 10:
        msr_access(exit);
        break;
    case 11:
        cr_access_exit(vcpu, exit);
        break;
    case 12:
        surroundings(vcpu, exit);
        break;
    case 13:
        wide_access(vcpu);
        break;
    default:
        plain(vcpu, exit);
        break;
    }
}

/* One entry: the guest is out at the deadline, some latency later at the most; before it, it does something.
 */
static void enter(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    uint64_t until = fake_host.now + some_time();

    fake_vcpu(vcpu)->nirqs = 0;
    sound();
    if (in.left == 0) {
        vm_end_killed(vm);
    } else if (until >= deadline) {
        fake_host.now = (deadline > fake_host.now ? deadline : fake_host.now) + take8(&in);
    } else {
        fake_host.now = until;
        act(vcpu, exit);
    }
}

/* ---- what the hypervisor does with it ---- */

static void wait_or_wake(struct vcpu *vcpu)
{
    rt_t deadline = vtime_deadline(&vm->time);
    uint64_t until = fake_host.now + some_time();

    fake_host.now = deadline > fake_host.now && deadline < until ? deadline : until;
    (void)vcpu_poll(vcpu, fake_host.now);
    sound();
}

static void one_turn(void)
{
    struct vcpu *vcpu = vm->vcpus[take8(&in) % vm->nvcpus];
    uint64_t until = fake_host.now + some_time();
    enum run_stop stop;

    vm_lock(vm);
    stop = vcpu_run(vcpu, until);
    vm_unlock(vm);
    sound();
    /* Another VM has the processor for a while, or none does. */
    if (vm->nvcpus > 1 || (stop == RUN_PREEMPTED && take8(&in) % 2)) {
        vcpu_put(vcpu, NULL);
        sound();
        fake_host.now += some_time();
    }
    if (stop == RUN_RESET && !vm_restart(vm))
        return;
    if (stop == RUN_HALTED)
        wait_or_wake(vcpu);
}

static struct vm_config settings(void)
{
    struct vm_config c = fake_vm_config();
    uint8_t what = take8(&in);

    c.mem = VM_MEM_MIN;
    c.cpus = 1 + (what & 1);
    c.no_hpet = what & 2;
    c.pvclock = !(what & 4);
    c.tsc_deadline = !(what & 8);
    c.time.fixed = what & 16;
    c.time.gap_jump = what & 32;
    c.time.strict = what & 64;
    c.time.naive = (what & 0xc0) == 0xc0;
    what = take8(&in);
    c.time.hyst = what % 3;
    c.time.rate_p = 1 + what / 3 % 8;
    c.time.maxrate = what / 24 ? 1 + what / 24 : 0;
    c.time.leap_ns = take8(&in) % 2 ? LEAP_OFF : some_time();
    c.time.progress_ns = take(&in, 2);
    c.time.k1_ns = take(&in, 2);
    c.time.k2_ns = take(&in, 2);
    for (unsigned int i = 0; i < MISSED_TIMERS; i++)
        c.time.missed[i] = (enum vt_missed)(take8(&in) % VT_MISSED_POLICIES);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm machine;
    static _Alignas(VM_MEM_MIN) uint8_t ram[VM_MEM_MIN];

    in = (struct bytes){data, size};
    vm = &machine;
    seen = 0;
    fake_host_reset();
    fake_hv_reset();
    fake_host.lent = ram;
    fake_host.lent_size = sizeof(ram);
    struct vm_config c = settings();
    if (!vm_create(vm, &fake_hv_ops, &c, 0)) {
        CHECK(strlen(vm->end_reason) > 0, "no reason");
        return 0;
    }
    fake_vm_flat32(vm);
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        fake_vcpu(vm->vcpus[i])->on_run = enter;
    while (in.left > 0 && vm->state == VM_RUNNING)
        one_turn();
    vm_destroy(vm);
    CHECK(fake_host.pages == 0, "%zu pages are not given back", fake_host.pages);
    return 0;
}
