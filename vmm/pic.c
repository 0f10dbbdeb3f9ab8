/* The 8259A pair: see pic.h. Quoted names are the data sheet's. */
#include "vmm/pic.h"

#include "vmm/string.h"

#define ICW1_IC4       0x01u
#define ICW1_SNGL      0x02u
#define ICW1_INIT      0x10u /* A0=0: ICW1 */
#define ICW4_AEOI      0x02u
#define ICW4_SFNM      0x10u
#define OCW3_RIS       0x01u
#define OCW3_RR        0x02u
#define OCW3_P         0x04u
#define OCW3_ID        0x08u /* A0=0, ICW1_INIT clear: OCW3, else OCW2 */
#define OCW3_SMM       0x20u
#define OCW3_ESMM      0x40u
#define OCW2_CMD_SHIFT 5
#define LEVELS         8u
#define SPURIOUS       7u

/* Inputs that a PC's ELCRs let be level-triggered: not 0, 1, 2, 8 and 13 (82371SB, 2.5.1). */
#define ELCR_MASTER 0xf8u
#define ELCR_SLAVE  0xdeu

/* The commands of OCW2, bits 7:5 (R, SL, EOI). */
enum ocw2 {
    OCW2_ROTATE_AEOI_CLEAR,
    OCW2_EOI,
    OCW2_NOP,
    OCW2_EOI_SPECIFIC,
    OCW2_ROTATE_AEOI_SET,
    OCW2_EOI_ROTATE,
    OCW2_SET_PRIORITY,
    OCW2_EOI_SPECIFIC_ROTATE,
};

static uint8_t bit(unsigned int n)
{
    return (uint8_t)(1u << n);
}

/* Requests as the IRR shows them. The slave's INT is looked at when it is asked for instead of being latched
 * at the master: the data sheet wants an input high until INTA, else it is as if it had not been there. */
static uint8_t requests(const struct pic *c, bool cascade)
{
    return (uint8_t)((c->irr & ~c->elcr) | (c->lines & c->elcr) | (cascade ? bit(PIC_CASCADE) : 0));
}

/* Distance of the highest-priority bit from the highest priority (0); LEVELS if there is none. */
static unsigned int priority(const struct pic *c, uint8_t bits)
{
    for (unsigned int i = 0; i < LEVELS; i++)
        if (bits & bit((c->lowest + 1 + i) % LEVELS))
            return i;
    return LEVELS;
}

static unsigned int at_priority(const struct pic *c, unsigned int distance)
{
    return (c->lowest + 1 + distance) % LEVELS;
}

/* The input that drives INT now, -1 if none. "Fully nested mode", "special mask mode", "special fully nested
 * mode". */
static int resolve(const struct pic *c, bool cascade)
{
    uint8_t open = (uint8_t)(requests(c, cascade) & ~c->imr);
    if (!c->initialised || open == 0)
        return -1;
    uint8_t in_service = c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr;
    unsigned int wanted = priority(c, open);
    unsigned int served = priority(c, in_service);
    unsigned int irq = at_priority(c, wanted);
    /* Special fully nested: a slave in service does not lock itself out of the master. */
    bool again = c->nested && cascade && irq == PIC_CASCADE && wanted == served;
    return wanted < served || again ? (int)irq : -1;
}

static int resolve_slave(const struct pic_pair *p)
{
    return resolve(&p->slave, false);
}

static int resolve_master(const struct pic_pair *p)
{
    return resolve(&p->master, resolve_slave(p) >= 0);
}

/* One chip's part of an INTA sequence for what resolve() found. A request that has gone gives input 7 and
 * leaves the ISR alone. */
static uint8_t acknowledge(struct pic *c, int resolved)
{
    if (resolved < 0)
        return SPURIOUS;
    uint8_t irq = (uint8_t)resolved;
    c->irr &= (uint8_t)~bit(irq);
    if (!c->auto_eoi)
        c->isr |= bit(irq);
    else if (c->rotate_auto)
        c->lowest = irq;
    return irq;
}

void pic_init(struct pic_pair *p)
{
    memset(p, 0, sizeof *p);
    p->master.lowest = LEVELS - 1;
    p->slave.lowest = LEVELS - 1;
}

static struct pic *chip_of(struct pic_pair *p, unsigned int irq)
{
    return irq < LEVELS ? &p->master : &p->slave;
}

/* The data sheet wants an edge-triggered input to stay high until INTA. Here the edge stays latched without:
 * a timer's output may fall before its descheduled guest can take the interrupt, and a tick must not be lost
 * by that. */
bool pic_raise(struct pic_pair *p, unsigned int irq)
{
    struct pic *c = chip_of(p, irq);
    uint8_t b = bit(irq % LEVELS);
    bool had = ((c->elcr & b ? c->lines : c->irr) & b) != 0;
    c->lines |= b;
    if (!(c->elcr & b))
        c->irr |= b;
    return !had;
}

void pic_lower(struct pic_pair *p, unsigned int irq)
{
    struct pic *c = chip_of(p, irq);
    c->lines &= (uint8_t)~bit(irq % LEVELS);
}

bool pic_masked(const struct pic_pair *p, unsigned int irq)
{
    const struct pic *m = &p->master;
    if (irq < LEVELS)
        return !m->initialised || (m->imr & bit(irq));
    const struct pic *s = &p->slave;
    return !m->initialised || !s->initialised || (m->imr & bit(PIC_CASCADE)) || (s->imr & bit(irq - LEVELS));
}

bool pic_waiting(const struct pic_pair *p, unsigned int irq)
{
    const struct pic *c = irq < LEVELS ? &p->master : &p->slave;
    return (requests(c, false) & bit(irq % LEVELS)) && !pic_masked(p, irq);
}

/* Not part of pic_output, whose registers would have to be saved for it at each access. */
static __attribute__((noinline)) bool output_of_requests(const struct pic_pair *p)
{
    return resolve_master(p) >= 0;
}

/* Mostly nothing is requested. */
bool pic_output(const struct pic_pair *p)
{
    if (!(requests(&p->slave, false) & ~p->slave.imr) && !(requests(&p->master, false) & ~p->master.imr))
        return false;
    return output_of_requests(p);
}

/* Does the slave answer the second INTA? A master programmed to be single answers itself. */
static bool is_cascade(const struct pic_pair *p, unsigned int irq)
{
    return irq == PIC_CASCADE && !p->master.single;
}

int pic_pending(const struct pic_pair *p)
{
    int irq = resolve_master(p);
    if (irq < 0)
        return -1;
    if (!is_cascade(p, (unsigned int)irq))
        return p->master.base + irq;
    int slave = resolve_slave(p);
    return p->slave.base + (slave < 0 ? (int)SPURIOUS : slave);
}

uint8_t pic_ack(struct pic_pair *p)
{
    int slave = resolve_slave(p);
    uint8_t irq = acknowledge(&p->master, resolve_master(p));
    if (!is_cascade(p, irq))
        return (uint8_t)(p->master.base + irq);
    return (uint8_t)(p->slave.base + acknowledge(&p->slave, slave));
}

/* "Initialization": what ICW1 does by itself. The ISR is not in the data sheet's list, but a chip that still
 * had a level in service after an initialization would be of no use, and none in a PC does. */
static void write_icw1(struct pic *c, uint8_t value)
{
    c->irr = 0;
    c->isr = 0;
    c->imr = 0;
    c->lowest = LEVELS - 1;
    c->special_mask = false;
    c->read_isr = false;
    c->poll = false;
    c->rotate_auto = false;
    c->auto_eoi = false;
    c->nested = false;
    c->initialised = false;
    c->single = (value & ICW1_SNGL) != 0;
    c->icw4_wanted = (value & ICW1_IC4) != 0;
    c->icw_next = 2;
}

static void next_icw(struct pic *c)
{
    c->icw_next++;
    if (c->icw_next == 3 && c->single)
        c->icw_next++;
    if (c->icw_next > 4 || (c->icw_next == 4 && !c->icw4_wanted)) {
        c->icw_next = 0;
        c->initialised = true;
    }
}

/* ICW2 to ICW4. ICW3 tells a chip how it is wired; on a PC there is one way, and what is written does not
 * change it. ICW4's buffered mode is about pins only. */
static void write_icw(struct pic *c, bool master, uint8_t value)
{
    if (c->icw_next == 2)
        c->base = value & 0xf8;
    if (c->icw_next == 4) {
        c->auto_eoi = (value & ICW4_AEOI) != 0;
        c->nested = master && (value & ICW4_SFNM);
    }
    next_icw(c);
}

/* Ends the highest-priority level in service; in special mask mode a masked one does not count. Returns it,
 * -1 if there is none. */
static int nonspecific_eoi(struct pic *c)
{
    uint8_t in_service = c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr;
    unsigned int served = priority(c, in_service);
    if (served == LEVELS)
        return -1;
    unsigned int irq = at_priority(c, served);
    c->isr &= (uint8_t)~bit(irq);
    return (int)irq;
}

static void write_ocw2(struct pic *c, uint8_t value)
{
    uint8_t level = value & 7;
    switch ((enum ocw2)(value >> OCW2_CMD_SHIFT)) {
    case OCW2_ROTATE_AEOI_CLEAR:
        c->rotate_auto = false;
        break;
    case OCW2_ROTATE_AEOI_SET:
        c->rotate_auto = true;
        break;
    case OCW2_EOI:
        nonspecific_eoi(c);
        break;
    case OCW2_EOI_ROTATE: {
        int ended = nonspecific_eoi(c);
        if (ended >= 0)
            c->lowest = (uint8_t)ended;
        break;
    }
    case OCW2_EOI_SPECIFIC_ROTATE:
        c->lowest = level;
        c->isr &= (uint8_t)~bit(level);
        break;
    case OCW2_EOI_SPECIFIC:
        c->isr &= (uint8_t)~bit(level);
        break;
    case OCW2_SET_PRIORITY:
        c->lowest = level;
        break;
    case OCW2_NOP:
        break;
    }
}

static void write_ocw3(struct pic *c, uint8_t value)
{
    if (value & OCW3_ESMM)
        c->special_mask = (value & OCW3_SMM) != 0;
    if (value & OCW3_P)
        c->poll = true;
    else if (value & OCW3_RR)
        c->read_isr = (value & OCW3_RIS) != 0;
}

/* True if an input may have been masked or unmasked by it. */
static bool write_chip(struct pic *c, bool master, uint64_t a0, uint8_t value)
{
    if (a0 == 0 && (value & ICW1_INIT)) {
        write_icw1(c, value);
        return true;
    }
    if (a0 == 0 && (value & OCW3_ID)) {
        write_ocw3(c, value);
        return false;
    }
    if (a0 == 0) {
        write_ocw2(c, value);
        return false;
    }
    if (c->icw_next) {
        write_icw(c, master, value);
        return true;
    }
    bool changed = c->imr != value;
    c->imr = value;
    return changed;
}

/* `resolved`: what the chip drives INT with. "Poll command": the next read, at either address, is the
 * acknowledge. */
static uint8_t read_chip(struct pic *c, bool cascade, int resolved, uint64_t a0)
{
    if (c->poll) {
        c->poll = false;
        return resolved < 0 ? 0 : (uint8_t)(0x80u | acknowledge(c, resolved));
    }
    if (a0 == 1)
        return c->imr;
    return c->read_isr ? c->isr : requests(c, cascade);
}

uint64_t pic_master_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct pic_pair *p = self;
    (void)vcpu;
    (void)size;
    return read_chip(&p->master, resolve_slave(p) >= 0, resolve_master(p), offset);
}

bool pic_master_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct pic_pair *p = self;
    (void)vcpu;
    (void)size;
    return write_chip(&p->master, true, offset, (uint8_t)value);
}

uint64_t pic_slave_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct pic_pair *p = self;
    (void)vcpu;
    (void)size;
    return read_chip(&p->slave, false, resolve_slave(p), offset);
}

bool pic_slave_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct pic_pair *p = self;
    (void)vcpu;
    (void)size;
    return write_chip(&p->slave, false, offset, (uint8_t)value);
}

uint64_t pic_elcr_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    const struct pic_pair *p = self;
    (void)vcpu;
    (void)size;
    return offset == 0 ? p->master.elcr : p->slave.elcr;
}

bool pic_elcr_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct pic_pair *p = self;
    struct pic *c = offset == 0 ? &p->master : &p->slave;
    (void)vcpu;
    (void)size;
    c->elcr = (uint8_t)value & (offset == 0 ? ELCR_MASTER : ELCR_SLAVE);
    /* An edge latched before is no request of a level-triggered input. */
    c->irr &= (uint8_t)~c->elcr;
    return false;
}
