/* The guest's segment registers. The VMCS wants what the hardware would hold after a load, so that is made of
 * what a loader gives (SDM vol. 3, 27.3.1.2). */
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"

#define RIGHTS_UNUSABLE (1u << 16)
#define ATTR_ACCESSED   (1u << 0)
#define ATTR_BUSY       (1u << 1)
#define ATTR_S          (1u << 4)
#define ATTR_P          (1u << 7)
#define ATTR_G          (1u << 15)
#define ATTR_KNOWN      0xf0ffu

static enum vmcs_field field_of(enum vmcs_field es_field, enum guest_seg seg)
{
    return (enum vmcs_field)((unsigned int)es_field + VMCS_SEGMENT_STEP * (unsigned int)seg);
}

void vmx_get_segment(struct vcpu *vcpu, enum guest_seg seg, struct guest_segment *out)
{
    vmx_vmcs_use(vmx_of(vcpu));
    const uint32_t rights = vmread32(field_of(VMCS_GUEST_ES_RIGHTS, seg));
    out->selector = (uint16_t)vmread(field_of(VMCS_GUEST_ES_SELECTOR, seg));
    out->attr = (uint16_t)((rights & ATTR_KNOWN) | (rights & RIGHTS_UNUSABLE ? SEG_ATTR_UNUSABLE : 0));
    out->limit = vmread32(field_of(VMCS_GUEST_ES_LIMIT, seg));
    out->base = vmread(field_of(VMCS_GUEST_ES_BASE, seg));
}

static uint32_t rights_of(enum guest_seg seg, const struct guest_segment *in)
{
    uint32_t rights = in->attr & ATTR_KNOWN;
    if ((in->attr & SEG_ATTR_UNUSABLE) || !(in->attr & ATTR_P))
        return rights | RIGHTS_UNUSABLE;
    if (rights & ATTR_S)
        rights |= ATTR_ACCESSED;
    if (seg == SEG_TR)
        rights |= ATTR_BUSY;
    /* G follows from the limit where only one value can express it. */
    if (in->limit > 0xfffffu)
        rights |= ATTR_G;
    else if ((in->limit & 0xfffu) != 0xfffu)
        rights &= ~ATTR_G;
    return rights;
}

void vmx_set_segment(struct vcpu *vcpu, enum guest_seg seg, const struct guest_segment *in)
{
    vmx_vmcs_use(vmx_of(vcpu));
    vmwrite(field_of(VMCS_GUEST_ES_SELECTOR, seg), in->selector);
    vmwrite(field_of(VMCS_GUEST_ES_RIGHTS, seg), rights_of(seg, in));
    vmwrite(field_of(VMCS_GUEST_ES_LIMIT, seg), in->limit);
    vmwrite(field_of(VMCS_GUEST_ES_BASE, seg), in->base);
}
