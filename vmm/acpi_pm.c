/* ACPI fixed hardware: see acpi_pm.h. */
#include "vmm/acpi_pm.h"

#include "vmm/string.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define EVT_ENABLE 2u /* offset of PM1_EN in the event block: half its length */

/* TMR_STS and TMR_EN are the PM timer's. */

#define ENABLE_BITS  (PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC)
#define CONTROL_BITS (PM1_BM_RLD | PM1_SLP_TYP)

static bool level(const struct acpi_pm *pm)
{
    return (pm->status & pm->enable & ENABLE_BITS) || pm->timer_sci;
}

/* Gives the shared line its level. True if it rose and that is a new request. */
static bool update_sci(struct acpi_pm *pm)
{
    bool now = level(pm);
    if (now == pm->sci)
        return false;
    pm->sci = now;
    if (now)
        return pm->line.ops->raise(pm->line.ctx, pm->line.line);
    pm->line.ops->lower(pm->line.ctx, pm->line.line);
    return false;
}

static bool timer_raise(void *ctx, unsigned int line)
{
    struct acpi_pm *pm = ctx;
    (void)line;
    pm->timer_sci = true;
    return update_sci(pm);
}

static void timer_lower(void *ctx, unsigned int line)
{
    struct acpi_pm *pm = ctx;
    (void)line;
    pm->timer_sci = false;
    update_sci(pm);
}

static bool timer_waiting(void *ctx, unsigned int line)
{
    struct acpi_pm *pm = ctx;
    (void)line;
    return pm->timer_sci && pm->line.ops->waiting(pm->line.ctx, pm->line.line);
}

static bool timer_masked(void *ctx, unsigned int line)
{
    struct acpi_pm *pm = ctx;
    (void)line;
    return pm->line.ops->masked(pm->line.ctx, pm->line.line);
}

static const struct vt_line_ops timer_line_ops = {
    .raise = timer_raise, .lower = timer_lower, .waiting = timer_waiting, .masked = timer_masked};

struct vt_line acpi_pm_timer_line(struct acpi_pm *pm)
{
    return (struct vt_line){.ops = &timer_line_ops, .ctx = pm};
}

void acpi_pm_init(struct acpi_pm *pm, struct pmtimer *timer, struct vt_line sci)
{
    memset(pm, 0, sizeof *pm);
    pm->timer = timer;
    pm->line = sci;
    acpi_pm_reset(pm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
    pm->status = 0;
    pm->enable = 0;
    pm->control = PM1_SCI_EN;
    update_sci(pm);
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
    pm->status |= PM1_PWRBTN;
    update_sci(pm);
}

/* A word register as the guest reads it, or a part of it. */
static uint64_t part_of(uint16_t word, uint64_t offset)
{
    return (uint64_t)word >> ((offset & 1) * 8);
}

/* A write of one byte leaves the other one of a read-write register alone. */
static uint16_t merge(uint16_t old, uint64_t offset, unsigned int size, uint64_t value)
{
    if (size != 1)
        return (uint16_t)value;
    return (uint16_t)(offset & 1 ? (old & 0x00ffu) | (value & 0xff) << 8 : (old & 0xff00u) | (value & 0xff));
}

uint64_t acpi_pm_evt_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct acpi_pm *pm = self;
    (void)vcpu;
    (void)size;
    if (offset >= EVT_ENABLE)
        return part_of((uint16_t)(pm->enable | (pm->timer->enabled ? PM1_TMR : 0)), offset);
    return part_of((uint16_t)(pm->status | (pmtimer_status(pm->timer) ? PM1_TMR : 0)), offset);
}

void acpi_pm_evt_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct acpi_pm *pm = self;
    (void)vcpu;
    if (offset >= EVT_ENABLE) {
        bool timer = pm->timer->enabled;
        uint16_t word = merge((uint16_t)(pm->enable | (timer ? PM1_TMR : 0)), offset, size, value);
        pm->enable = word & ENABLE_BITS;
        if (((word & PM1_TMR) != 0) != timer)
            pmtimer_set_enabled(pm->timer, !timer);
    } else { /* a one clears */
        uint16_t word = merge(0, offset, size, value);
        pm->status &= (uint16_t)~word;
        if (word & PM1_TMR)
            pmtimer_clear_status(pm->timer);
    }
    update_sci(pm);
}

uint64_t acpi_pm_cnt_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    const struct acpi_pm *pm = self;
    (void)vcpu;
    (void)size;
    return part_of(pm->control, offset);
}

/* 4.8.3.2.1, 7.4.2: SLP_EN is a trigger, not a state. Only S5 is in the DSDT; other sleep types do nothing.
 * GBL_RLS would call a BIOS that is not there. */
void acpi_pm_cnt_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct acpi_pm *pm = self;
    uint16_t word = merge(pm->control, offset, size, value);
    pm->control = (uint16_t)((word & CONTROL_BITS) | PM1_SCI_EN);
    if ((word & PM1_SLP_EN) && (word & PM1_SLP_TYP) >> PM1_SLP_TYP_SHIFT == ACPI_S5_SLP_TYP)
        vm_end_poweroff(vcpu->vm);
}
