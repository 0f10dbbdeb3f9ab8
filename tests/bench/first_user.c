/* The first user process of the measured Linux boots: marks that it runs, says so, powers off. Freestanding,
 * so that it is the same few instructions under every kernel. */
#include "guests/lib/mark.h"

#define SYS_WRITE  1
#define SYS_REBOOT 169
#define MAGIC_1    0xfee1dead /* linux/reboot.h */
#define MAGIC_2    672274793
#define POWER_OFF  0x4321fedc

void run(void);

static long call(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

__attribute__((used)) void run(void)
{
    static const char text[] = "init: first user process\n";

    MARK(MARK_END);
    MARK(MARK_RESULT);
    call(SYS_WRITE, 1, (long)text, sizeof text - 1);
    call(SYS_REBOOT, MAGIC_1, MAGIC_2, POWER_OFF);
}

__asm__(".globl _start\n"
        "_start:\n\t"
        "andq $-16, %rsp\n\t"
        "call run\n\t"
        "ud2\n");
