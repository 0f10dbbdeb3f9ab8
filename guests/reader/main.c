/* Reads what is typed on its serial port, by interrupts, and sleeps in between. Words: bytes=N: how many,
 * then it tells their CRC-32 (zlib's). */
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/traps.h"

#define COM1      0x3F8
#define IRQ_COM1  4
#define IER       (COM1 + 1)
#define FCR       (COM1 + 2)
#define MCR       (COM1 + 4)
#define LSR       (COM1 + 5)
#define IER_RX    0x01
#define FCR_ON_8  0x81 /* FIFO, an interrupt when it is half full */
#define MCR_READY 0x0B /* DTR, RTS, OUT2 */
#define LSR_DATA  0x01
#define LSR_ERROR 0x1E
#define PROGRESS  20000u

static volatile uint64_t count, errors;
static volatile uint32_t crc = ~0u;
static uint64_t wanted;

static void take(uint8_t byte)
{
    uint32_t c = crc ^ byte;

    for (unsigned int bit = 0; bit < 8; bit++) {
        c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    crc = c;
    count++;
}

static void on_serial(struct trap_frame *frame)
{
    uint8_t lsr;

    (void)frame;
    while (count < wanted && ((lsr = inb(LSR)) & LSR_DATA)) {
        errors += (lsr & LSR_ERROR) != 0;
        take(inb(COM1));
    }
    pic_eoi(IRQ_COM1);
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"bytes", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t told = 0;

    wanted = word_number(words, "bytes", 1, &bad);
    if (bad) {
        printf("reader: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    lapic_init();
    traps_set(PIC_VECTOR_BASE + IRQ_COM1, on_serial);
    outb(FCR, FCR_ON_8);
    outb(MCR, MCR_READY);
    outb(IER, IER_RX);
    pic_unmask(IRQ_COM1);
    printf("reader: waiting for %lu bytes\n", wanted);
    while (count < wanted) {
        wait_for_interrupt();
        interrupts_off();
        if (count / PROGRESS != told) {
            told = count / PROGRESS;
            printf("reader: %lu so far\n", count);
        }
    }
    printf("reader: %lu bytes, crc %08x, %lu errors\n", count, ~crc, errors);
    return errors ? EXIT_FAIL : EXIT_OK;
}
