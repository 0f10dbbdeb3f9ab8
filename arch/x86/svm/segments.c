/* The guest's segment registers. FS, GS, LDTR and TR are in the VMCB as well as the others: VMSAVE puts them
 * there at each exit. */
#include "arch/x86/svm/svm.h"

#define ATTR_P         (1u << 7)
#define ATTR_DPL_SHIFT 5
#define ATTR_DPL       (3u << ATTR_DPL_SHIFT)

static struct vmcb_segment *segment(const struct vcpu *vcpu, enum guest_seg seg)
{
    static const uint16_t offsets[GUEST_SEGS] = {
        [SEG_ES] = offsetof(struct vmcb, es),     [SEG_CS] = offsetof(struct vmcb, cs),
        [SEG_SS] = offsetof(struct vmcb, ss),     [SEG_DS] = offsetof(struct vmcb, ds),
        [SEG_FS] = offsetof(struct vmcb, fs),     [SEG_GS] = offsetof(struct vmcb, gs),
        [SEG_LDTR] = offsetof(struct vmcb, ldtr), [SEG_TR] = offsetof(struct vmcb, tr),
    };
    return (struct vmcb_segment *)((uint8_t *)svm_of(vcpu)->vmcb + offsets[seg]);
}

/* Between the VMCB's bits 11:8 and the neutral 15:12 (APM vol. 2, 15.5.1). What is not present is not usable;
 * the privilege level is the VMCB's CPL, which SS's DPL need not show (15.5.1). */
void svm_get_segment(struct vcpu *vcpu, enum guest_seg seg, struct guest_segment *out)
{
    const struct vmcb_segment *s = segment(vcpu, seg);
    unsigned int attr = (s->attr & 0xffu) | (s->attr & 0xf00u) << 4;
    if (!(attr & ATTR_P))
        attr |= SEG_ATTR_UNUSABLE;
    if (seg == SEG_SS)
        attr = (attr & ~ATTR_DPL) | (unsigned int)svm_of(vcpu)->vmcb->cpl << ATTR_DPL_SHIFT;
    *out = (struct guest_segment){
        .selector = s->selector, .attr = (uint16_t)attr, .limit = s->limit, .base = s->base};
}

void svm_set_segment(struct vcpu *vcpu, enum guest_seg seg, const struct guest_segment *in)
{
    struct vmcb_segment *s = segment(vcpu, seg);
    unsigned int attr = (in->attr & 0xffu) | (in->attr >> 4 & 0xf00u);
    if (in->attr & SEG_ATTR_UNUSABLE)
        attr &= ~ATTR_P;
    *s = (struct vmcb_segment){
        .selector = in->selector, .attr = (uint16_t)attr, .limit = in->limit, .base = in->base};
    if (seg == SEG_SS)
        svm_of(vcpu)->vmcb->cpl = in->attr >> ATTR_DPL_SHIFT & 3u;
    svm_changed(svm_of(vcpu), CLEAN_SEG);
}
