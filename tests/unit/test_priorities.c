/* Who comes first, for every value of the registers: one 8259A (Intel 8259A data sheet, "fully nested mode",
 * "special mask mode"; rotation) and a local APIC (SDM vol. 3, 10.8.3.1 and 10.8.4), against the manuals'
 * sentences, put plainly. Bounded exhaustive: docs/proof.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/lapic.h"
#include "vmm/pic.h"

#define LEVELS 8u
#define BASE   0x20u

/* The request that is taken: from the highest priority on, the first open one, unless one in service comes
 * at it or before. */
static int expected(uint8_t irr, uint8_t imr, uint8_t isr, unsigned int lowest, bool special_mask)
{
    for (unsigned int i = 1; i <= LEVELS; i++) {
        unsigned int irq = (lowest + i) % LEVELS;
        bool masked = imr >> irq & 1;

        if ((isr >> irq & 1) && !(special_mask && masked))
            return -1;
        if ((irr >> irq & 1) && !masked)
            return (int)(BASE + irq);
    }
    return -1;
}

static void check_masks(struct pic_pair *p, uint8_t irr, uint8_t isr, unsigned int lowest)
{
    static const uint8_t masks[] = {0x00, 0xff, 0x0f, 0xa5, 0x04, 0x81};

    for (unsigned int i = 0; i < 2 * sizeof(masks); i++) {
        p->master.imr = masks[i / 2];
        p->master.special_mask = i % 2;
        if (pic_pending(p) != expected(irr, p->master.imr, isr, lowest, i % 2))
            fail_msg("irr %02x isr %02x imr %02x lowest %u special mask %u: %d", irr, isr, p->master.imr,
                     lowest, i % 2, pic_pending(p));
    }
}

/* A chip alone: the cascade is another input. */
static void every_request_and_service(void **state)
{
    struct pic_pair p;

    (void)state;
    pic_init(&p);
    p.master.initialised = p.master.single = true;
    p.master.base = BASE;
    for (unsigned int bits = 0; bits < 0x10000; bits++)
        for (unsigned int lowest = 0; lowest < LEVELS; lowest++) {
            p.master.irr = (uint8_t)bits;
            p.master.isr = (uint8_t)(bits >> 8);
            p.master.lowest = (uint8_t)lowest;
            check_masks(&p, (uint8_t)bits, (uint8_t)(bits >> 8), lowest);
        }
}

static void set_only(struct lapic_vectors *set, unsigned int vector)
{
    memset(set, 0, sizeof(*set));
    set->word[vector / 32] = 1u << vector % 32;
    set->used = 1u << vector / 32;
}

/* 10.8.3.1: the processor's class is the greater of the task's and that of what is in service; its lower half
 * is the task's only where the task's class counts. 10.8.4: what is taken has a greater class. */
static void every_priority_of_a_local_apic(void **state)
{
    struct lapic l;

    (void)state;
    memset(&l, 0, sizeof(l));
    l.apic_base = APIC_BASE_ENABLE;
    for (unsigned int served = 16; served < 256; served++)
        for (unsigned int tpr = 0; tpr < 256; tpr++) {
            unsigned int class = served / 16 > tpr / 16 ? served / 16 : tpr / 16;

            set_only(&l.isr, served);
            l.tpr = (uint8_t)tpr;
            assert_int_equal(lapic_ppr(&l), class * 16 + (tpr / 16 == class ? tpr % 16 : 0));
            for (unsigned int wanted = 16; wanted < 256; wanted += 5) {
                set_only(&l.irr, wanted);
                assert_int_equal(lapic_pending(&l), wanted / 16 > class ? (int)wanted : -1);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_and_service),
        cmocka_unit_test(every_priority_of_a_local_apic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
