/* The end of everything. */
#include "kernel/verdict.h"

#include <stdint.h>

#include "arch/x86/machine.h"
#include "kernel/console.h"

void verdict_leave(enum verdict verdict)
{
    static const uint8_t codes[] = {
        [VERDICT_OK] = VERDICT_CODE_OK,
        [VERDICT_FAILED] = VERDICT_CODE_FAILED,
        [VERDICT_PANIC] = VERDICT_CODE_PANIC,
    };

    console_drain();
    machine_leave(codes[verdict]);
}
