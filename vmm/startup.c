#include "vmm/startup.h"

#include "vmm/host.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define REAL_MODE_LIMIT 0xffffu
#define REAL_MODE_CODE  0x009bu /* present, code, accessed */

/* ---- INIT and SIPI ---- */

void startup_init(struct vcpu *vcpu)
{
    vcpu->lapic.init_pending = true;
    vcpu->lapic.sipi_pending = false;
    vcpu->lapic.news = true;
}

void startup_sipi(struct vcpu *vcpu, unsigned int vector)
{
    struct lapic *l = &vcpu->lapic;

    if (l->sipi_pending || (vcpu->state != VCPU_WAIT_SIPI && !l->init_pending))
        return;
    l->sipi_pending = true;
    l->sipi_vector = (uint8_t)vector;
    l->news = true;
}

static void take_init(struct vcpu *vcpu)
{
    vcpu->lapic.init_pending = false;
    if (vcpu->lapic.bsp)
        vm_request_reset(vcpu->vm);
    else
        vcpu_init(vcpu);
}

static void take_sipi(struct vcpu *vcpu)
{
    struct lapic *l = &vcpu->lapic;
    const struct guest_segment code = {.selector = (uint16_t)(l->sipi_vector << 8),
                                       .attr = REAL_MODE_CODE,
                                       .limit = REAL_MODE_LIMIT,
                                       .base = (uint64_t)l->sipi_vector << 12};

    l->sipi_pending = false;
    if (vcpu->state != VCPU_WAIT_SIPI)
        return;
    hv->set_segment(vcpu, SEG_CS, &code);
    vcpu->regs.rip = 0;
    vcpu->state = VCPU_RUNNABLE;
}

void startup_act(struct vcpu *vcpu)
{
    vcpu->lapic.news = false;
    if (vcpu->lapic.init_pending)
        take_init(vcpu);
    if (vcpu->lapic.sipi_pending)
        take_sipi(vcpu);
}

/* ---- waking ---- */

bool startup_wake(struct vcpu *vcpu)
{
    bool from_pic;

    if (vcpu->state == VCPU_HALTED &&
        (vcpu->nmis_pending || ((vcpu->regs.rflags & RFLAGS_IF) && platform_pending(vcpu, &from_pic) >= 0)))
        vcpu->state = VCPU_RUNNABLE;
    return vcpu->state == VCPU_RUNNABLE;
}
