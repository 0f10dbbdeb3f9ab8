/* The virtual PC as a whole: the port map, and the ways of an interrupt (DESIGN.md section 4, "Guests";
 * timers/line.h for what a line answers; SDM vol. 3, 10.1 and 10.5.1 for LINT0). */
#include "tests/unit/support/pc_rig.h"
#include "tests/unit/support/timer_rig.h"
#include "vmm/platform_irq.h"

#define MS (PC_HZ / 1000u)

static struct pc pc;

static int setup(void **state)
{
    (void)state;
    pc_init(&pc, 1);
    return 0;
}

static int setup_smp(void **state)
{
    (void)state;
    pc_init(&pc, PC_VCPUS);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        pc_enable_lapic(&pc, i);
    return 0;
}

static void pic_setup(unsigned int mask_master, unsigned int mask_slave)
{
    static const uint8_t icw[4] = {0x11, 0x30, 0x04, 0x01};
    for (unsigned int i = 0; i < 4; i++) {
        pc_outb(&pc, i ? 0x21 : 0x20, icw[i]);
        pc_outb(&pc, i ? 0xa1 : 0xa0, i == 1 ? 0x38 : i == 2 ? 2 : icw[i]);
    }
    pc_outb(&pc, 0x21, mask_master);
    pc_outb(&pc, 0xa1, mask_slave);
}

/* Channel 0, mode 2, 1 kHz or so. */
static void pit_setup(unsigned int count)
{
    pc_outb(&pc, 0x43, 0x34);
    pc_outb(&pc, 0x40, count & 0xff);
    pc_outb(&pc, 0x40, count >> 8);
}

static bool raise(unsigned int irq)
{
    struct vt_line l = platform_line(&pc.vm, irq);
    return l.ops->raise(l.ctx, l.line);
}

static void lower(unsigned int irq)
{
    struct vt_line l = platform_line(&pc.vm, irq);
    l.ops->lower(l.ctx, l.line);
}

static bool waiting(unsigned int irq)
{
    struct vt_line l = platform_line(&pc.vm, irq);
    return l.ops->waiting(l.ctx, l.line);
}

static bool masked(unsigned int irq)
{
    struct vt_line l = platform_line(&pc.vm, irq);
    return l.ops->masked(l.ctx, l.line);
}

/* ---- ports ---- */

static void unclaimed_ports(void **state)
{
    (void)state;
    static const uint16_t ports[] = {0x00,  0x2f,  0x44,  0x60,  0x64,      0x80,  0xed,  0x2e9,
                                     0x2f9, 0x3e9, 0x3f7, 0x400, 0x600 + 6, 0xcfc, 0xffff};
    for (unsigned int i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        pc_outb(&pc, ports[i], 0);
        assert_int_equal(pc_inb(&pc, ports[i]), 0xff);
    }
    assert_int_equal(pc.vm.state, VM_RUNNING);
}

/* Both of Linux's probes for PCI configuration access (arch/x86/pci/direct.c) find nothing, and reset
 * nothing. */
static void no_pci(void **state)
{
    (void)state;
    pc_outb(&pc, 0xcfb, 0x01);
    pc_out(&pc, 0xcf8, 4, 0x80000000u);
    assert_int_equal(pc_in(&pc, 0xcf8, 4), 0xffffffff);
    pc_outb(&pc, 0xcfb, 0x00);
    pc_outb(&pc, 0xcf8, 0x00);
    pc_outb(&pc, 0xcfa, 0x00);
    assert_int_equal(pc_inb(&pc, 0xcf8), 0xff);
    assert_int_equal(pc_inb(&pc, 0xcfa), 0xff);
    pc_out(&pc, 0xcf8, 4, 0x80000600u); /* byte 1 is no write of CF9h */
    assert_int_equal(pc_in(&pc, 0xcfc, 4), 0xffffffff);
    assert_false(pc.vm.reset_requested);
}

static void exit_port(void **state)
{
    (void)state;
    pc_out(&pc, 0xf4, 4, 0x12345678);
    assert_int_equal(pc.vm.state, VM_ENDED);
    assert_int_equal(pc.vm.end, VM_END_EXIT);
    assert_int_equal(pc.vm.exit_code, 0x12345678);
    pc_init(&pc, 1);
    pc_outb(&pc, 0xf4, 0);
    assert_int_equal(pc.vm.end, VM_END_EXIT);
    assert_int_equal(pc.vm.exit_code, 0);
    assert_int_equal(pc_inb(&pc, 0xf4), 0xff);
}

static void reset_by_keyboard_controller(void **state)
{
    (void)state;
    assert_int_equal(pc_inb(&pc, 0x64), 0xff);
    pc_outb(&pc, 0x64, 0x20);
    assert_false(pc.vm.reset_requested);
    pc_outb(&pc, 0x64, 0xfe);
    assert_true(pc.vm.reset_requested);
}

static void reset_by_port_92(void **state)
{
    (void)state;
    assert_int_equal(pc_inb(&pc, 0x92), 0x02); /* A20 is on */
    pc_outb(&pc, 0x92, 0x00);
    assert_int_equal(pc_inb(&pc, 0x92), 0x00);
    pc_outb(&pc, 0x92, 0x02);
    assert_false(pc.vm.reset_requested);
    pc_outb(&pc, 0x92, 0x03);
    assert_true(pc.vm.reset_requested);
}

static void reset_by_cf9(void **state)
{
    (void)state;
    pc_outb(&pc, ACPI_RESET_PORT, 0x02);
    assert_int_equal(pc_inb(&pc, 0xcf9), 0x02);
    assert_false(pc.vm.reset_requested);
    pc_outb(&pc, ACPI_RESET_PORT, ACPI_RESET_VALUE);
    assert_true(pc.vm.reset_requested);
    pc_init(&pc, 1);
    pc.vm.config.on_reset = ON_RESET_END;
    pc_outb(&pc, ACPI_RESET_PORT, ACPI_RESET_VALUE); /* at once, as the FADT says */
    assert_int_equal(pc.vm.end, VM_END_RESET);
}

static void crtc(void **state)
{
    (void)state;
    pc_out(&pc, 0x3d4, 2, 0x120e); /* index and data in one word */
    pc_out(&pc, 0x3d4, 2, 0x340f);
    pc_outb(&pc, 0x3d4, 0x0e);
    assert_int_equal(pc_inb(&pc, 0x3d5), 0x12);
    assert_int_equal(pc_inb(&pc, 0x3d4), 0x0e);
    pc_outb(&pc, 0x3b4, 0x0f);
    assert_int_equal(pc_inb(&pc, 0x3b5), 0x34);
    pc_out(&pc, 0x3d4, 2, 0x99ff);
    assert_int_equal(pc_inb(&pc, 0x3d5), 0x99);
    /* Whoever waits for the retrace to begin or to end gets on. */
    unsigned int a = pc_inb(&pc, 0x3da), b = pc_inb(&pc, 0x3da);
    assert_int_equal((a ^ b) & 0x09, 0x09);
}

static void cmos_tells_memory_and_date(void **state)
{
    (void)state;
    pc_outb(&pc, 0x70, 0x35); /* above 16 MiB, in 64 KiB: 48 MiB */
    unsigned int high = pc_inb(&pc, 0x71);
    pc_outb(&pc, 0x70, 0x34);
    assert_int_equal(high << 8 | pc_inb(&pc, 0x71), 48 * 16);
    pc_outb(&pc, 0x70, RTC_YEAR);
    assert_int_equal(pc_inb(&pc, 0x71), 0x01); /* 2001-09-09 */
    pc_outb(&pc, 0x70, RTC_MONTH);
    assert_int_equal(pc_inb(&pc, 0x71), 0x09);
}

static void pit_port_61(void **state)
{
    (void)state;
    /* Channel 2 mode 0, as pit_calibrate_tsc() uses it: OUT in bit 5. */
    pc_outb(&pc, 0x61, (pc_inb(&pc, 0x61) & ~0x02u) | 0x01);
    pc_outb(&pc, 0x43, 0xb0);
    pc_outb(&pc, 0x42, 0x9c);
    pc_outb(&pc, 0x42, 0x2e);
    assert_int_equal(pc_inb(&pc, 0x61) & 0x20, 0);
    pc_to(&pc, 9 * MS);
    assert_int_equal(pc_inb(&pc, 0x61) & 0x20, 0);
    pc_to(&pc, 11 * MS);
    assert_int_equal(pc_inb(&pc, 0x61) & 0x20, 0x20);
}

/* ---- the PIC's way ---- */

/* Before any set-up the LAPIC is disabled by software and INTR goes straight to the processor. */
static void pic_mode(void **state)
{
    (void)state;
    bool from_pic;
    assert_int_equal(pc_inb(&pc, 0x21), 0xfb); /* as firmware leaves it: nothing can come */
    assert_int_equal(pc_inb(&pc, 0xa1), 0xff);
    assert_int_equal(pc_inb(&pc, 0x4d1), 0x02); /* the SCI is level-triggered */
    pc_to(&pc, 200 * MS);
    assert_int_equal(pc_take(&pc, 0), -1);

    pic_setup(0xfe, 0xff);
    pit_setup(1193);
    pc_to(&pc, 202 * MS);
    assert_int_equal(platform_pending(&pc.vcpus[0], &from_pic), 0x30);
    assert_true(from_pic);
    assert_int_equal(pc_take(&pc, 0), 0x30);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_outb(&pc, 0x20, 0x20);
    for (unsigned int i = 0; i < 100; i++) {
        pc_to(&pc, (203 + i) * MS);
        assert_int_equal(pc_take(&pc, 0), 0x30);
        pc_outb(&pc, 0x20, 0x20);
    }
}

/* An interrupt that goes between look and acknowledge is the PIC's spurious one. */
static void pic_spurious(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_outb(&pc, 0x4d0, 0x20);
    raise(5);
    bool from_pic;
    assert_int_equal(platform_pending(&pc.vcpus[0], &from_pic), 0x35);
    lower(5);
    assert_int_equal(platform_acknowledge(&pc.vcpus[0], from_pic), 0x37);
}

/* 10.5.1 and 10.4.7.2: LINT0 decides once the LAPIC is on. */
static void virtual_wire(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_enable_lapic(&pc, 0); /* LINT0 is masked after reset */
    raise(3);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x700);
    assert_int_equal(pc_take(&pc, 0), 0x33);
    pc_outb(&pc, 0x20, 0x20);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x10700);
    lower(3);
    raise(3);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_lapic_write(&pc, 0, LAPIC_SVR, 0xff);
    assert_int_equal(pc_take(&pc, 0), 0x33);
    pc_outb(&pc, 0x20, 0x20);
    assert_true(platform_write_apic_base(&pc.vcpus[0], PC_LAPIC | APIC_BASE_BSP));
    lower(3);
    raise(3);
    assert_int_equal(pc_take(&pc, 0), 0x33);
}

/* The TPR holds back the LAPIC's own, not the ExtINT; of both the LAPIC's goes first. */
static void lapic_before_pic(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_enable_lapic(&pc, 0);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x700);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x40000 | 0x51);
    raise(4);
    pc_lapic_write(&pc, 0, LAPIC_TPR, 0xf0);
    assert_int_equal(pc_take(&pc, 0), 0x34);
    raise(1);
    pc_lapic_write(&pc, 0, LAPIC_TPR, 0);
    assert_int_equal(pc_take(&pc, 0), 0x51);
    assert_int_equal(pc_take(&pc, 0), 0x31);
}

/* LINT0 in fixed mode: each rise of the PIC's INT is an edge (Linux's "timer as Virtual Wire IRQ"). */
static void lint0_fixed(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_enable_lapic(&pc, 0);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x3f);
    assert_true(raise(0));
    assert_int_equal(pc_take(&pc, 0), 0x3f);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_take(&pc, 0), -1); /* INT stays up: nobody sends an INTA */
    pc_outb(&pc, 0x20, 0x0c);              /* a poll is one */
    assert_int_equal(pc_inb(&pc, 0x20), 0x80);
    pc_outb(&pc, 0x20, 0x20);
    raise(0);
    assert_int_equal(pc_take(&pc, 0), 0x3f);
}

/* LINT0 as NMI: the old watchdog. */
static void lint0_nmi(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_enable_lapic(&pc, 0);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x400);
    raise(0);
    assert_true(pc.vcpus[0].nmi_pending);
}

/* IOAPIC input 0 has the PIC's INT: ExtINT through the IOAPIC. */
static void extint_through_ioapic(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_enable_lapic(&pc, 0);
    raise(0);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_route(&pc, 0, 0, 0x700);
    assert_int_equal(pc_take(&pc, 0), 0x30);
    pc_outb(&pc, 0x20, 0x20);
    assert_true(raise(0));
    assert_true(waiting(0));
    pc_route(&pc, 0, 0, 0x10700);
    assert_false(waiting(0));
    assert_int_equal(pc_take(&pc, 0), -1);
    /* For another processor it is not ours. */
    pc_route(&pc, 0, 3, 0x700);
    assert_int_equal(pc_take(&pc, 0), -1);
}

/* ---- the IOAPIC's way ---- */

/* Linux 6.1, check_timer(): PIC masked with automatic EOI, LINT0 ExtINT masked, the PIT at IOAPIC input 2 by
 * the MADT's override; then timer_irq_works() wants more than 4 ticks within 40 ms. */
static void linux_check_timer(void **state)
{
    (void)state;
    unsigned int ticks = 0;
    pic_setup(0xff, 0xff);
    pc_enable_lapic(&pc, 0);
    pc_lapic_write(&pc, 0, LAPIC_LDR, 0x01000000);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x10700);
    assert_int_equal(pc_ioapic_read(&pc, 1), 0x00170011);
    for (unsigned int i = 0; i < IOAPIC_INPUTS; i++)
        assert_int_equal(pc_ioapic_read(&pc, (uint8_t)(0x10 + 2 * i)), 0x10000);
    pc_route(&pc, GSI_PIT, 0x01, 0x10800 | 0x30); /* logical, fixed, masked */
    pit_setup(4772);                              /* 250 Hz */
    pc_to(&pc, 20 * MS);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_route(&pc, GSI_PIT, 0x01, 0x00800 | 0x30);
    for (unsigned int ms = 20; ms < 60; ms++) {
        pc_to(&pc, ms * MS);
        if (pc_take(&pc, 0) == 0x30) {
            ticks++;
            pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
        }
    }
    assert_int_equal(ticks, 10);
    /* Input 0 has no timer. */
    pc_route(&pc, GSI_PIT, 0, 0x10000);
    pc_route(&pc, 0, 0, 0x31);
    pc_to(&pc, 100 * MS);
    assert_int_equal(pc_take(&pc, 0), -1);
}

static void isa_lines_reach_both(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pic_setup(0, 0);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x700);
    for (unsigned int irq = 0; irq < 16; irq++) {
        unsigned int gsi = irq == 0 ? 2 : irq;
        if (irq == PIC_CASCADE)
            continue;
        pc_route(&pc, gsi, 0, 0x60 + gsi);
        assert_true(raise(irq));
        lower(irq);
        assert_int_equal(pc_take(&pc, 0), 0x60 + gsi);
        pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
        assert_int_equal(pc_take(&pc, 0), 0x30 + irq);
        pc_outb(&pc, 0xa0, 0x20);
        pc_outb(&pc, 0x20, 0x20);
        assert_int_equal(pc_take(&pc, 0), -1);
    }
}

/* timers/line.h: what raise, waiting and masked say with every mixture of open and shut ways. */
static void line_answers(void **state)
{
    (void)state;
    enum { PIC = 1, LINT0 = 2, IOAPIC = 4, LAPIC = 8, ALL = 16 };
    for (unsigned int open = 0; open < ALL; open++) {
        pc_init(&pc, 1);
        pic_setup(open & PIC ? 0 : 0xff, 0xff);
        if (open & LAPIC)
            pc_enable_lapic(&pc, 0);
        pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, open & LINT0 ? 0x700 : 0x10700);
        pc_route(&pc, 4, 0, (open & IOAPIC ? 0 : 0x10000) | 0x41);
        bool by_pic = (open & PIC) && ((open & LINT0) || !(open & LAPIC));
        bool by_ioapic = (open & IOAPIC) && (open & LAPIC);

        assert_int_equal(masked(4), !by_pic && !by_ioapic);
        assert_false(waiting(4));
        assert_int_equal(raise(4), by_pic || by_ioapic);
        assert_int_equal(waiting(4), by_pic || by_ioapic);
        lower(4);
        assert_int_equal(waiting(4), by_pic || by_ioapic); /* a latched edge stays */
        assert_false(raise(4));                            /* merged, or masked */
        lower(4);
        while (pc_take(&pc, 0) >= 0)
            ;
        assert_false(waiting(4)); /* taken: only in service */
        /* New as any open way sees it: the PIC, still in service, latches; so does the LAPIC. */
        assert_int_equal(raise(4), by_pic || by_ioapic);
    }
}

/* A vector that has reached the LAPIC waits there even when the IOAPIC's entry is masked meanwhile. */
static void waiting_behind_a_mask(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 8, 0, 0x48);
    assert_true(raise(8));
    pc_route(&pc, 8, 0, 0x10048);
    assert_true(masked(8));
    assert_true(waiting(8));
    lower(8);
    assert_false(raise(8));
    assert_int_equal(pc_take(&pc, 0), 0x48);
    assert_false(waiting(8));
    /* The TPR delays but does not mask. */
    pc_route(&pc, 8, 0, 0x48);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    pc_lapic_write(&pc, 0, LAPIC_TPR, 0x90);
    raise(8);
    assert_true(waiting(8));
    assert_false(masked(8));
    assert_int_equal(pc_take(&pc, 0), -1);
}

static void nmi_through_ioapic(void **state)
{
    (void)state;
    pc_route(&pc, GSI_PIT, 0, 0x400);
    assert_false(masked(0)); /* a LAPIC disabled by software takes NMIs (10.4.7.2) */
    assert_true(raise(0));
    assert_true(pc.vcpus[0].nmi_pending);
    assert_true(waiting(0));
    assert_false(raise(0));
    pc.vcpus[0].nmi_pending = false;
    assert_false(waiting(0));
    platform_write_apic_base(&pc.vcpus[0], PC_LAPIC | APIC_BASE_BSP);
    assert_true(masked(0));
    assert_false(raise(0));
}

/* The EOI of a level-triggered interrupt comes back to the IOAPIC through the bus. */
static void level_round_trip(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, IRQ_SCI, 0, 0x8071);
    raise(IRQ_SCI);
    assert_int_equal(pc_take(&pc, 0), 0x71);
    assert_int_equal(pc_ioapic_read(&pc, 0x10 + 2 * IRQ_SCI), 0xc071);
    lower(IRQ_SCI);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    assert_int_equal(pc_ioapic_read(&pc, 0x10 + 2 * IRQ_SCI), 0x8071);
    assert_int_equal(pc_take(&pc, 0), -1);
}

static void rtc_tick(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, IRQ_RTC, 0, 0x48);
    pc_outb(&pc, 0x70, RTC_REG_B);
    pc_outb(&pc, 0x71, RTC_B_PIE | RTC_B_24H);
    pc_to(&pc, 2 * MS); /* 1024 Hz */
    assert_int_equal(pc_take(&pc, 0), 0x48);
    pc_outb(&pc, 0x70, RTC_REG_C);
    assert_int_equal(pc_inb(&pc, 0x71) & 0xc0, 0xc0);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    pc_to(&pc, 3 * MS);
    assert_int_equal(pc_take(&pc, 0), 0x48);
}

static void uart_line(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, IRQ_UART, 0, 0x44);
    pc_outb(&pc, 0x3fc, 0x08);
    pc_outb(&pc, 0x3f9, 0x02);
    assert_int_equal(pc_take(&pc, 0), 0x44);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    pc_inb(&pc, 0x3fa);
    fake_host.console_full = true;
    pc_outb(&pc, 0x3f8, '!');
    assert_int_equal(pc_take(&pc, 0), -1);
    fake_host.console_full = false;
    platform_poll(&pc.vm);
    assert_int_equal(pc_take(&pc, 0), 0x44);
    assert_string_equal(fake_host.console, "!");
}

/* ---- the local APICs' page ---- */

static void lapic_page_accesses(void **state)
{
    (void)state;
    pc_lapic_write(&pc, 0, LAPIC_TPR, 0x42);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR, 1), 0x42);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_VER + 2, 1), 0x05);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_VER, 8), LAPIC_VERSION);
    assert_int_equal(bus_mmio_read(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_VER + 4, 4), 0);
    bus_mmio_write(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR, 1, 0x11); /* too narrow */
    bus_mmio_write(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR + 4, 4, 0x11);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_TPR), 0x42);
    bus_mmio_write(&pc.vm.bus, pc.vcpus, PC_LAPIC + LAPIC_TPR, 8, 0x1100000033u);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_TPR), 0x33);
}

/* 10.4.4 */
static void apic_base_moves(void **state)
{
    (void)state;
    struct vcpu *v = pc.vcpus;
    assert_false(platform_write_apic_base(v, 1ull << 39 | 0x900)); /* beyond MAXPHYADDR */
    assert_false(platform_write_apic_base(v, PC_LAPIC | 0xd00));   /* x2APIC */
    assert_true(platform_write_apic_base(v, 0xd0000900u));
    assert_int_equal(bus_mmio_read(&pc.vm.bus, v, 0xd0000000u + LAPIC_VER, 4), LAPIC_VERSION);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_VER), 0xffffffff);
    assert_true(platform_write_apic_base(v, IOAPIC_BASE | 0x900)); /* over the IOAPIC: the LAPIC is nearer */
    assert_int_equal(bus_mmio_read(&pc.vm.bus, v, IOAPIC_BASE + LAPIC_VER, 4), LAPIC_VERSION);
    assert_true(platform_write_apic_base(v, PC_LAPIC | 0x100));
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_VER), 0xffffffff);
    assert_int_equal(pc_ioapic_read(&pc, 1), 0x00170011);
    assert_true(platform_write_apic_base(v, PC_LAPIC | 0x900));
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_SVR), 0xff);
    assert_true(platform_write_apic_base(v, 0xd0000900u));
    platform_reset(&pc.vm);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_VER), LAPIC_VERSION);
}

/* ---- between processors ---- */

static void ipis(void **state)
{
    (void)state;
    pc_lapic_write(&pc, 1, LAPIC_ICR_HIGH, 0x02000000);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x41);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 2 ? 0x41 : -1);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0xc0052); /* all others */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 1 ? -1 : 0x52);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x80063); /* all */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), 0x63);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x40074); /* self */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 1 ? 0x74 : -1);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        pc_lapic_write(&pc, i, LAPIC_LDR, 1u << (24 + i));
    pc_lapic_write(&pc, 1, LAPIC_ICR_HIGH, 0x0c000000);
    pc_lapic_write(&pc, 1, LAPIC_ICR_LOW, 0x885); /* logical */
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i >= 2 ? 0x85 : -1);
}

static void nmi_init_sipi(void **state)
{
    (void)state;
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0xc0400);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc.vcpus[i].nmi_pending, i != 0);
    pc_lapic_write(&pc, 0, LAPIC_ICR_HIGH, 0x03000000);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x4500);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x4699);
    for (unsigned int i = 0; i < PC_VCPUS; i++) {
        assert_int_equal(pc.vcpus[i].lapic.init_pending, i == 3);
        assert_int_equal(pc.vcpus[i].lapic.sipi_pending, i == 3);
    }
    assert_int_equal(pc.vcpus[3].lapic.sipi_vector, 0x99);
    pc_lapic_write(&pc, 0, LAPIC_ICR_LOW, 0x4200); /* SMI: nothing */
    assert_int_equal(pc_take(&pc, 3), -1);
}

/* 10.6.2.4 */
static void lowest_priority(void **state)
{
    (void)state;
    static const uint8_t tpr[PC_VCPUS] = {0x40, 0x30, 0x20, 0x20};
    for (unsigned int i = 0; i < PC_VCPUS; i++) {
        pc_lapic_write(&pc, i, LAPIC_LDR, 1u << (24 + i));
        pc_lapic_write(&pc, i, LAPIC_TPR, tpr[i]);
    }
    pc_route(&pc, 5, 0xff, 0x900 | 0x95);
    platform_irq_raise(&pc.vm, 5);
    for (unsigned int i = 0; i < PC_VCPUS; i++)
        assert_int_equal(pc_take(&pc, i), i == 2 ? 0x95 : -1);
    platform_irq_lower(&pc.vm, 5);
    platform_irq_raise(&pc.vm, 5); /* 2 has it in service now */
    assert_int_equal(pc_take(&pc, 3), 0x95);
    /* Not to a disabled one, whatever its priority. */
    pc_lapic_write(&pc, 2, LAPIC_EOI, 0);
    pc_lapic_write(&pc, 2, LAPIC_SVR, 0xff);
    pc_lapic_write(&pc, 2, LAPIC_TPR, 0);
    platform_irq_lower(&pc.vm, 5);
    platform_irq_raise(&pc.vm, 5);
    assert_int_equal(pc_take(&pc, 2), -1);
    assert_int_equal(pc_take(&pc, 1), 0x95);
}

/* The PIC serves the bootstrap processor unless another one's LINT0 asks. */
static void pic_and_processors(void **state)
{
    (void)state;
    pc_init(&pc, 2);
    pic_setup(0, 0);
    raise(1);
    assert_int_equal(pc_take(&pc, 1), -1);
    assert_int_equal(pc_take(&pc, 0), 0x31);
    pc_outb(&pc, 0x20, 0x20);
    pc_enable_lapic(&pc, 0);
    pc_enable_lapic(&pc, 1);
    pc_lapic_write(&pc, 1, LAPIC_LVT_LINT0, 0x700);
    lower(1);
    assert_true(raise(1));
    assert_int_equal(pc_take(&pc, 0), -1);
    assert_int_equal(pc_take(&pc, 1), 0x31);
}

/* ---- as a whole ---- */

static void reset_is_power_on(void **state)
{
    (void)state;
    pic_setup(0, 0);
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 9, 0, 0x41);
    pc_outb(&pc, 0x3fc, 0x08);
    pc_outb(&pc, 0x3f9, 0x02);
    pc_outb(&pc, 0xcf9, 0x02);
    pc_out(&pc, 0x3d4, 2, 0x120e);
    pit_setup(1193);
    pc_to(&pc, 10 * MS);
    platform_reset(&pc.vm);
    assert_int_equal(pc_take(&pc, 0), -1);
    assert_int_equal(pc_inb(&pc, 0x21), 0xfb);
    assert_int_equal(pc_inb(&pc, 0xcf9), 0);
    assert_int_equal(pc_inb(&pc, 0x3f9), 0);
    assert_int_equal(pc_inb(&pc, 0x3d4), 0);
    assert_int_equal(pc_lapic_read(&pc, 0, LAPIC_SVR), 0xff);
    assert_int_equal(pc_ioapic_read(&pc, 0x10 + 18), 0x10000);
    assert_int_equal(pc_ioapic_read(&pc, 0), 0x01000000); /* the id after the only vCPU's */
    assert_null(vtime_check(&pc.vm.time));
    /* And it works again. */
    pic_setup(0xfe, 0xff);
    pc_outb(&pc, 0x20, 0x0a);
    assert_int_equal(pc_inb(&pc, 0x20), 0);
    pit_setup(1193);
    pc_to(&pc, 12 * MS);
    assert_int_equal(pc_take(&pc, 0), 0x30);
}

/* A guest that does anything to anything, time running: no crash, and the time's invariants hold. */
static void random_guest(void **state)
{
    (void)state;
    uint64_t seed = 12345;
    at_t at = 0;
    pc_init(&pc, PC_VCPUS);
    for (unsigned int i = 0; i < 60000; i++) {
        uint32_t value = (uint32_t)rig_random(&seed);
        struct bus_range *r = &pc.vm.bus.ports[rig_below(&seed, pc.vm.bus.nports)];
        uint16_t port = (uint16_t)(r->base + rig_below(&seed, r->length + 2) - 1);
        unsigned int size = 1u << rig_below(&seed, 3), cpu = (unsigned int)rig_below(&seed, PC_VCPUS);
        struct vcpu *v = &pc.vcpus[cpu];
        uint32_t reg = (uint32_t)rig_below(&seed, 0x400);
        switch (rig_below(&seed, 8)) {
        case 0:
        case 1:
            bus_port_write(&pc.vm.bus, v, port, size, value);
            break;
        case 2:
            assert_true(bus_port_read(&pc.vm.bus, v, port, size) <=
                        (size == 4 ? 0xffffffffu : (1u << size * 8) - 1));
            break;
        case 3:
            pc_ioapic_write(&pc, (uint8_t)value & 0x3f, (uint32_t)rig_random(&seed));
            break;
        case 4:
            /* Counts of a few AT would be events without end. */
            reg &= ~0xfu;
            bus_mmio_write(&pc.vm.bus, v, PC_LAPIC + reg, 4,
                           reg == LAPIC_TIMER_ICR ? value | 0x10000 : value);
            break;
        case 5:
            bus_mmio_read(&pc.vm.bus, v, PC_LAPIC + reg, size);
            break;
        case 6:
            at += value & 0xffff;
            pc_to(&pc, at);
            break;
        default:
            platform_write_apic_base(v, PC_LAPIC | (value & 0x1f ? 0x800 : 0) | (value & 0x100));
            v->nmi_pending = false;
        }
        pc_take(&pc, cpu);
        assert_int_equal(pc.vm.platform.intr, pic_output(&pc.vm.platform.pic));
        assert_null(vtime_check(&pc.vm.time));
    }
}

#define TEST(f)     cmocka_unit_test_setup(f, setup)
#define TEST_SMP(f) cmocka_unit_test_setup(f, setup_smp)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unclaimed_ports),
        TEST(no_pci),
        TEST(exit_port),
        TEST(reset_by_keyboard_controller),
        TEST(reset_by_port_92),
        TEST(reset_by_cf9),
        TEST(crtc),
        TEST(cmos_tells_memory_and_date),
        TEST(pit_port_61),
        TEST(pic_mode),
        TEST(pic_spurious),
        TEST(virtual_wire),
        TEST(lapic_before_pic),
        TEST(lint0_fixed),
        TEST(lint0_nmi),
        TEST(extint_through_ioapic),
        TEST(linux_check_timer),
        TEST(isa_lines_reach_both),
        TEST(line_answers),
        TEST(waiting_behind_a_mask),
        TEST(nmi_through_ioapic),
        TEST(level_round_trip),
        TEST(rtc_tick),
        TEST(uart_line),
        TEST(lapic_page_accesses),
        TEST(apic_base_moves),
        TEST_SMP(ipis),
        TEST_SMP(nmi_init_sipi),
        TEST_SMP(lowest_priority),
        TEST(pic_and_processors),
        TEST(reset_is_power_on),
        TEST(random_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
