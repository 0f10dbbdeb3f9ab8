/* The known settings (DESIGN.md section 4): what each word is called, what it takes, and where its value
 * goes. */
#ifndef VMM_SETTINGS_H
#define VMM_SETTINGS_H

#include "vmm/config.h"
#include "vmm/words.h"

enum module_role { ROLE_KERNEL, ROLE_INITRD, ROLE_MODULE };

/* What one module line is parsed into: the target of vm_settings. */
struct settings_line {
    struct vm_config *vm;
    enum module_role role;
};

/* Target: struct global_config. */
extern const struct setting global_settings[];
extern const unsigned int global_settings_count;

/* Target: struct settings_line. The first ones are given once in each line, the others once for each VM. */
extern const struct setting vm_settings[];
extern const unsigned int vm_settings_count;
/* Whether a word's setting may be changed while the VM runs: those of its time, but for time=. */
bool settings_live(const char *word);
#define SETTINGS_PER_LINE 0x7u /* bits of vm=, initrd, module */

#endif
