/* The ways of an interrupt through the virtual PC: PIC pair, IOAPIC, LINT0, and what a line answers
 * (timers/line.h; SDM vol. 3, 10.1 and 10.5.1). */
#include "tests/unit/support/pc_rig.h"
#include "vmm/platform_irq.h"

static struct pc pc;

static int setup(void **state)
{
    (void)state;
    pc_init(&pc, 1);
    return 0;
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

/* Before any set-up the LAPIC is disabled by software and INTR goes straight to the processor. */
static void pic_mode(void **state)
{
    (void)state;
    bool from_pic;
    assert_int_equal(pc_inb(&pc, 0x21), 0xfb); /* as firmware leaves it: nothing can come */
    assert_int_equal(pc_inb(&pc, 0xa1), 0xff);
    assert_int_equal(pc_inb(&pc, 0x4d1), 0x02); /* the SCI is level-triggered */
    pc_to(&pc, 200 * PC_MS);
    assert_int_equal(pc_take(&pc, 0), -1);

    pc_pic(&pc, 0xfe, 0xff);
    pc_pit(&pc, 1193);
    pc_to(&pc, 202 * PC_MS);
    assert_int_equal(platform_pending(&pc.vcpus[0], &from_pic), 0x30);
    assert_true(from_pic);
    assert_int_equal(pc_take(&pc, 0), 0x30);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_outb(&pc, 0x20, 0x20);
    for (unsigned int i = 0; i < 100; i++) {
        pc_to(&pc, (203 + i) * PC_MS);
        assert_int_equal(pc_take(&pc, 0), 0x30);
        pc_outb(&pc, 0x20, 0x20);
    }
}

/* An interrupt that goes between look and acknowledge is the PIC's spurious one. */
static void pic_spurious(void **state)
{
    (void)state;
    pc_pic(&pc, 0, 0);
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
    pc_pic(&pc, 0, 0);
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
    pc_pic(&pc, 0, 0);
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
    pc_pic(&pc, 0, 0);
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
    pc_pic(&pc, 0, 0);
    pc_enable_lapic(&pc, 0);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x400);
    raise(0);
    assert_true(pc.vcpus[0].nmis_pending);
}

/* IOAPIC input 0 has the PIC's INT: ExtINT through the IOAPIC. */
static void extint_through_ioapic(void **state)
{
    (void)state;
    pc_pic(&pc, 0, 0);
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

/* ... and in another mode that input is like any other: each rise of INT is an edge. */
static void intr_at_ioapic_as_fixed(void **state)
{
    (void)state;
    pc_pic(&pc, 0, 0);
    pc_enable_lapic(&pc, 0);
    pc_route(&pc, 0, 0, 0x58);
    assert_false(masked(3));
    assert_true(raise(3));
    assert_int_equal(pc_take(&pc, 0), 0x58);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    pc_outb(&pc, 0x20, 0x0c);
    assert_int_equal(pc_inb(&pc, 0x20), 0x83); /* INT falls: no interrupt of that */
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_outb(&pc, 0x20, 0x20);
    lower(3);
    raise(3);
    assert_int_equal(pc_take(&pc, 0), 0x58);
}

/* Linux 6.1, check_timer(): PIC masked with automatic EOI, LINT0 ExtINT masked, the PIT at IOAPIC input 2 by
 * the MADT's override; then timer_irq_works() wants more than 4 ticks within 40 ms. */
static void linux_check_timer(void **state)
{
    (void)state;
    unsigned int ticks = 0;
    pc_pic(&pc, 0xff, 0xff);
    pc_enable_lapic(&pc, 0);
    pc_lapic_write(&pc, 0, LAPIC_LDR, 0x01000000);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x10700);
    assert_int_equal(pc_ioapic_read(&pc, 1), 0x00170011);
    for (unsigned int i = 0; i < IOAPIC_INPUTS; i++)
        assert_int_equal(pc_ioapic_read(&pc, (uint8_t)(0x10 + 2 * i)), 0x10000);
    pc_route(&pc, GSI_PIT, 0x01, 0x10800 | 0x30); /* logical, fixed, masked */
    pc_pit(&pc, 4772);                            /* 250 Hz */
    pc_to(&pc, 20 * PC_MS);
    assert_int_equal(pc_take(&pc, 0), -1);
    pc_route(&pc, GSI_PIT, 0x01, 0x00800 | 0x30);
    for (unsigned int ms = 20; ms <= 60; ms++) {
        pc_to(&pc, ms * PC_MS);
        if (pc_take(&pc, 0) == 0x30) {
            ticks++;
            pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
        }
    }
    assert_int_equal(ticks, 10);
    /* Input 0 has no timer. */
    pc_route(&pc, GSI_PIT, 0, 0x10000);
    pc_route(&pc, 0, 0, 0x31);
    pc_to(&pc, 100 * PC_MS);
    assert_int_equal(pc_take(&pc, 0), -1);
}

static void isa_lines_reach_both(void **state)
{
    (void)state;
    pc_enable_lapic(&pc, 0);
    pc_pic(&pc, 0, 0);
    pc_lapic_write(&pc, 0, LAPIC_LVT_LINT0, 0x700);
    pc_outb(&pc, 0x4d1, 0); /* all edges */
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
        pc_pic(&pc, open & PIC ? 0 : 0xff, 0xff);
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
    assert_true(pc.vcpus[0].nmis_pending);
    assert_true(waiting(0));
    assert_true(raise(0)); /* one to be handled, one behind it (SDM vol. 3, 6.7.1) */
    assert_false(raise(0));
    assert_int_equal(pc.vcpus[0].nmis_pending, 2);
    pc.vcpus[0].nmis_pending = 0;
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
    pc_to(&pc, 2 * PC_MS); /* 1024 Hz */
    assert_int_equal(pc_take(&pc, 0), 0x48);
    pc_outb(&pc, 0x70, RTC_REG_C);
    assert_int_equal(pc_inb(&pc, 0x71) & 0xc0, 0xc0);
    pc_lapic_write(&pc, 0, LAPIC_EOI, 0);
    pc_to(&pc, 3 * PC_MS);
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

/* The PIC serves the bootstrap processor unless another one's LINT0 asks. */
static void pic_and_processors(void **state)
{
    (void)state;
    pc_init(&pc, 2);
    pc_pic(&pc, 0, 0);
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

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pic_mode),
        TEST(pic_spurious),
        TEST(virtual_wire),
        TEST(lapic_before_pic),
        TEST(lint0_fixed),
        TEST(lint0_nmi),
        TEST(extint_through_ioapic),
        TEST(intr_at_ioapic_as_fixed),
        TEST(linux_check_timer),
        TEST(isa_lines_reach_both),
        TEST(line_answers),
        TEST(waiting_behind_a_mask),
        TEST(nmi_through_ioapic),
        TEST(level_round_trip),
        TEST(rtc_tick),
        TEST(uart_line),
        TEST(pic_and_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
