/* The virtual PC's port map, and the few ports that are no device of their own. Ports that are not in the map
 * read as all ones and drop writes: among them 80h (POST codes, delays) and the PCI configuration ports but
 * for CF9h, which is how a PC without PCI looks to both of a guest's configuration mechanisms. */
#include "vmm/platform_ports.h"

#include <stddef.h>

#include "vmm/platform.h"
#include "vmm/platform_irq.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define NO_DEVICE UINT64_MAX

/* ---- the PIC pair: self is the VM, for each access may change INT ---- */

/* What was, and what may be taken, is the same as long as INT is low. */
static void look_at_pic(struct vm *vm, struct vcpu *vcpu)
{
    if (platform_sync_intr(vm))
        vcpu->quiet = false;
}

#define PIC_PORTS(chip)                                                                                      \
    static uint64_t chip##_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)           \
    {                                                                                                        \
        struct vm *vm = self;                                                                                \
        uint64_t value = pic_##chip##_read(&vm->platform.pic, vcpu, offset, size);                           \
        look_at_pic(vm, vcpu); /* a poll is an acknowledge */                                                \
        return value;                                                                                        \
    }                                                                                                        \
    static void chip##_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size,              \
                             uint64_t value)                                                                 \
    {                                                                                                        \
        struct vm *vm = self;                                                                                \
        if (pic_##chip##_write(&vm->platform.pic, vcpu, offset, size, value)) {                              \
            vm->platform.wires_changed = true;                                                               \
            vcpu->quiet = false;                                                                             \
        }                                                                                                    \
        look_at_pic(vm, vcpu);                                                                               \
    }

PIC_PORTS(master)
PIC_PORTS(slave)
PIC_PORTS(elcr)

/* ---- timers/ knows its devices by absolute port numbers and no vCPU ---- */

static uint64_t pit_ports_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    (void)vcpu;
    (void)size;
    return pit_read(self, (uint16_t)(PIT_PORT_COUNTER0 + offset));
}

static void pit_ports_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)vcpu;
    (void)size;
    pit_write(self, (uint16_t)(PIT_PORT_COUNTER0 + offset), (uint8_t)value);
}

static uint64_t nmi_sc_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    (void)vcpu;
    (void)offset;
    (void)size;
    return pit_read(self, PIT_PORT_NMI_SC);
}

static void nmi_sc_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)vcpu;
    (void)offset;
    (void)size;
    pit_write(self, PIT_PORT_NMI_SC, (uint8_t)value);
}

static uint64_t rtc_ports_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    (void)vcpu;
    (void)size;
    return rtc_read(self, (uint16_t)(RTC_PORT_INDEX + offset));
}

static void rtc_ports_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)vcpu;
    (void)size;
    rtc_write(self, (uint16_t)(RTC_PORT_INDEX + offset), (uint8_t)value);
}

static uint64_t pm_timer_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    (void)vcpu;
    (void)size;
    return pmtimer_read(self) >> (offset * 8);
}

/* ---- resets; self is the platform ---- */

#define PORT92_RESET 0x01u
#define PORT92_A20   0x02u /* kept for reading back: address line 20 is never masked */
#define KBC_RESET    0xfeu /* pulse output port bit 0 */
#define CF9_OFFSET   1u
#define CF9_SYS_RST  0x02u /* kind of reset: all are the same here */
#define CF9_RST_CPU  0x04u /* its rising edge resets */
#define CF9_FULL     0x08u

static uint64_t port92_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    const struct platform *p = self;
    (void)vcpu;
    (void)offset;
    (void)size;
    return p->port92;
}

static void port92_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct platform *p = self;
    (void)offset;
    (void)size;
    if ((value & PORT92_RESET) && !(p->port92 & PORT92_RESET))
        vm_request_reset(vcpu->vm);
    p->port92 = value & (PORT92_RESET | PORT92_A20);
}

/* The keyboard controller's command port without the controller: status reads all ones (there is none), but a
 * reset is asked for here by everything since the PC/AT. */
static void kbc_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)self;
    (void)offset;
    (void)size;
    if (value == KBC_RESET)
        vm_request_reset(vcpu->vm);
}

/* CF8h-CFFh: a 32-bit access is PCI's configuration mechanism, a byte at CF9h the reset control
 * (82371SB, 2.2.10). */
static uint64_t pci_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    const struct platform *p = self;
    (void)vcpu;
    return offset == CF9_OFFSET && size == 1 ? p->reset_control : NO_DEVICE;
}

static void pci_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct platform *p = self;
    if (offset != CF9_OFFSET || size != 1)
        return;
    if ((value & CF9_RST_CPU) && !(p->reset_control & CF9_RST_CPU))
        vm_request_reset(vcpu->vm);
    p->reset_control = value & (CF9_SYS_RST | CF9_RST_CPU | CF9_FULL);
}

/* ---- the test kernels' exit ---- */

static void exit_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    (void)self;
    (void)offset;
    (void)size;
    vm_end_exit(vcpu->vm, (uint32_t)value);
}

/* ---- VGA: the CRTC's registers as memory (the cursor's place), the status that is waited for; self is the
 * platform
 */

#define CRTC_DATA    1u
#define VGA_DISPLAY  0x01u
#define VGA_VRETRACE 0x08u

static uint64_t crtc_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    const struct platform *p = self;
    (void)vcpu;
    (void)size;
    return offset == CRTC_DATA ? p->crtc[p->crtc_index] : p->crtc_index;
}

static void crtc_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct platform *p = self;
    (void)vcpu;
    (void)size;
    if (offset == CRTC_DATA)
        p->crtc[p->crtc_index] = (uint8_t)value;
    else
        p->crtc_index = (uint8_t)value;
}

static uint64_t vga_status_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct platform *p = self;
    (void)vcpu;
    (void)offset;
    (void)size;
    p->retrace = !p->retrace;
    return p->retrace ? VGA_DISPLAY | VGA_VRETRACE : 0;
}

/* ---- the map ---- */

#define DEVICE(member) offsetof(struct vm, platform.member)
#define PLATFORM       offsetof(struct vm, platform)
#define VM             0u

static const struct port_desc {
    uint16_t base;
    uint16_t length;
    unsigned int width;
    bus_read_fn read;
    bus_write_fn write;
    size_t self; /* offset in struct vm */
    const char *name;
    unsigned int quiet; /* BUS_QUIET_* */
} port_map[] = {
    {0x20, 2, 1, master_read, master_write, VM, "pic-master", BUS_QUIET_READ | BUS_QUIET_WRITE},
    {PIT_PORT_COUNTER0, 4, 1, pit_ports_read, pit_ports_write, DEVICE(pit), "pit", BUS_QUIET_READ},
    {0x60, 1, 1, NULL, NULL, VM, "kbc-data", BUS_QUIET_READ},
    {PIT_PORT_NMI_SC, 1, 1, nmi_sc_read, nmi_sc_write, DEVICE(pit), "nmi-sc", BUS_QUIET_READ},
    {0x64, 1, 1, NULL, kbc_write, VM, "kbc", BUS_QUIET_READ},
    {RTC_PORT_INDEX, 2, 1, rtc_ports_read, rtc_ports_write, DEVICE(rtc), "rtc", 0},
    {0x92, 1, 1, port92_read, port92_write, PLATFORM, "port92", BUS_QUIET_READ},
    {0xa0, 2, 1, slave_read, slave_write, VM, "pic-slave", BUS_QUIET_READ | BUS_QUIET_WRITE},
    {0xf4, 4, 4, NULL, exit_write, VM, "exit", 0},
    {0x3b4, 2, 1, crtc_read, crtc_write, PLATFORM, "crtc-mono", BUS_QUIET_READ},
    {0x3ba, 1, 1, vga_status_read, NULL, PLATFORM, "vga-status-mono", BUS_QUIET_READ},
    {0x3d4, 2, 1, crtc_read, crtc_write, PLATFORM, "crtc", BUS_QUIET_READ},
    {0x3da, 1, 1, vga_status_read, NULL, PLATFORM, "vga-status", BUS_QUIET_READ},
    {UART_PORT, UART_LENGTH, 1, uart_io_read, uart_io_write, DEVICE(uart), "uart", 0},
    {0x4d0, 2, 1, elcr_read, elcr_write, VM, "elcr", BUS_QUIET_READ | BUS_QUIET_WRITE},
    {ACPI_PM1A_EVT, ACPI_PM1A_EVT_LEN, 2, acpi_pm_evt_read, acpi_pm_evt_write, DEVICE(acpi_pm), "pm1a-evt",
     0},
    {ACPI_PM1A_CNT, ACPI_PM1A_CNT_LEN, 2, acpi_pm_cnt_read, acpi_pm_cnt_write, DEVICE(acpi_pm), "pm1a-cnt",
     0},
    {ACPI_PM_TMR, ACPI_PM_TMR_LEN, 4, pm_timer_read, NULL, DEVICE(pmtimer), "pm-timer", BUS_QUIET_READ},
    {0xcf8, 8, 4, pci_read, pci_write, PLATFORM, "pci-config", BUS_QUIET_READ},
};

void platform_claim_ports(struct vm *vm)
{
    for (size_t i = 0; i < sizeof port_map / sizeof port_map[0]; i++) {
        const struct port_desc *d = &port_map[i];
        bus_claim_ports(&vm->bus, &(struct bus_range){.base = d->base,
                                                      .length = d->length,
                                                      .width = d->width,
                                                      .read = d->read,
                                                      .write = d->write,
                                                      .self = (char *)vm + d->self,
                                                      .name = d->name,
                                                      .quiet = d->quiet});
    }
}
