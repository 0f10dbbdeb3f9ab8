/* The 8259A pair against its data sheet. Names in quotes are the sheet's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/pic.h"

static struct pic_pair pic;

static void out(uint16_t port, unsigned int value)
{
    switch (port & ~1u) {
    case 0x20:
        pic_master_write(&pic, NULL, port & 1, 1, value);
        break;
    case 0xa0:
        pic_slave_write(&pic, NULL, port & 1, 1, value);
        break;
    default:
        pic_elcr_write(&pic, NULL, port & 1, 1, value);
    }
}

static unsigned int in(uint16_t port)
{
    if ((port & ~1u) == 0x20)
        return (unsigned int)pic_master_read(&pic, NULL, port & 1, 1);
    if ((port & ~1u) == 0xa0)
        return (unsigned int)pic_slave_read(&pic, NULL, port & 1, 1);
    return (unsigned int)pic_elcr_read(&pic, NULL, port & 1, 1);
}

static void icws(unsigned int icw4_master, unsigned int icw4_slave)
{
    out(0x20, 0x11);
    out(0xa0, 0x11);
    out(0x21, 0x30);
    out(0xa1, 0x38);
    out(0x21, 4);
    out(0xa1, 2);
    out(0x21, icw4_master);
    out(0xa1, icw4_slave);
}

/* As an operating system does it: vectors 30h and 38h, nothing masked. */
static int setup(void **state)
{
    (void)state;
    pic_init(&pic);
    icws(1, 1);
    return 0;
}

static unsigned int isr(uint16_t port)
{
    out(port, 0x0b);
    return in(port);
}

static unsigned int irr(uint16_t port)
{
    out(port, 0x0a);
    return in(port);
}

static void pulse(unsigned int irq)
{
    pic_raise(&pic, irq);
    pic_lower(&pic, irq);
}

/* Takes what is pending; peek and acknowledge must agree. */
static int take(void)
{
    int vector = pic_pending(&pic);
    assert_int_equal(vector >= 0, pic_output(&pic));
    if (vector >= 0)
        assert_int_equal(pic_ack(&pic), vector);
    return vector;
}

static void nothing_before_initialization(void **state)
{
    (void)state;
    pic_init(&pic);
    assert_true(pic_raise(&pic, 3));
    assert_false(pic_output(&pic));
    assert_true(pic_masked(&pic, 3));
    /* "Initialization": after ICW1 the chip waits for ICW2..4; an INT in between would have no vector. */
    out(0x20, 0x11);
    pulse(3);
    assert_false(pic_output(&pic));
    out(0x21, 0x30);
    out(0x21, 4);
    assert_false(pic_output(&pic));
    out(0x21, 1);
    assert_int_equal(take(), 0x33);
}

/* A probe for the chip, as Linux's probe_8259A makes it, works before the initialization. */
static void mask_reads_back_at_power_on(void **state)
{
    (void)state;
    pic_init(&pic);
    out(0xa1, 0xff);
    out(0x21, 0xfb);
    assert_int_equal(in(0x21), 0xfb);
    assert_int_equal(in(0xa1), 0xff);
}

static void initialization_sequences(void **state)
{
    (void)state;
    /* ICW1 with SNGL: no ICW3. */
    out(0x20, 0x13);
    out(0x21, 0x40);
    out(0x21, 0x01);
    out(0x21, 0xaa);
    assert_int_equal(in(0x21), 0xaa);
    /* Without IC4: no ICW4, and what it had selected is off. */
    icws(3, 1);
    out(0x20, 0x10);
    out(0x21, 0x48);
    out(0x21, 4);
    out(0x21, 0x00);
    assert_int_equal(in(0x21), 0);
    pulse(1);
    assert_int_equal(take(), 0x49);
    assert_int_equal(isr(0x20), 2); /* no automatic EOI any more */
    /* With SNGL and without IC4: ICW2 is all. */
    out(0x20, 0x12);
    out(0x21, 0x50);
    out(0x21, 0x0f);
    assert_int_equal(in(0x21), 0x0f);
    /* ICW2's low three bits come from the input. */
    out(0x20, 0x12);
    out(0x21, 0x57);
    pulse(2);
    assert_int_equal(take(), 0x52); /* a single chip answers input 2 itself */
}

/* "Initialization" a-f. */
static void icw1_resets(void **state)
{
    (void)state;
    out(0x20, 0x68); /* special mask */
    out(0x20, 0xc3); /* lowest priority: 3 */
    out(0x20, 0x0b); /* read ISR */
    out(0x20, 0x80); /* rotate in AEOI */
    out(0x21, 0x80);
    pulse(1);
    take();
    pulse(4);
    icws(1, 1);
    assert_int_equal(in(0x20), 0); /* IRR selected, edges forgotten */
    pulse(7);
    assert_int_equal(in(0x20), 0x80);
    assert_int_equal(in(0x21), 0);
    assert_int_equal(isr(0x20), 0);
    pulse(0);
    assert_int_equal(take(), 0x30); /* IR7 is the lowest again */
    assert_int_equal(take(), -1);
}

/* An initialization while a level-triggered line is up: it is still up. */
static void level_survives_icw1(void **state)
{
    (void)state;
    out(0x4d1, 0x02);
    pic_raise(&pic, 9);
    icws(1, 1);
    assert_int_equal(in(0x4d1), 0x02);
    assert_int_equal(take(), 0x39);
}

static void fully_nested(void **state)
{
    (void)state;
    pulse(3);
    pulse(5);
    pulse(1);
    assert_int_equal(irr(0x20), 0x2a);
    assert_int_equal(take(), 0x31);
    assert_int_equal(isr(0x20), 0x02);
    assert_int_equal(irr(0x20), 0x28);
    assert_int_equal(take(), -1); /* lower ones wait */
    pulse(0);
    assert_int_equal(take(), 0x30); /* a higher one nests */
    assert_int_equal(isr(0x20), 0x03);
    pulse(0);
    assert_int_equal(take(), -1); /* not the same again */
    out(0x20, 0x20);              /* "non-specific EOI" ends the highest */
    assert_int_equal(isr(0x20), 0x02);
    assert_int_equal(take(), 0x30);
    out(0x20, 0x20);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x33);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x35);
    out(0x20, 0x20);
    assert_int_equal(isr(0x20), 0);
    out(0x20, 0x20); /* harmless */
}

static void specific_eoi(void **state)
{
    (void)state;
    pulse(4);
    take();
    pulse(2 + 8); /* through the cascade: higher than 4 */
    assert_int_equal(take(), 0x3a);
    assert_int_equal(isr(0x20), 0x14);
    out(0x20, 0x64); /* EOI of 4, out of order */
    assert_int_equal(isr(0x20), 0x04);
    out(0xa0, 0x62);
    out(0x20, 0x62);
    assert_int_equal(isr(0x20) | isr(0xa0), 0);
}

static void masks(void **state)
{
    (void)state;
    out(0x21, 0x08);
    assert_true(pic_raise(&pic, 3)); /* the IRR latches behind the mask */
    assert_false(pic_output(&pic));
    assert_true(pic_masked(&pic, 3));
    assert_false(pic_waiting(&pic, 3));
    assert_int_equal(irr(0x20), 0x08);
    out(0x21, 0);
    assert_true(pic_waiting(&pic, 3));
    assert_int_equal(take(), 0x33);
    /* Masked while pending: held back, not lost. */
    pulse(6);
    out(0x21, 0x40);
    assert_int_equal(take(), -1);
    out(0x20, 0x20);
    out(0x21, 0);
    assert_int_equal(take(), 0x36);
    /* The cascade's mask shuts the slave out. */
    pulse(12);
    assert_true(pic_waiting(&pic, 12));
    out(0x21, 0x04);
    assert_true(pic_masked(&pic, 12));
    assert_false(pic_waiting(&pic, 12));
    assert_int_equal(pic_pending(&pic), -1);
}

/* "Edge triggered": what is new and what merges; the latch outlives the line (see pic_raise). */
static void edges(void **state)
{
    (void)state;
    assert_true(pic_raise(&pic, 0));
    assert_false(pic_raise(&pic, 0));
    pic_lower(&pic, 0);
    assert_false(pic_raise(&pic, 0));
    pic_lower(&pic, 0);
    assert_int_equal(take(), 0x30);
    assert_false(pic_waiting(&pic, 0));
    assert_true(pic_raise(&pic, 0)); /* while in service: the next one */
    out(0x20, 0x20);
    assert_int_equal(take(), 0x30);
    out(0x20, 0x20);
    assert_int_equal(take(), -1); /* still high, but no further edge */
}

static void levels(void **state)
{
    (void)state;
    out(0x4d1, 0xff);
    assert_int_equal(in(0x4d1), 0xde); /* 8 and 13 are always edges */
    out(0x4d0, 0xff);
    assert_int_equal(in(0x4d0), 0xf8);
    assert_true(pic_raise(&pic, 9));
    assert_false(pic_raise(&pic, 9));
    assert_int_equal(irr(0xa0), 0x02);
    assert_int_equal(irr(0x20), 0x04);
    assert_int_equal(take(), 0x39);
    assert_int_equal(irr(0xa0), 0x02); /* the line is still up */
    assert_int_equal(take(), -1);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x39); /* and asks again */
    pic_lower(&pic, 9);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    assert_int_equal(take(), -1);
    assert_true(pic_raise(&pic, 9));
}

/* An edge latched before the input became level-triggered is no request. */
static void elcr_forgets_edges(void **state)
{
    (void)state;
    pulse(5);
    out(0x4d0, 0x20);
    assert_int_equal(take(), -1);
    out(0x4d0, 0);
    assert_int_equal(take(), -1);
}

/* "Default IR7": a level-triggered request gone before INTA. No ISR bit. */
static void spurious(void **state)
{
    (void)state;
    out(0x4d0, 0x20);
    pic_raise(&pic, 5);
    assert_int_equal(pic_pending(&pic), 0x35);
    pic_lower(&pic, 5);
    assert_int_equal(pic_ack(&pic), 0x37);
    assert_int_equal(isr(0x20), 0);
    /* The slave's request gone: the master's input 2 fell with it. */
    out(0x4d1, 0x08);
    pic_raise(&pic, 11);
    pic_lower(&pic, 11);
    assert_int_equal(pic_ack(&pic), 0x37);
    assert_int_equal(isr(0x20) | isr(0xa0), 0);
    /* A real IR7 has its bit. */
    pulse(7);
    assert_int_equal(take(), 0x37);
    assert_int_equal(isr(0x20), 0x80);
}

static void cascade(void **state)
{
    (void)state;
    pulse(15);
    pulse(8);
    pulse(3);
    assert_int_equal(irr(0x20), 0x0c);
    assert_int_equal(take(), 0x38); /* IR2 is above IR3 */
    assert_int_equal(isr(0x20), 0x04);
    assert_int_equal(isr(0xa0), 0x01);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x3f);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x33);
}

/* In fully nested mode a slave in service locks itself out of the master; "special fully nested mode" lets
 * its higher inputs through, and still nothing lower. */
static void special_fully_nested(void **state)
{
    (void)state;
    pulse(12);
    assert_int_equal(take(), 0x3c);
    pulse(9);
    assert_int_equal(take(), -1);

    icws(0x11, 1);
    pulse(12);
    assert_int_equal(take(), 0x3c);
    pulse(5);
    assert_int_equal(take(), -1);
    pulse(14);
    assert_int_equal(take(), -1);
    pulse(9);
    assert_int_equal(take(), 0x39);
    assert_int_equal(isr(0xa0), 0x12);
    out(0xa0, 0x20);
    assert_int_equal(isr(0xa0), 0x10);
    pulse(1);
    assert_int_equal(take(), 0x31);
}

static void automatic_eoi(void **state)
{
    (void)state;
    icws(3, 1);
    pulse(4);
    pulse(6);
    assert_int_equal(take(), 0x34);
    assert_int_equal(isr(0x20), 0);
    assert_int_equal(take(), 0x36);
    /* "Rotate in AEOI mode": what was served becomes the lowest. */
    out(0x20, 0x80);
    pulse(2 + 8 + 4);
    pulse(3);
    assert_int_equal(take(), 0x3e); /* order 0..7, served: 2 */
    assert_int_equal(take(), 0x33);
    pulse(3);
    pulse(0);
    assert_int_equal(take(), 0x30); /* order 4,5,6,7,0,1,2,3 */
    pulse(0);
    assert_int_equal(take(), 0x33);
    out(0x20, 0x00);
    assert_int_equal(take(), 0x30);
    pulse(4);
    pulse(3);
    assert_int_equal(take(), 0x34); /* rotation stopped with 3 lowest */
    assert_int_equal(take(), 0x33);
}

static void rotation(void **state)
{
    (void)state;
    /* "Automatic rotation": rotate on non-specific EOI. */
    pulse(4);
    take();
    out(0x20, 0xa0);
    pulse(4);
    pulse(5);
    pulse(3);
    assert_int_equal(take(), 0x35);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x33);
    out(0x20, 0x20);
    assert_int_equal(take(), 0x34);
    /* "Specific rotation": set priority, and rotate on specific EOI. */
    out(0x20, 0xe4);
    assert_int_equal(isr(0x20), 0);
    out(0x20, 0xc1);
    pulse(1);
    pulse(2 + 8);
    assert_int_equal(take(), 0x3a);
    out(0xa0, 0x20);
    out(0x20, 0xe2);
    pulse(2 + 8);
    pulse(3);
    assert_int_equal(take(), 0x33);
    out(0x20, 0xa0); /* nothing else in service: lowest is 3 */
    out(0x20, 0xa0); /* nothing in service: no rotation */
    assert_int_equal(take(), 0x31);
    out(0x20, 0x40); /* no operation */
    assert_int_equal(isr(0x20), 0x02);
}

/* "Special mask mode": a masked level in service does not inhibit the others, and a non-specific EOI passes
 * it over. */
static void special_mask(void **state)
{
    (void)state;
    pulse(3);
    take();
    pulse(5);
    assert_int_equal(take(), -1);
    out(0x21, 0x08);
    assert_int_equal(take(), -1);
    out(0x20, 0x68);
    assert_int_equal(take(), 0x35);
    out(0x20, 0x20);
    assert_int_equal(isr(0x20), 0x08);
    out(0x20, 0x20);
    assert_int_equal(isr(0x20), 0x08);
    pulse(6);
    out(0x20, 0x0b); /* ESMM clear: special mask stays */
    assert_int_equal(take(), 0x36);
    out(0x20, 0x48); /* reset it */
    pulse(4);
    assert_int_equal(take(), -1);
    out(0x20, 0x63);
    out(0x20, 0x66);
    assert_int_equal(take(), 0x34);
}

/* "Poll command" */
static void polling(void **state)
{
    (void)state;
    out(0x20, 0x0c);
    assert_int_equal(in(0x20), 0);
    pulse(6);
    pulse(10);
    out(0x20, 0x0c);
    assert_int_equal(in(0x20), 0x82);
    assert_int_equal(isr(0x20), 0x04);
    out(0xa0, 0x0e); /* P overrides RR */
    assert_int_equal(in(0xa1), 0x82);
    assert_int_equal(in(0xa1), 0); /* one read only: now the IMR */
    assert_int_equal(isr(0xa0), 0x04);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    out(0x20, 0x0c);
    assert_int_equal(in(0x20), 0x86);
    assert_int_equal(take(), -1);
}

static void status_reads(void **state)
{
    (void)state;
    pulse(1);
    pulse(2 + 8);
    take();
    out(0x20, 0x0b);
    assert_int_equal(in(0x20), 0x02);
    assert_int_equal(in(0x20), 0x02); /* remembered */
    out(0x20, 0x08);                  /* RR clear: no change */
    assert_int_equal(in(0x20), 0x02);
    out(0x20, 0x0a);
    assert_int_equal(in(0x20), 0x04);
}

/* Two chips against a plain reading of "priority cell": for each state of IRR, ISR and IMR of the master,
 * with any rotation, the request that gets through is the first unmasked one in order before anything in
 * service. */
static void every_state_of_one_chip(void **state)
{
    (void)state;
    for (unsigned int n = 0; n < 4096 * 8; n++) {
        unsigned int x = n * 2654435761u;
        uint8_t requests = (uint8_t)(x >> 24 & ~4u);
        uint8_t served = (uint8_t)(x >> 16), masked = (uint8_t)(x >> 8), lowest = n & 7;
        pic.master.irr = requests;
        pic.master.isr = served;
        pic.master.imr = masked;
        pic.master.lowest = lowest;
        int want = -1;
        for (unsigned int i = 1; i <= 8; i++) {
            unsigned int b = (lowest + i) & 7;
            if (served >> b & 1)
                break;
            if ((requests & ~masked) >> b & 1) {
                want = (int)(0x30 + b);
                break;
            }
        }
        assert_int_equal(pic_pending(&pic), want);
    }
}

/* Whatever a guest writes: nothing breaks, and peek and acknowledge agree. */
static void random_registers(void **state)
{
    (void)state;
    static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};
    uint32_t seed = 1;
    for (unsigned int i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned int value = seed >> 24;
        uint16_t port = ports[(seed >> 8) % 6];
        unsigned int irq = (seed >> 12) % 16;
        if (irq == PIC_CASCADE)
            irq = 0;
        switch (seed >> 20 & 7) {
        case 0:
        case 1:
            out(port, value);
            break;
        case 2:
            assert_in_range(in(port), 0, 0xff);
            break;
        case 3:
            pic_lower(&pic, irq);
            break;
        case 4: {
            bool waited = pic_waiting(&pic, irq);
            bool fresh = pic_raise(&pic, irq);
            if (waited)
                assert_false(fresh);
            assert_int_equal(pic_waiting(&pic, irq), !pic_masked(&pic, irq));
            break;
        }
        default:
            take();
        }
        assert_int_equal(pic.master.elcr & 0x07, 0);
        assert_in_range(pic.master.lowest, 0, 7);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_before_initialization),
        TEST(mask_reads_back_at_power_on),
        TEST(initialization_sequences),
        TEST(icw1_resets),
        TEST(level_survives_icw1),
        TEST(fully_nested),
        TEST(specific_eoi),
        TEST(masks),
        TEST(edges),
        TEST(levels),
        TEST(elcr_forgets_edges),
        TEST(spurious),
        TEST(cascade),
        TEST(special_fully_nested),
        TEST(automatic_eoi),
        TEST(rotation),
        TEST(special_mask),
        TEST(polling),
        TEST(status_reads),
        TEST(every_state_of_one_chip),
        TEST(random_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
