#include "vmm/task.h"

#include "vmm/cr.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

#define VECTOR_TS 10u
#define VECTOR_GP 13u

/* Types of TSS descriptors (table 3-2), and of the attributes of TR. */
#define ATTR_BUSY  (1u << 1)
#define ATTR_WIDE  (1u << 3) /* a 32-bit TSS */
#define ATTR_P     (1u << 7)
#define ATTR_KNOWN 0xf0ffu
#define TSS_TYPE   0x1du /* S and type, without busy and wide: 1 */

/* 32-bit TSS (figure 8-2): CR3, EIP, EFLAGS, eight registers, six selectors, LDT. */
#define WIDE_LIMIT 0x67u
#define WIDE_CR3   0x1cu
#define WIDE_STATE 0x20u
#define WIDE_WORDS 18u
/* 16-bit TSS (figure 8-10): IP, FLAGS, eight registers, four selectors, LDT. */
#define NARROW_LIMIT 0x2bu
#define NARROW_STATE 0x0eu
#define NARROW_WORDS 15u

#define EFLAGS_KNOWN 0x003f7fd5u
#define DR7_LOCAL    0x155ull /* L0-L3, LE */

/* A task's registers, as its TSS holds them. */
struct image {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t selectors[6], ldt;
};

struct tss {
    struct guest_segment segment;
    uint64_t descriptor; /* linear */
    bool wide;
};

struct switching {
    struct vcpu *vcpu;
    const struct exit_record *exit;
    struct tss old, new;
    struct image image; /* the new task's */
    struct fault fault;
};

static bool refuse(struct switching *s, unsigned int vector, uint16_t selector)
{
    s->fault = (struct fault){.vector = (uint8_t)vector,
                              .error = (selector & 0xfffcu) | (s->exit->u.task.external ? TASK_EXTERNAL : 0)};
    return false;
}

static bool from(const struct switching *s, enum task_source source)
{
    return s->exit->u.task.source == source;
}

/* CALL and gates nest the new task in the old one. */
static bool nests(const struct switching *s)
{
    return from(s, TASK_CALL) || from(s, TASK_GATE);
}

static uint64_t gdt_entry(struct vcpu *vcpu, uint16_t selector)
{
    return (uint32_t)(hv->get_reg(vcpu, REG_GDTR_BASE) + (selector & 0xfff8u));
}

/* The processor has checked it, but another may have changed it since. */
static bool find_new(struct switching *s)
{
    const uint16_t selector = s->exit->u.task.selector;
    struct tss *t = &s->new;
    uint64_t raw;

    t->descriptor = gdt_entry(s->vcpu, selector);
    if ((selector & 4u) || (selector | 7u) > hv->get_reg(s->vcpu, REG_GDTR_LIMIT))
        return refuse(s, from(s, TASK_IRET) ? VECTOR_TS : VECTOR_GP, selector);
    if (!guest_read(s->vcpu, t->descriptor, &raw, sizeof(raw), 0, &s->fault))
        return false;
    const uint16_t attr = (uint16_t)(raw >> 40 & ATTR_KNOWN);
    const uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
    t->wide = attr & ATTR_WIDE;
    t->segment = (struct guest_segment){
        .selector = selector,
        .attr = attr | ATTR_BUSY,
        .limit = raw >> 55 & 1 ? limit << 12 | 0xfff : limit,
        .base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
    };
    const bool busy = attr & ATTR_BUSY;
    if ((attr & TSS_TYPE & ~ATTR_WIDE) != 1 || !(attr & ATTR_P) || busy != from(s, TASK_IRET) ||
        t->segment.limit < (t->wide ? WIDE_LIMIT : NARROW_LIMIT))
        return refuse(s, VECTOR_TS, selector);
    return true;
}

static bool find_old(struct switching *s)
{
    struct tss *t = &s->old;

    hv->get_segment(s->vcpu, SEG_TR, &t->segment);
    t->wide = t->segment.attr & ATTR_WIDE;
    t->descriptor = gdt_entry(s->vcpu, t->segment.selector);
    if (t->segment.limit < (t->wide ? WIDE_LIMIT : NARROW_LIMIT))
        return refuse(s, VECTOR_TS, t->segment.selector);
    return true;
}

static uint32_t linear(const struct tss *t, uint32_t offset)
{
    return (uint32_t)(t->segment.base + offset);
}

static bool read_wide(struct switching *s)
{
    struct image *i = &s->image;
    uint32_t words[WIDE_WORDS];

    if (!guest_read(s->vcpu, linear(&s->new, WIDE_CR3), words, sizeof(words), 0, &s->fault))
        return false;
    i->cr3 = words[0];
    i->eip = words[1];
    i->eflags = words[2];
    memcpy(i->gpr, &words[3], sizeof(i->gpr));
    for (unsigned int seg = 0; seg < 6; seg++)
        i->selectors[seg] = (uint16_t)words[11 + seg];
    i->ldt = (uint16_t)words[17];
    return true;
}

static bool read_narrow(struct switching *s)
{
    struct image *i = &s->image;
    uint16_t words[NARROW_WORDS];

    if (!guest_read(s->vcpu, linear(&s->new, NARROW_STATE), words, sizeof(words), 0, &s->fault))
        return false;
    i->eip = words[0];
    i->eflags = words[1];
    for (unsigned int r = 0; r < 8; r++)
        i->gpr[r] = words[2 + r];
    for (unsigned int seg = 0; seg < 4; seg++)
        i->selectors[seg] = words[10 + seg];
    i->ldt = words[14];
    return true;
}

/* Behind the instruction, if one asked for the switch; at it, if it raised an exception. */
static uint32_t return_address(const struct switching *s)
{
    const bool instruction = !from(s, TASK_GATE) || s->exit->u.task.soft;
    return (uint32_t)(s->vcpu->regs.rip + (instruction ? s->exit->insn_len : 0));
}

static bool write_old(struct switching *s)
{
    const struct vcpu_regs *regs = &s->vcpu->regs;
    const uint64_t nt = from(s, TASK_IRET) ? RFLAGS_NT : 0;
    uint32_t wide[16] = {return_address(s), (uint32_t)(regs->rflags & ~nt)};
    uint16_t narrow[14];
    struct guest_segment segment;

    for (unsigned int r = 0; r < 8; r++)
        wide[2 + r] = (uint32_t)regs->gpr[r];
    for (unsigned int seg = 0; seg < 6; seg++) {
        hv->get_segment(s->vcpu, (enum guest_seg)seg, &segment);
        wide[10 + seg] = segment.selector;
    }
    for (unsigned int i = 0; i < 14; i++)
        narrow[i] = (uint16_t)wide[i];
    if (s->old.wide)
        return guest_write(s->vcpu, linear(&s->old, WIDE_STATE), wide, sizeof(wide), 0, &s->fault);
    return guest_write(s->vcpu, linear(&s->old, NARROW_STATE), narrow, sizeof(narrow), 0, &s->fault);
}

static bool set_busy(struct switching *s, const struct tss *t, bool busy)
{
    uint8_t type;

    if (!guest_read(s->vcpu, t->descriptor + 5, &type, 1, 0, &s->fault))
        return false;
    type = (uint8_t)(busy ? type | ATTR_BUSY : type & ~ATTR_BUSY);
    return guest_write(s->vcpu, t->descriptor + 5, &type, 1, 0, &s->fault);
}

/* What it takes to leave the old task: a fault in any of it is the old task's (8.3, steps 1 to 11). */
static bool leave(struct switching *s)
{
    if (!find_new(s) || !find_old(s) || !(s->new.wide ? read_wide : read_narrow)(s) || !write_old(s))
        return false;
    const uint16_t link = s->old.segment.selector;
    if (nests(s) ? !guest_write(s->vcpu, linear(&s->new, 0), &link, sizeof(link), 0, &s->fault)
                 : !set_busy(s, &s->old, false))
        return false;
    return from(s, TASK_IRET) || set_busy(s, &s->new, true);
}

static void load_registers(struct switching *s)
{
    struct vcpu_regs *regs = &s->vcpu->regs;

    regs->rflags = RFLAGS_1; /* a step's trap was the old task's */
    hv->clear_shadow(s->vcpu);
    regs->rip = s->image.eip;
    regs->rflags = (s->image.eflags & EFLAGS_KNOWN) | RFLAGS_1 | (nests(s) ? RFLAGS_NT : 0);
    for (unsigned int r = 0; r < 8; r++)
        regs->gpr[r] = s->image.gpr[r];
}

static bool load_cr3(struct switching *s)
{
    if (!s->new.wide || !(hv->get_reg(s->vcpu, REG_CR0) & CR0_PG))
        return true;
    return cr_set_cr3(s->vcpu, s->image.cr3) || refuse(s, VECTOR_GP, 0);
}

static bool push_error(struct switching *s)
{
    const unsigned int size = s->new.wide ? 4 : 2;
    struct guest_segment ss;
    uint64_t *rsp = &s->vcpu->regs.gpr[GPR_RSP], address;

    if (!s->exit->u.task.has_error)
        return true;
    hv->get_segment(s->vcpu, SEG_SS, &ss);
    const uint64_t mask = ss.attr >> 14 & 1 ? UINT32_MAX : UINT16_MAX, top = (*rsp - size) & mask;
    if (!guest_linear(s->vcpu, SEG_SS, top, size, true, &address, &s->fault) ||
        !guest_write(s->vcpu, address, &s->exit->u.task.error, size, guest_user(s->vcpu), &s->fault))
        return false;
    *rsp = (*rsp & ~mask) | top;
    return true;
}

/* A fault from here on is the new task's (steps 12 to 14). */
static bool arrive(struct switching *s)
{
    struct vcpu *vcpu = s->vcpu;

    hv->set_segment(vcpu, SEG_TR, &s->new.segment);
    hv->set_reg(vcpu, REG_CR0, hv->get_reg(vcpu, REG_CR0) | CR0_TS);
    hv->set_reg(vcpu, REG_DR7, hv->get_reg(vcpu, REG_DR7) & ~DR7_LOCAL);
    load_registers(s);
    return load_cr3(s) &&
           task_load_segments(vcpu, s->image.selectors, s->image.ldt, vcpu->regs.rflags & RFLAGS_VM,
                              s->exit->u.task.external ? TASK_EXTERNAL : 0, &s->fault) &&
           push_error(s);
}

void task_switch(struct vcpu *vcpu, const struct exit_record *exit)
{
    struct switching s = {.vcpu = vcpu, .exit = exit};

    if (hv->get_reg(vcpu, REG_EFER) & EFER_LMA)
        vcpu_inject_gp(vcpu); /* there are none in IA-32e mode (8.7) */
    else if (!leave(&s) || !arrive(&s))
        fault_inject(vcpu, &s.fault);
}
