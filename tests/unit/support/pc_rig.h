/* A virtual PC without a virtualization backend: one VM's devices on its bus, as the guest's instructions
 * reach them, with a time that never falls behind. For the tests of the platform and of its local APICs.
 * Header only. */
#ifndef TESTS_UNIT_SUPPORT_PC_RIG_H
#define TESTS_UNIT_SUPPORT_PC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define PC_HZ    1000000000u
#define PC_VCPUS 4u
#define PC_LAPIC 0xfee00000u
#define PC_MS    (PC_HZ / 1000u) /* AT in a millisecond */

struct pc {
    struct vm vm;
    struct vcpu vcpus[PC_VCPUS];
};

static inline void pc_init(struct pc *pc, unsigned int nvcpus)
{
    struct vtime_policy policy = vtime_policy_figure7();

    fake_host_reset();
    memset(pc, 0, sizeof(*pc));
    pc->vm.state = VM_RUNNING;
    pc->vm.phys_bits = 39;
    pc->vm.ram.low = 64u << 20;
    pc->vm.config.rtc_seconds = 1000000000u;
    vtime_init(&pc->vm.time, &policy, PC_HZ, 0);
    pc->vm.nvcpus = nvcpus;
    for (unsigned int i = 0; i < nvcpus; i++) {
        pc->vm.vcpus[i] = &pc->vcpus[i];
        pc->vcpus[i].vm = &pc->vm;
        pc->vcpus[i].id = i;
        tsc_init(&pc->vcpus[i].tsc, &pc->vm.time);
    }
    platform_init(&pc->vm);
    vtime_vcpu_run(&pc->vm.time, 0);
    vtime_advance(&pc->vm.time, 0);
}

/* The VM executes until AT `at`, the run loop's turn before it included. */
static inline void pc_to(struct pc *pc, at_t at)
{
    rt_t next;

    platform_poll(&pc->vm);
    while ((next = vtime_deadline(&pc->vm.time)) <= at)
        vtime_advance(&pc->vm.time, next);
    vtime_advance(&pc->vm.time, at);
}

static inline void pc_out(struct pc *pc, uint16_t port, unsigned int size, uint64_t value)
{
    bus_port_write(&pc->vm.bus, &pc->vcpus[0], port, size, value);
}

static inline uint64_t pc_in(struct pc *pc, uint16_t port, unsigned int size)
{
    return bus_port_read(&pc->vm.bus, &pc->vcpus[0], port, size);
}

static inline void pc_outb(struct pc *pc, uint16_t port, unsigned int value)
{
    pc_out(pc, port, 1, value);
}

static inline unsigned int pc_inb(struct pc *pc, uint16_t port)
{
    return (unsigned int)pc_in(pc, port, 1);
}

static inline void pc_lapic_write(struct pc *pc, unsigned int cpu, uint32_t reg, uint32_t value)
{
    bus_mmio_write(&pc->vm.bus, &pc->vcpus[cpu], PC_LAPIC + reg, 4, value);
}

static inline uint32_t pc_lapic_read(struct pc *pc, unsigned int cpu, uint32_t reg)
{
    return (uint32_t)bus_mmio_read(&pc->vm.bus, &pc->vcpus[cpu], PC_LAPIC + reg, 4);
}

static inline void pc_ioapic_write(struct pc *pc, uint8_t reg, uint32_t value)
{
    bus_mmio_write(&pc->vm.bus, &pc->vcpus[0], IOAPIC_BASE, 4, reg);
    bus_mmio_write(&pc->vm.bus, &pc->vcpus[0], IOAPIC_BASE + 0x10, 4, value);
}

static inline uint32_t pc_ioapic_read(struct pc *pc, uint8_t reg)
{
    bus_mmio_write(&pc->vm.bus, &pc->vcpus[0], IOAPIC_BASE, 4, reg);
    return (uint32_t)bus_mmio_read(&pc->vm.bus, &pc->vcpus[0], IOAPIC_BASE + 0x10, 4);
}

/* A redirection table entry: destination in bits 63:56, low word as it is. */
static inline void pc_route(struct pc *pc, unsigned int input, uint8_t dest, uint32_t low)
{
    pc_ioapic_write(pc, (uint8_t)(0x10 + 2 * input + 1), (uint32_t)dest << 24);
    pc_ioapic_write(pc, (uint8_t)(0x10 + 2 * input), low);
}

/* The vCPU takes what is pending: the vector, or -1. */
static inline int pc_take(struct pc *pc, unsigned int cpu)
{
    bool from_pic;
    int vector = platform_pending(&pc->vcpus[cpu], &from_pic);

    if (vector < 0)
        return -1;
    assert_int_equal(platform_acknowledge(&pc->vcpus[cpu], from_pic), vector);
    return vector;
}

static inline bool pc_waiting(struct pc *pc)
{
    bool from_pic;

    return platform_pending(&pc->vcpus[0], &from_pic) >= 0;
}

static inline void pc_enable_lapic(struct pc *pc, unsigned int cpu)
{
    pc_lapic_write(pc, cpu, LAPIC_SVR, 0x1ff);
}

/* The PIC pair as an operating system sets it up: vectors 30h and 38h. */
static inline void pc_pic(struct pc *pc, unsigned int mask_master, unsigned int mask_slave)
{
    static const uint8_t icw[4] = {0x11, 0x30, 0x04, 0x01};
    for (unsigned int i = 0; i < 4; i++) {
        pc_outb(pc, i ? 0x21 : 0x20, icw[i]);
        pc_outb(pc, i ? 0xa1 : 0xa0, i == 1 ? 0x38 : i == 2 ? 2 : icw[i]);
    }
    pc_outb(pc, 0x21, mask_master);
    pc_outb(pc, 0xa1, mask_slave);
}

/* Channel 0, mode 2, 1 kHz or so. */
static inline void pc_pit(struct pc *pc, unsigned int count)
{
    pc_outb(pc, 0x43, 0x34);
    pc_outb(pc, 0x40, count & 0xff);
    pc_outb(pc, 0x40, count >> 8);
}

#endif
