#include "vmm/vm.h"

#include <stdarg.h>

#include "timers/muldiv.h"
#include "vmm/cpuid.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/load.h"
#include "vmm/msr.h"
#include "vmm/string.h"
#include "vmm/trace.h"

#define LARGE_PAGE    (2ull << 20)
#define NS_PER_SECOND 1000000000ull
#define LAG_STEPS     100u /* intervals of stats=lag in a second, at first */

/* NOLINTNEXTLINE(misc-redundant-expression): two headers say it, and are to agree */
_Static_assert(VM_MEM_MIN == RAM_LOW_LEAST && VM_MEM_MAX == RAM_MOST, "mem= is what can be divided");

const struct hv_ops *hv;

/* ---- RAM ---- */

void *vm_ram(struct vm *vm, uint64_t gpa, uint64_t length)
{
    uint64_t offset = ram_offset(&vm->ram, gpa, length);

    return offset == RAM_NOWHERE ? NULL : vm->ram.base + offset;
}

static uint64_t ram_bytes(const struct vm *vm)
{
    return vm->ram.low + vm->ram.high;
}

/* What a read of a hole sees: no device answers. */
static void fill_holes(struct vm *vm)
{
    for (unsigned int i = 0; i < RAM_PIECES; i++) {
        struct ram_piece piece = ram_piece(&vm->ram, i);

        if (piece.hole)
            memset(vm->ram.base + piece.offset, 0xff, (size_t)piece.length);
    }
}

static bool ram_alloc(struct vm *vm)
{
    ram_divide(&vm->ram, vm->config.mem);
    vm->ram.base = host_alloc_pages((size_t)(ram_bytes(vm) / RAM_PAGE), LARGE_PAGE);
    if (!vm->ram.base)
        return false;
    fill_holes(vm);
    return true;
}

static bool ram_map(struct vm *vm)
{
    for (unsigned int i = 0; i < RAM_PIECES; i++) {
        struct ram_piece piece = ram_piece(&vm->ram, i);
        unsigned int rights = piece.hole ? NPT_READ : NPT_READ | NPT_WRITE | NPT_EXEC;

        if (piece.length > 0 &&
            !hv->map(vm, piece.gpa, host_phys(vm->ram.base) + piece.offset, piece.length, rights))
            return false;
    }
    return true;
}

/* ---- the end ---- */

uint64_t vm_exits(const struct vm *vm, enum exit_kind kind)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < vm->nvcpus; i++)
        n += vm->vcpus[i]->exits[kind];
    return n;
}

/* stats=exits: how often each kind came. */
static void report_exits(const struct vm *vm)
{
    for (unsigned int kind = 0; kind < EXIT_KINDS; kind++) {
        uint64_t n = vm_exits(vm, (enum exit_kind)kind);

        if (n > 0)
            host_log("vm %s: exits %s %llu", vm->config.name, exit_kind_name((enum exit_kind)kind),
                     (unsigned long long)n);
    }
}

static bool end(struct vm *vm, enum vm_end how)
{
    if (vm->state == VM_ENDED)
        return false;
    vm->state = VM_ENDED;
    vm->end = how;
    if (vm->config.count_exits)
        report_exits(vm);
    return true;
}

void vm_end_exit(struct vm *vm, uint32_t code)
{
    if (end(vm, VM_END_EXIT))
        vm->exit_code = code;
}

void vm_end_poweroff(struct vm *vm)
{
    end(vm, VM_END_POWEROFF);
}

void vm_end_reset(struct vm *vm)
{
    end(vm, VM_END_RESET);
}

void vm_end_killed(struct vm *vm)
{
    end(vm, VM_END_KILLED);
}

void vm_end_crash(struct vm *vm, const char *fmt, ...)
{
    va_list args;

    if (!end(vm, VM_END_CRASH))
        return;
    va_start(args, fmt);
    host_vsnprintf(vm->end_reason, sizeof(vm->end_reason), fmt, args);
    va_end(args);
}

void vm_end_refused(struct vm *vm, const char *fmt, ...)
{
    va_list args;

    if (!end(vm, VM_END_REFUSED))
        return;
    va_start(args, fmt);
    host_vsnprintf(vm->end_reason, sizeof(vm->end_reason), fmt, args);
    va_end(args);
}

void vm_request_reset(struct vm *vm)
{
    if (vm->config.on_reset == ON_RESET_END)
        vm_end_reset(vm);
    else
        vm->reset_requested = true;
}

/* ---- time ---- */

static uint64_t ticks(uint64_t ns)
{
    return vt_mul_div(ns, host_hz(), NS_PER_SECOND);
}

/* The configuration's words over the defaults. k1= and k2= of zero are settings like any other:
 * the parser fills in the defaults of those that were not given. */
static struct vtime_policy policy_of(const struct vtime_settings *s)
{
    struct vtime_policy p = vtime_policy_defaults(host_hz());

    if (s->fixed) {
        p.rate = VT_RATE_FIXED;
        p.c = (struct vt_ratio){s->rate_p, s->rate_q};
    }
    if (s->maxrate)
        p.maxrate = (struct vt_ratio){s->maxrate, 1};
    p.k1 = ticks(s->k1_ns);
    p.k2 = ticks(s->k2_ns);
    p.leap = s->leap_ns == LEAP_OFF ? VT_NO_LEAP : ticks(s->leap_ns);
    p.progress = ticks(s->progress_ns);
    p.gap = s->gap_jump ? VT_GAP_JUMP : VT_GAP_SMOOTH;
    p.naive = s->naive;
    p.hyst = s->hyst == 1 ? VT_HYST_RTC : s->hyst == 2 ? VT_HYST_ARTP : VT_HYST_5C;
    return p;
}

bool vm_set_time(struct vm *vm, const struct vtime_settings *settings)
{
    struct vtime_policy policy = policy_of(settings);

    policy.round = vm->time.policy.round;
    if (settings->maxrate == 0)
        policy.maxrate = vm->time.policy.maxrate;
    if (!vtime_policy_valid(&policy))
        return false;
    vm->config.time = *settings;
    vtime_set_policy(&vm->time, &policy);
    return true;
}

/* ---- construction; each step says what it lacked ---- */

/* RAM is one piece of the host's memory. */
static void refuse_memory(struct vm *vm)
{
    uint64_t largest, free = host_free_bytes(LARGE_PAGE, &largest);
    unsigned long long wanted = vm->config.mem >> 20;

    if (free < ram_bytes(vm))
        vm_end_refused(vm, "mem=%lluM: more memory than there is: %lluM are free", wanted,
                       (unsigned long long)free >> 20);
    else
        vm_end_refused(vm, "mem=%lluM: %lluM of memory are free, but at most %lluM in one piece", wanted,
                       (unsigned long long)free >> 20, (unsigned long long)largest >> 20);
}

static bool build_memory(struct vm *vm)
{
    if (!ram_alloc(vm)) {
        refuse_memory(vm);
        return false;
    }
    if (!hv->vm_init(vm)) {
        vm_end_refused(vm, "no memory left for its page tables");
        return false;
    }
    if (!ram_map(vm)) {
        vm_end_refused(vm, "mem=%lluM: no memory left for its page tables",
                       (unsigned long long)(vm->config.mem >> 20));
        return false;
    }
    msr_pass_through(vm);
    return true;
}

/* The VM's time is stopped until its first entry (vmm/run.c): the loading of this and other VMs' images is
 * not lag. */
static bool build_time(struct vm *vm)
{
    struct vtime_policy policy = policy_of(&vm->config.time);

    if (!vtime_policy_valid(&policy)) {
        vm_end_refused(vm, "its time settings (catchup= maxrate= k1= k2= leap= progress=) are out of range");
        return false;
    }
    vtime_init(&vm->time, &policy, host_hz(), host_now());
    if (!vm->config.time.strict)
        vtime_set_scaling(&vm->time, hv->tsc_scaling());
    lag_start(&vm->lag, host_hz() / LAG_STEPS + 1);
    trace_vm_time(vm);
    vtime_pause(&vm->time);
    return true;
}

/* missed=: not each machine has each of the timers. */
static void set_missed(struct vm *vm)
{
    for (unsigned int i = 0; i < MISSED_TIMERS; i++)
        (void)vtime_missed(&vm->time, missed_timers[i], vm->config.time.missed[i]);
}

static bool build_vcpus(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->config.cpus; i++) {
        vm->vcpus[i] = vcpu_create(vm, i);
        if (!vm->vcpus[i]) {
            vm_end_refused(vm, "cpus=%u: no memory left for them", vm->config.cpus);
            return false;
        }
        vm->nvcpus++;
    }
    return true;
}

static bool start_images(struct vm *vm)
{
    char why[VM_REASON_MAX];

    for (unsigned int i = 0; i < vm->nvcpus; i++)
        vcpu_reset(vm->vcpus[i]);
    if (load_images(vm, why, sizeof(why)))
        return true;
    vm_end_refused(vm, "%s", why);
    return false;
}

static bool check_config(struct vm *vm)
{
    const struct vm_config *c = &vm->config;

    if (c->refused)
        vm_end_refused(vm, "%s", c->reason);
    else if (c->mem < VM_MEM_MIN || c->mem > VM_MEM_MAX)
        vm_end_refused(vm, "mem=%lluM: not between %lluM and %lluM", (unsigned long long)(c->mem >> 20),
                       VM_MEM_MIN >> 20, VM_MEM_MAX >> 20);
    else if (c->cpus < 1 || c->cpus > VM_MAX_VCPUS)
        vm_end_refused(vm, "cpus=%u: not between 1 and %u", c->cpus, VM_MAX_VCPUS);
    return vm->state != VM_ENDED;
}

static bool build(struct vm *vm)
{
    if (!check_config(vm) || !build_memory(vm) || !build_time(vm) || !build_vcpus(vm))
        return false;
    platform_init(vm);
    set_missed(vm);
    return start_images(vm);
}

bool vm_create(struct vm *vm, const struct hv_ops *ops, const struct vm_config *config, unsigned int index)
{
    memset(vm, 0, sizeof(*vm));
    vm->config = *config;
    vm->index = index;
    vm->phys_bits = cpuid_phys_bits();
    bus_init(&vm->bus);
    hv = ops;
    if (!build(vm)) {
        vm_destroy(vm);
        return false;
    }
    vm->state = VM_RUNNING;
    return true;
}

void vm_destroy(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        vcpu_destroy(vm->vcpus[i]);
        vm->vcpus[i] = NULL;
    }
    vm->nvcpus = 0;
    if (vm->arch)
        hv->vm_destroy(vm);
    vm->arch = NULL;
    if (vm->ram.base)
        host_free_pages(vm->ram.base, (size_t)(ram_bytes(vm) / RAM_PAGE));
    vm->ram = (struct guest_ram){0};
}

bool vm_clear(struct vm *vm, uint64_t bytes)
{
    uint64_t left = ram_bytes(vm) - vm->cleared;
    uint64_t n = bytes < left ? bytes : left;

    memset(vm->ram.base + vm->cleared, 0, (size_t)n);
    vm->cleared += n;
    return n == left;
}

bool vm_restart(struct vm *vm)
{
    at_t at = vtime_now(&vm->time);

    vm->reset_requested = false;
    vm->restarts++;
    (void)vm_clear(vm, UINT64_MAX);
    vm->cleared = 0;
    fill_holes(vm);
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        tsc_reset(&vm->vcpus[i]->tsc, at);
        if (i > 0)
            vtime_vcpu_off(&vm->time, i);
    }
    platform_reset(vm);
    if (!start_images(vm))
        return false;
    vtime_vcpu_wake(&vm->time, 0);
    host_kick(vm->vcpus[0]);
    return true;
}
