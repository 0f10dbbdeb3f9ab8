#include "vmm/pvclock.h"

#include "timers/muldiv.h"
#include "vmm/platform.h"
#include "vmm/string.h"
#include "vmm/vm.h"

#define NS_PER_SECOND 1000000000ull
#define ALIGNMENT     4u

/* The version, wherever the guest put it. */
typedef uint32_t version_word __attribute__((aligned(1), may_alias));

/* ---- the line ---- */

/* The quotient is brought into [1/2, 1), so that all 32 bits of the multiplier count. */
struct pvclock_scale pvclock_scale(uint64_t hz)
{
    uint64_t ns = NS_PER_SECOND, rem;
    struct pvclock_scale s = {.shift = 0};

    for (; ns >= hz; s.shift++)
        hz <<= 1;
    for (; ns <= (hz - 1) / 2; s.shift--)
        ns <<= 1;
    s.mul = (uint32_t)vt_div((vt_u128)ns << 32, hz, &rem);
    s.exact = rem == 0;
    return s;
}

static bool same_tsc_everywhere(const struct vm *vm)
{
    for (unsigned int i = 1; i < vm->nvcpus; i++)
        if (vm->vcpus[i]->tsc.offset != vm->vcpus[0]->tsc.offset)
            return false;
    return true;
}

/* ---- guest memory ---- */

/* The guest's other processors may read meanwhile: whoever finds an odd version, or another one afterwards,
 * reads again. Processors keep the order of stores (SDM vol. 3, 8.2.2), the compiler is told to. */
static void publish(void *to, const void *from, size_t size, uint32_t version)
{
    volatile version_word *word = to;

    *word = version - 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy((uint8_t *)to + sizeof(version), (const uint8_t *)from + sizeof(version), size - sizeof(version));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    *word = version;
}

/* msr.rst asks for a multiple of 4; a page's end may be within. */
static void *time_page(struct vcpu *vcpu)
{
    const uint64_t msr = vcpu->pvclock.msr, gpa = msr & ~PVCLOCK_ENABLE;

    if (!(msr & PVCLOCK_ENABLE) || gpa % ALIGNMENT)
        return NULL;
    return vm_ram(vcpu->vm, gpa, sizeof(struct pvclock_time));
}

static void write_line(struct vcpu *vcpu, at_t at, const struct pvclock_scale *scale, bool stable)
{
    void *page = time_page(vcpu);
    struct pvclock_time t = {
        .tsc_timestamp = tsc_at(&vcpu->tsc, at),
        .system_time = vt_mul_div(at, NS_PER_SECOND, vtime_hz(&vcpu->vm->time)),
        .mul = scale->mul,
        .shift = scale->shift,
        .flags = stable ? PVCLOCK_TSC_STABLE : 0,
    };

    if (!page)
        return;
    vcpu->pvclock.version += 2;
    publish(page, &t, sizeof(t), vcpu->pvclock.version);
}

static bool anybody_reads(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        if (time_page(vm->vcpus[i]))
            return true;
    return false;
}

/* All lines go through one point, so that processors agree to the nanosecond. */
void pvclock_rewrite(struct vm *vm)
{
    struct pvclock_scale scale;
    bool stable;
    at_t at;

    vm->pvclock.rewrite_at = RT_NEVER;
    if (!anybody_reads(vm))
        return;
    scale = pvclock_scale(vtime_hz(&vm->time));
    stable = same_tsc_everywhere(vm);
    at = vtime_now(&vm->time);
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        write_line(vm->vcpus[i], at, &scale, stable);
    if (!scale.exact)
        vm->pvclock.rewrite_at = vm->time.rt_c + vtime_hz(&vm->time);
}

void pvclock_poll(struct vm *vm)
{
    if (vm->time.rt_c >= vm->pvclock.rewrite_at)
        pvclock_rewrite(vm);
}

/* ---- registers ---- */

/* It is written once, at the guest's own word, so KVM takes any place in RAM: msr.rst asks for a multiple of
 * 4, but the structure is packed, and a compiler that puts it elsewhere has found nobody who minds. */
static void write_wall(struct vm *vm)
{
    const struct pvclock_wall wall = {.sec = (uint32_t)platform_rtc_base(vm)};
    void *to = vm_ram(vm, vm->pvclock.wall_msr, sizeof(wall));

    /* Zero is where nobody keeps it: KVM takes it for a switch-off. */
    if (to && vm->pvclock.wall_msr)
        publish(to, &wall, sizeof(wall), (*(const version_word *)to | 1) + 1);
}

bool pvclock_offered(const struct vm *vm)
{
    return vm->config.pvclock && platform_rtc_base(vm) <= UINT32_MAX;
}

void pvclock_stop(struct vcpu *vcpu)
{
    vcpu->pvclock.msr = 0;
}

void pvclock_reset(struct vcpu *vcpu)
{
    pvclock_stop(vcpu);
    vcpu->vm->pvclock.wall_msr = 0;
}

static bool is_wall(uint32_t index)
{
    return index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_WALL_CLOCK_OLD;
}

bool pvclock_msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    *value = is_wall(index) ? vcpu->vm->pvclock.wall_msr : vcpu->pvclock.msr;
    return pvclock_offered(vcpu->vm);
}

bool pvclock_msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    struct vm *vm = vcpu->vm;

    if (!pvclock_offered(vm))
        return false;
    if (is_wall(index)) {
        vm->pvclock.wall_msr = value;
        write_wall(vm);
    } else {
        vcpu->pvclock.msr = value;
        pvclock_rewrite(vm);
    }
    return true;
}
