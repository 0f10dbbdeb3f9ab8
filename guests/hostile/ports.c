/* Every port but those that end or reset the machine: read and written in every width, and by string
 * instructions. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"

/* Spared are the ports from which an access of up to four bytes reaches one that resets (64h, 92h, CF9h),
 * that ends the machine (F4h), or the console's. */
static const struct port_range {
    uint32_t first, last;
} spared[] = {{0x61, 0x64}, {0x8F, 0x92}, {0xF1, 0xF4}, {0x3F5, 0x3FF}, {0xCF6, 0xCF9}};

static const uint32_t patterns[] = {0x00000000, 0xFFFFFFFF, 0x5A5A5A5A};

static bool is_spared(uint32_t port)
{
    for (unsigned int i = 0; i < sizeof(spared) / sizeof(spared[0]); i++) {
        if (port >= spared[i].first && port <= spared[i].last) {
            return true;
        }
    }
    return false;
}

static void strings(uint16_t port)
{
    static uint8_t buffer[64];
    void *at = buffer;
    uint64_t count = sizeof(buffer);

    __asm__ volatile("rep insb" : "+D"(at), "+c"(count) : "d"(port) : "memory");
    at = buffer;
    count = sizeof(buffer) / 4;
    __asm__ volatile("rep outsl" : "+S"(at), "+c"(count) : "d"(port) : "memory");
}

int hostile_ports(const struct plan *plan)
{
    uint64_t accesses = 0;

    for (uint32_t port = 0; port < 0x10000; port++) {
        uint16_t p = (uint16_t)port;

        if (is_spared(port)) {
            continue;
        }
        for (unsigned int i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
            outb(p, (uint8_t)patterns[i]);
        }
        outw(p, 0xA5A5);
        outl(p, 0x5A5A5A5A);
        (void)inb(p);
        (void)inw(p);
        (void)inl(p);
        accesses += 8;
        if (port % 0x101 == 0) {
            strings(p);
        }
    }
    printf("hostile: %lu port accesses\n", accesses);
    return (int)plan->exit;
}
