/* One instruction on the processor itself: see native.h. */
#define _GNU_SOURCE /* REG_RIP */
#include "tests/fuzz/native.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* The registers before and after, at NATIVE_STATE: gpr[16], flags, the host's RSP, where to jump. */
#define NATIVE_STATE 0x500000u
#define STATE_RSP    (NATIVE_STATE + 0x88u)
#define STATE_TARGET (NATIVE_STATE + 0x90u)
#define STATE_RETURN (NATIVE_STATE + 0x98u)
#define RETURN_JUMP  7u /* bytes: jmp *[disp32] */

struct shared {
    struct native_state state;
    uint64_t host_rsp;
    uint64_t target;
    uint64_t back;
};
_Static_assert(sizeof(struct shared) == 0xa0, "the assembly below knows the offsets");

static volatile sig_atomic_t running, raised;

void native_enter(void);
extern const char native_back[];

/* Moves leave the flags alone, so these are set first and read last. */
__asm__(".text\n"
        "native_enter:\n"
        "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp, 0x500088\n"
        "  pushq 0x500080\n  popfq\n"
        "  mov 0x500000, %rax\n  mov 0x500008, %rcx\n  mov 0x500010, %rdx\n  mov 0x500018, %rbx\n"
        "  mov 0x500028, %rbp\n  mov 0x500030, %rsi\n  mov 0x500038, %rdi\n  mov 0x500040, %r8\n"
        "  mov 0x500048, %r9\n  mov 0x500050, %r10\n  mov 0x500058, %r11\n  mov 0x500060, %r12\n"
        "  mov 0x500068, %r13\n  mov 0x500070, %r14\n  mov 0x500078, %r15\n  mov 0x500020, %rsp\n"
        "  jmp *0x500090\n"
        "native_back:\n"
        "  mov %rax, 0x500000\n  mov %rcx, 0x500008\n  mov %rdx, 0x500010\n  mov %rbx, 0x500018\n"
        "  mov %rsp, 0x500020\n  mov %rbp, 0x500028\n  mov %rsi, 0x500030\n  mov %rdi, 0x500038\n"
        "  mov %r8, 0x500040\n  mov %r9, 0x500048\n  mov %r10, 0x500050\n  mov %r11, 0x500058\n"
        "  mov %r12, 0x500060\n  mov %r13, 0x500068\n  mov %r14, 0x500070\n  mov %r15, 0x500078\n"
        "  mov 0x500088, %rsp\n"
        "  pushfq\n  popq 0x500080\n  cld\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
        "  ret\n");

static void caught(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)info;
    if (!running) {
        signal(number, SIG_DFL);
        return;
    }
    raised = 1;
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)native_back;
}

static void map_at(uint64_t address, size_t bytes, int rights)
{
    void *p = (void *)(uintptr_t)address;

    if (mmap(p, bytes, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p)
        return;
    fprintf(stderr, "native: address %llx is taken\n", (unsigned long long)address);
    exit(1);
}

/* The instruction may have moved RSP anywhere: signals take a stack of their own. */
static void catch_exceptions(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    static uint8_t stack[65536];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    action.sa_sigaction = caught;
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
}

void native_init(void)
{
    map_at(NATIVE_CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_at(NATIVE_DATA, NATIVE_DATA_BYTES, PROT_READ | PROT_WRITE);
    map_at(NATIVE_STATE, 4096, PROT_READ | PROT_WRITE);
    catch_exceptions();
}

bool native_run(const uint8_t *code, unsigned int length, struct native_state *s)
{
    static const uint8_t jump[RETURN_JUMP] = {0xff, 0x24, 0x25, 0x98, 0x00, 0x50, 0x00};
    struct shared *shared = (struct shared *)(uintptr_t)NATIVE_STATE;
    uint8_t *page = (uint8_t *)(uintptr_t)NATIVE_CODE;
    sigset_t timers, before;

    memcpy(page, code, length);
    memcpy(page + length, jump, sizeof(jump));
    *shared = (struct shared){.state = *s, .target = NATIVE_CODE, .back = (uintptr_t)native_back};
    /* libFuzzer's timer must not come while the stack is the instruction's. */
    sigemptyset(&timers);
    sigaddset(&timers, SIGALRM);
    sigprocmask(SIG_BLOCK, &timers, &before);
    raised = 0;
    running = 1;
    native_enter();
    running = 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    *s = shared->state;
    return !raised;
}
