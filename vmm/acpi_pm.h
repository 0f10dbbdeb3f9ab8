/* ACPI fixed hardware: PM1a event and control blocks (ACPI 6.4, 4.8.3). The PM timer beside them is
 * timers/pmtimer.h's.
 *
 * The platform is in ACPI mode always: SCI_EN reads 1 and the FADT's SMI_CMD is 0, which says that there is
 * no legacy mode and no hand-over (5.2.9). */
#ifndef VMM_ACPI_PM_H
#define VMM_ACPI_PM_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/line.h"
#include "timers/pmtimer.h"

struct vcpu;

/* Ports, for the FADT. 600h and up is free of ISA devices and of what Linux and its drivers probe. */
#define ACPI_PM1A_EVT     0x600u /* status word, enable word */
#define ACPI_PM1A_EVT_LEN 4u
#define ACPI_PM1A_CNT     0x604u
#define ACPI_PM1A_CNT_LEN 2u
#define ACPI_PM_TMR       0x608u
#define ACPI_PM_TMR_LEN   4u

/* The FADT's reset register: a byte write of this value to this port (CF9h: 06h). */
#define ACPI_RESET_PORT  0xcf9u
#define ACPI_RESET_VALUE 0x06u

/* SLP_TYP of the DSDT's _S5 package. */
#define ACPI_S5_SLP_TYP 5u

/* PM1 status and enable (4.8.3.1). */
#define PM1_TMR    (1u << 0)
#define PM1_BM     (1u << 4) /* status only */
#define PM1_GBL    (1u << 5)
#define PM1_PWRBTN (1u << 8)
#define PM1_SLPBTN (1u << 9)
#define PM1_RTC    (1u << 10)
#define PM1_WAK    (1u << 15) /* status only */
/* PM1 control (4.8.3.2). */
#define PM1_SCI_EN        (1u << 0)
#define PM1_BM_RLD        (1u << 1)
#define PM1_GBL_RLS       (1u << 2)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP       (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN        (1u << 13)

/* TMR_STS and TMR_EN live in the PM timer; the rest of the block, and the SCI that all share, here. */
struct acpi_pm {
    uint16_t status;
    uint16_t enable;
    uint16_t control;
    bool timer_sci;      /* the PM timer's share of the SCI */
    bool sci;            /* as last given to the line */
    struct vt_line line; /* SCI: level-triggered */
    struct pmtimer *timer;
};

/* timer: the PM timer of the same VM, whose SCI share is the line of acpi_pm_timer_line(). */
void acpi_pm_init(struct acpi_pm *pm, struct pmtimer *timer, struct vt_line sci);
void acpi_pm_reset(struct acpi_pm *pm);
struct vt_line acpi_pm_timer_line(struct acpi_pm *pm);

/* The power button (a host's request to shut down): PWRBTN_STS, and an SCI if enabled. */
void acpi_pm_power_button(struct acpi_pm *pm);

/* Bus handlers, width 2, one for each block. A write of SLP_EN with S5's SLP_TYP powers vcpu's VM off. */
uint64_t acpi_pm_evt_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
void acpi_pm_evt_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);
uint64_t acpi_pm_cnt_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
void acpi_pm_cnt_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);

#endif
