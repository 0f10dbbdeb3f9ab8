/* Segment registers of a new task (SDM vol. 3, 8.2.4 and table 8-1; 5.5 to 5.8). */
#include "vmm/host.h"
#include "vmm/task.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

#define VECTOR_TS 10u
#define VECTOR_NP 11u
#define VECTOR_SS 12u

/* A descriptor's attributes, as in struct guest_segment. */
#define ATTR_ACCESSED   (1u << 0)
#define ATTR_WRITABLE   (1u << 1) /* data */
#define ATTR_READABLE   (1u << 1) /* code */
#define ATTR_CONFORMING (1u << 2) /* code */
#define ATTR_CODE       (1u << 3)
#define ATTR_S          (1u << 4)
#define ATTR_P          (1u << 7)
#define ATTR_KNOWN      0xf0ffu
#define ATTR_SYSTEM     0x1fu /* S and type */
#define ATTR_LDT        0x02u
#define ATTR_VM86       0xf3u /* 27.3.1.2 */

#define SELECTOR_RPL 3u
#define SELECTOR_TI  4u

struct loading {
    struct vcpu *vcpu;
    uint32_t external;
    struct fault *fault;
};

struct descriptor {
    uint64_t linear;
    struct guest_segment segment;
};

static bool refuse(struct loading *l, unsigned int vector, uint16_t selector)
{
    *l->fault = (struct fault){.vector = (uint8_t)vector,
                               .error = (selector & ~SELECTOR_RPL & UINT16_MAX) | l->external};
    return false;
}

static bool is_null(uint16_t selector)
{
    return (selector & ~SELECTOR_RPL) == 0;
}

static unsigned int dpl(const struct descriptor *d)
{
    return d->segment.attr >> 5 & 3u;
}

static bool read_descriptor(struct loading *l, uint16_t selector, struct descriptor *d)
{
    struct guest_segment table = {.base = hv->get_reg(l->vcpu, REG_GDTR_BASE),
                                  .limit = (uint32_t)hv->get_reg(l->vcpu, REG_GDTR_LIMIT)};
    const uint32_t offset = selector & ~(SELECTOR_RPL | SELECTOR_TI) & UINT16_MAX;
    uint64_t raw;

    if (selector & SELECTOR_TI)
        hv->get_segment(l->vcpu, SEG_LDTR, &table);
    if ((table.attr & SEG_ATTR_UNUSABLE) || offset + 7 > table.limit)
        return refuse(l, VECTOR_TS, selector);
    d->linear = (uint32_t)(table.base + offset);
    if (!guest_read(l->vcpu, d->linear, &raw, sizeof(raw), 0, l->fault))
        return false;
    uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
    d->segment = (struct guest_segment){
        .selector = selector,
        .attr = (uint16_t)(raw >> 40 & ATTR_KNOWN),
        .limit = raw >> 55 & 1 ? limit << 12 | 0xfff : limit,
        .base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
    };
    return true;
}

/* The accessed flag goes into memory too (3.4.5.1). */
static bool load(struct loading *l, enum guest_seg seg, struct descriptor *d)
{
    if (!(d->segment.attr & ATTR_ACCESSED)) {
        d->segment.attr |= ATTR_ACCESSED;
        const uint8_t type = (uint8_t)d->segment.attr;
        if (!guest_write(l->vcpu, d->linear + 5, &type, sizeof(type), 0, l->fault))
            return false;
    }
    hv->set_segment(l->vcpu, seg, &d->segment);
    return true;
}

static bool load_ldt(struct loading *l, uint16_t selector)
{
    struct descriptor d;

    if (is_null(selector))
        return true;
    if (selector & SELECTOR_TI)
        return refuse(l, VECTOR_TS, selector);
    if (!read_descriptor(l, selector, &d))
        return false;
    if ((d.segment.attr & ATTR_SYSTEM) != ATTR_LDT || !(d.segment.attr & ATTR_P))
        return refuse(l, VECTOR_TS, selector);
    hv->set_segment(l->vcpu, SEG_LDTR, &d.segment);
    return true;
}

static bool load_code(struct loading *l, uint16_t selector)
{
    const unsigned int rpl = selector & SELECTOR_RPL;
    struct descriptor d;

    if (is_null(selector))
        return refuse(l, VECTOR_TS, selector);
    if (!read_descriptor(l, selector, &d))
        return false;
    const uint16_t attr = d.segment.attr;
    if (!(attr & ATTR_S) || !(attr & ATTR_CODE) || (attr & ATTR_CONFORMING ? dpl(&d) > rpl : dpl(&d) != rpl))
        return refuse(l, VECTOR_TS, selector);
    if (!(attr & ATTR_P))
        return refuse(l, VECTOR_NP, selector);
    return load(l, SEG_CS, &d);
}

static bool load_stack(struct loading *l, uint16_t selector, unsigned int cpl)
{
    struct descriptor d;

    if (is_null(selector))
        return refuse(l, VECTOR_TS, selector);
    if (!read_descriptor(l, selector, &d))
        return false;
    const uint16_t attr = d.segment.attr;
    if (!(attr & ATTR_S) || (attr & ATTR_CODE) || !(attr & ATTR_WRITABLE) || dpl(&d) != cpl ||
        (selector & SELECTOR_RPL) != cpl)
        return refuse(l, VECTOR_TS, selector);
    if (!(attr & ATTR_P))
        return refuse(l, VECTOR_SS, selector);
    return load(l, SEG_SS, &d);
}

static bool load_data(struct loading *l, enum guest_seg seg, uint16_t selector, unsigned int cpl)
{
    const unsigned int rpl = selector & SELECTOR_RPL;
    struct descriptor d;

    if (is_null(selector))
        return true;
    if (!read_descriptor(l, selector, &d))
        return false;
    const uint16_t attr = d.segment.attr;
    const bool code = attr & ATTR_CODE, conforming = code && (attr & ATTR_CONFORMING);
    if (!(attr & ATTR_S) || (code && !(attr & ATTR_READABLE)) ||
        (!conforming && (dpl(&d) < rpl || dpl(&d) < cpl)))
        return refuse(l, VECTOR_TS, selector);
    if (!(attr & ATTR_P))
        return refuse(l, VECTOR_NP, selector);
    return load(l, seg, &d);
}

/* CS and SS keep descriptors that the processor takes, in case that those of the new task do not come. CS of
 * real or virtual-8086 mode is none of code. */
static void set_selectors(struct vcpu *vcpu, const uint16_t selectors[6], uint16_t ldt)
{
    const struct guest_segment none = {.attr = SEG_ATTR_UNUSABLE};
    struct guest_segment s;

    for (unsigned int seg = SEG_ES; seg <= SEG_GS; seg++) {
        s = none;
        if (seg == SEG_CS || seg == SEG_SS)
            hv->get_segment(vcpu, (enum guest_seg)seg, &s);
        if (seg == SEG_CS)
            s.attr |= ATTR_CODE;
        s.selector = selectors[seg];
        hv->set_segment(vcpu, (enum guest_seg)seg, &s);
    }
    s = none;
    s.selector = ldt;
    hv->set_segment(vcpu, SEG_LDTR, &s);
}

static void load_vm86(struct vcpu *vcpu, const uint16_t selectors[6])
{
    for (unsigned int seg = SEG_ES; seg <= SEG_GS; seg++) {
        const struct guest_segment s = {selectors[seg], ATTR_VM86, 0xffff, (uint64_t)selectors[seg] << 4};
        hv->set_segment(vcpu, (enum guest_seg)seg, &s);
    }
}

bool task_load_segments(struct vcpu *vcpu, const uint16_t selectors[6], uint16_t ldt, bool vm86,
                        uint32_t external, struct fault *fault)
{
    struct loading l = {vcpu, external, fault};
    const unsigned int cpl = selectors[SEG_CS] & SELECTOR_RPL;

    set_selectors(vcpu, selectors, ldt);
    if (vm86)
        load_vm86(vcpu, selectors);
    if (!load_ldt(&l, ldt))
        return false;
    if (vm86)
        return true;
    return load_code(&l, selectors[SEG_CS]) && load_stack(&l, selectors[SEG_SS], cpl) &&
           load_data(&l, SEG_DS, selectors[SEG_DS], cpl) && load_data(&l, SEG_ES, selectors[SEG_ES], cpl) &&
           load_data(&l, SEG_FS, selectors[SEG_FS], cpl) && load_data(&l, SEG_GS, selectors[SEG_GS], cpl);
}
