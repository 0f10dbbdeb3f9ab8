/* What the monitor's files share. For nobody else. */
#ifndef KERNEL_MONITOR_INTERNAL_H
#define KERNEL_MONITOR_INTERNAL_H

#include "kernel/command.h"
#include "kernel/guests.h"
#include "timers/vtime.h"

/* One line of the monitor's output; cut at 200 characters. */
void monitor_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The VM of that name or number; NULL after saying that there is none, or, for one that must be there, that
 * it has ended. */
struct guest *monitor_vm(const char *word);
struct guest *monitor_running_vm(const char *word);

/* Calls fn(g, arg) where that VM is at home (kernel/smp.h), if it has not ended; says so if there is none, or
 * it has. */
void monitor_on_vm(const char *word, void (*fn)(struct guest *g, void *arg), void *arg);
/* The same while none of its vCPUs runs. */
void monitor_on_whole_vm(const char *word, void (*fn)(struct guest *g, void *arg), void *arg);

/* The VM's time as it is at RT `now`, looked at without touching it: a copy whose real time is latched; valid
 * until the next call. */
const struct vtime *monitor_time_of(const struct vm *vm, rt_t now);

/* RT ticks as seconds with six decimals, "12.345678"; as milliseconds with three. */
#define MONITOR_TIME 32
const char *monitor_seconds(char out[MONITOR_TIME], uint64_t ticks);
const char *monitor_signed_ms(char out[MONITOR_TIME], int64_t ticks);

/* The names of all VMs, for completion and suggestions. */
const char *monitor_vm_names(unsigned int i);
const char *monitor_meanings(unsigned int i);
const char *monitor_settings(unsigned int i);
const char *monitor_trace_words(unsigned int i);

/* Share of the processor that a VM had in the last second or two, in tenths of a percent. */
unsigned int monitor_share(const struct guest *g);
void monitor_sample(rt_t now);

/* The dump that is under way (trace_dumping()): a few lines more, as far as the console has room, false: it
 * has ended; the end before its end. */
bool monitor_dump_step(void);
void monitor_dump_stop(void);

/* The commands. */
void command_vms(unsigned int argc, char **argv);
void command_exits(unsigned int argc, char **argv);
void command_regs(unsigned int argc, char **argv);
void command_screen(unsigned int argc, char **argv);
void command_time(unsigned int argc, char **argv);
void command_queue(unsigned int argc, char **argv);
void command_deadlines(unsigned int argc, char **argv);
void command_pause(unsigned int argc, char **argv);
void command_resume(unsigned int argc, char **argv);
void command_set(unsigned int argc, char **argv);
void command_reset(unsigned int argc, char **argv);
void command_kill(unsigned int argc, char **argv);
void command_trace(unsigned int argc, char **argv);
void command_console(unsigned int argc, char **argv);
void command_quit(unsigned int argc, char **argv);

#endif
