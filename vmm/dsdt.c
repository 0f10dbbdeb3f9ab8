#include "vmm/dsdt.h"

#include <stddef.h>
#include <stdint.h>

#include "timers/hpet.h"
#include "vmm/acpi_pm.h"
#include "vmm/blob.h"

/* AML encoding (ACPI 6.4, table 20.3). */
#define AML_NAME    0x08u
#define AML_BYTE    0x0Au
#define AML_DWORD   0x0Cu
#define AML_STRING  0x0Du
#define AML_SCOPE   0x10u
#define AML_BUFFER  0x11u
#define AML_PACKAGE 0x12u
#define AML_EXT     0x5Bu
#define AML_EXT_DEV 0x82u
#define AML_ROOT    0x5Cu /* '\' */

/* Resource descriptors (6.4.2). */
#define RES_IRQ     0x22u /* short, IRQ, 2 bytes: edge, active high */
#define RES_IO      0x47u /* short, I/O port, 7 bytes */
#define RES_IO_16   0x01u /* decodes 16 address bits */
#define RES_MEM32   0x86u /* large, fixed memory, 32 bits */
#define RES_END_TAG 0x79u

/* An ISA device: Device (name) { Name (_HID, EisaId ("PNPxxxx")) Name (_UID, uid) Name (_CRS,
 * ResourceTemplate () { IO (Decode16, port, port, 1, length) IRQNoFlags () {irq} }) } */
struct isa_device {
    char name[5];
    uint16_t pnp; /* the four hex digits of its PNP id */
    uint8_t uid;
    uint16_t port;
    uint8_t length;
    uint8_t irq;
};

static const struct isa_device isa_devices[] = {
    {"COM1", 0x0501, 1, 0x3F8, 8, 4},
    {"RTC_", 0x0B00, 0, 0x70, 2, 8},
    {"TIMR", 0x0100, 0, 0x40, 4, 0},
};

/* A package length in its two-byte form (20.2.4), filled in by aml_close: it counts itself. */
static size_t aml_open(struct blob *b)
{
    size_t at = b->used;

    blob_u16(b, 0);
    return at;
}

static void aml_close(struct blob *b, size_t at)
{
    size_t length = b->used - at;

    if (b->full)
        return;
    b->mem[at] = (uint8_t)(0x40u | (length & 0xFu));
    b->mem[at + 1] = (uint8_t)(length >> 4);
}

static void aml_name(struct blob *b, const char *name)
{
    blob_u8(b, AML_NAME);
    blob_bytes(b, name, 4);
}

static void aml_byte(struct blob *b, uint8_t v)
{
    blob_u8(b, AML_BYTE);
    blob_u8(b, v);
}

static size_t aml_device(struct blob *b, const char *name)
{
    size_t at;

    blob_u8(b, AML_EXT);
    blob_u8(b, AML_EXT_DEV);
    at = aml_open(b);
    blob_bytes(b, name, 4);
    return at;
}

/* Name (\_S5, Package (4) {SLP_TYPa, SLP_TYPb, 0, 0}) (7.4.2) */
static void sleep_state(struct blob *b)
{
    size_t at;

    blob_u8(b, AML_NAME);
    blob_u8(b, AML_ROOT);
    blob_bytes(b, "_S5_", 4);
    blob_u8(b, AML_PACKAGE);
    at = aml_open(b);
    blob_u8(b, 4);
    aml_byte(b, ACPI_S5_SLP_TYP);
    aml_byte(b, ACPI_S5_SLP_TYP);
    aml_byte(b, 0);
    aml_byte(b, 0);
    aml_close(b, at);
}

/* Device (CPUn) { Name (_HID, "ACPI0007") Name (_UID, n) }: _UID is the MADT's processor UID (8.4). */
static void processor(struct blob *b, unsigned int n)
{
    char name[4] = {'C', 'P', 'U', (char)('0' + n)};
    size_t at = aml_device(b, name);

    aml_name(b, "_HID");
    blob_u8(b, AML_STRING);
    blob_bytes(b, "ACPI0007", 9);
    aml_name(b, "_UID");
    aml_byte(b, (uint8_t)n);
    aml_close(b, at);
}

static void resources(struct blob *b, const struct isa_device *d)
{
    size_t at;

    aml_name(b, "_CRS");
    blob_u8(b, AML_BUFFER);
    at = aml_open(b);
    aml_byte(b, 8 + 3 + 2);
    blob_u8(b, RES_IO);
    blob_u8(b, RES_IO_16);
    blob_u16(b, d->port);
    blob_u16(b, d->port);
    blob_u8(b, 1);
    blob_u8(b, d->length);
    blob_u8(b, RES_IRQ);
    blob_u16(b, (uint16_t)(1u << d->irq));
    blob_u8(b, RES_END_TAG);
    blob_u8(b, 0); /* checksum not used */
    aml_close(b, at);
}

/* Name (_HID, EisaId ("PNPxxxx")) */
static void hardware_id(struct blob *b, uint16_t pnp)
{
    aml_name(b, "_HID");
    blob_u8(b, AML_DWORD);
    blob_u8(b, 0x41); /* "PNP" in three times five bits (6.1.5), then the digits */
    blob_u8(b, 0xD0);
    blob_u8(b, (uint8_t)(pnp >> 8));
    blob_u8(b, (uint8_t)pnp);
}

static void isa_device(struct blob *b, const struct isa_device *d)
{
    size_t at = aml_device(b, d->name);

    hardware_id(b, d->pnp);
    aml_name(b, "_UID");
    aml_byte(b, d->uid);
    resources(b, d);
    aml_close(b, at);
}

/* Device (HPET) { Name (_HID, EisaId ("PNP0103")) Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadWrite,
 * base, length) }) } (IA-PC HPET Specification 1.0a, 3.2.6) */
static void hpet_device(struct blob *b)
{
    size_t device = aml_device(b, "HPET");
    size_t at;

    hardware_id(b, 0x0103);
    aml_name(b, "_CRS");
    blob_u8(b, AML_BUFFER);
    at = aml_open(b);
    aml_byte(b, 12 + 2);
    blob_u8(b, RES_MEM32);
    blob_u16(b, 9);
    blob_u8(b, 1); /* writable */
    blob_u32(b, (uint32_t)HPET_BASE);
    blob_u32(b, HPET_LENGTH);
    blob_u8(b, RES_END_TAG);
    blob_u8(b, 0); /* checksum not used */
    aml_close(b, at);
    aml_close(b, device);
}

void dsdt_body(struct blob *b, unsigned int cpus, bool hpet)
{
    size_t at;
    size_t i;

    sleep_state(b);
    blob_u8(b, AML_SCOPE);
    at = aml_open(b);
    blob_u8(b, AML_ROOT);
    blob_bytes(b, "_SB_", 4);
    for (i = 0; i < cpus; i++)
        processor(b, (unsigned int)i);
    for (i = 0; i < sizeof(isa_devices) / sizeof(isa_devices[0]); i++)
        isa_device(b, &isa_devices[i]);
    if (hpet)
        hpet_device(b);
    aml_close(b, at);
}
