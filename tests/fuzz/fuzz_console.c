/* links: kernel/input.c kernel/lines.c kernel/backlog.c kernel/printable.c */
/* links: kernel/editor.c kernel/command.c */
/* The console: what a person types, what guests and the hypervisor write, in any order, with any views. What
 * leaves in the view of all lines is lines, each with its writer's name before it, and holds nothing that a
 * terminal would take for a command; the editor's line fits, whatever keys come; all input that was taken
 * gives its place back. */
#include "kernel/command.h"
#include "kernel/editor.h"
#include "kernel/input.h"
#include "kernel/lines.h"
#include "tests/fuzz/bytes.h"

#define GUESTS 3u

static struct lines lines;
static struct input keys;
static struct editor editor;
static bool all_lines; /* never another view so far: everything that leaves is lines */
static char line[LINES_MAX + LINES_HOST_MAX];
static size_t length;

/* ---- output ---- */

static void judge_line(void)
{
    static const char *const names[] = {"alpha| ", "beta| ", "gamma| ", "escapement: "};
    bool named = false;

    for (unsigned int i = 0; i < 4; i++)
        named |= strncmp(line, names[i], strlen(names[i])) == 0;
    CHECK(named, "a line of nobody: %s", line);
}

static void judge_byte(unsigned char c)
{
    if (c == '\n') {
        line[length] = 0;
        judge_line();
        length = 0;
        return;
    }
    CHECK(c == '\r' || c == '\t' || (c >= ' ' && c != 0x7f), "byte %02x leaves", c);
    CHECK(length < sizeof(line) - 1, "a line of %zu characters", length);
    if (c != '\r')
        line[length++] = (char)c;
}

static void drain(size_t most)
{
    char out[64];

    for (size_t got; most > 0 && (got = lines_take(&lines, out, most < sizeof(out) ? most : sizeof(out))) > 0;
         most -= got)
        for (size_t i = 0; i < got && all_lines; i++)
            judge_byte((unsigned char)out[i]);
}

/* ---- the monitor's editor ---- */

static void on_screen(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        CHECK((unsigned char)text[i] >= ' ' || strchr("\r\n\b\a\033", text[i]), "byte %02x",
              (unsigned char)text[i]);
}

static const char *guest_name(unsigned int i)
{
    static const char *const names[] = {"alpha", "beta", "gamma"};
    return i < GUESTS ? names[i] : NULL;
}

static const struct command table[] = {
    {.name = "pause", .args = "VM", .help = "stops it"},
    {.name = "resume", .args = "VM", .help = "lets it go on"},
    {.name = "reset", .args = "VM", .help = "from its images"},
};
static struct command_set set = {.table = table, .n = 3};

static const char *candidate(const char *text, unsigned int i, size_t *start)
{
    return command_candidate(&set, text, i, start);
}

static void typed(uint8_t byte)
{
    char *argv[COMMAND_WORDS], copy[EDITOR_LINE + 1];
    unsigned int several;

    if (editor_key(&editor, byte) == EDITOR_LINE_DONE) {
        CHECK(strlen(editor.line) <= EDITOR_LINE, "a line of %zu", strlen(editor.line));
        memcpy(copy, editor.line, sizeof(copy));
        unsigned int n = command_split(copy, argv);
        if (n > 0 && !command_find(&set, argv[0], &several))
            command_meant(&set, argv[0]);
        editor_begin(&editor);
    }
    CHECK(editor.length <= EDITOR_LINE && editor.cursor <= editor.length && editor.line[editor.length] == 0,
          "length %zu, cursor %zu", editor.length, editor.cursor);
    for (size_t i = 0; i < editor.length; i++)
        CHECK(editor.line[i] >= ' ' && editor.line[i] < 0x7f, "byte %02x in the line",
              (unsigned char)editor.line[i]);
}

/* ---- what happens ---- */

static void write_some(struct bytes *in, unsigned int writer, uint64_t now)
{
    size_t n;
    const uint8_t *bytes = take_bytes(in, 1 + take8(in), &n);
    uint8_t times = take8(in) % 8;

    do {
        for (size_t i = 0; i < n; i++)
            lines_putc(&lines, writer, bytes[i], now);
    } while (times-- > 0);
}

/* As kernel/log.c writes it: with a name before it, and without newlines. */
static void host_says(struct bytes *in)
{
    char text[1000] = "escapement: ";
    char *words = take_string(in, 700);

    strcat(text, words);
    free(words);
    for (char *c = text; *c; c++)
        *c = *c < ' ' || *c == 0x7f ? '.' : *c;
    lines_host(&lines, text, strlen(text));
}

static void change_view(uint8_t which)
{
    all_lines = false;
    if (which % 3 == 0)
        lines_view_all(&lines);
    else if (which % 3 == 1)
        lines_view_terminal(&lines, which / 3 % GUESTS);
    else
        lines_view_monitor(&lines);
}

static void look(uint8_t which)
{
    unsigned int guest = which / 3 % GUESTS;

    if (which % 3 == VIEW_TERMINAL && !(keys.alive >> guest & 1))
        return;
    input_look(&keys, (enum input_view)(which % 3), guest);
}

static void step(struct bytes *in, uint64_t now)
{
    uint8_t what = take8(in);
    unsigned int guest = (what >> 4) % GUESTS;

    switch (what % 12) {
    case 0:
    case 1:
        write_some(in, guest, now);
        break;
    case 2:
        host_says(in);
        break;
    case 3:
        lines_flush(&lines, guest);
        break;
    case 4:
        lines_flush_silent(&lines, now > 1000 ? now - 1000 : 0);
        break;
    case 5:
        drain(1 + take(in, 2));
        break;
    case 6:
        if (what & 128)
            change_view(take8(in));
        else
            (void)lines_ready(&lines, guest);
        break;
    case 7:
    case 8:
        for (uint8_t n = what >> 4; n > 0; n--)
            if (!input_put(&keys, take8(in), now, 5000))
                break;
        break;
    case 9:
        for (uint8_t n = what >> 4; n > 0 && input_take(&keys, guest, now) >= 0; n--)
            ;
        for (int c; (c = input_take(&keys, INPUT_MONITOR, now)) >= 0;)
            typed((uint8_t)c);
        break;
    case 10:
        if (what & 128)
            input_guest_ends(&keys, guest);
        else if (!(keys.alive >> guest & 1))
            input_guest_starts(&keys, guest);
        else
            look(what >> 4);
        break;
    default:
        for (uint8_t n = what >> 4; n > 0; n--)
            typed(take8(in));
        break;
    }
}

static void set_up(void)
{
    lines_init(&lines);
    input_init(&keys);
    for (unsigned int i = 0; i < GUESTS; i++) {
        lines_name(&lines, i, guest_name(i));
        input_guest_starts(&keys, i);
    }
    set.names[ARG_VM] = guest_name;
    editor_init(&editor, "> ", on_screen, candidate);
    editor_begin(&editor);
    all_lines = true;
    length = 0;
}

/* Each block of the pool is free again once everything has been read. */
static void judge_input(uint64_t now)
{
    for (unsigned int i = 0; i < GUESTS; i++)
        while (input_take(&keys, i, now) >= 0)
            ;
    while (input_take(&keys, INPUT_MONITOR, now) >= 0)
        ;
    CHECK(keys.nfree == INPUT_BLOCKS, "%u blocks are free", keys.nfree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    uint64_t now = 0;

    set_up();
    if (take8(&in) & 1)
        lines_crlf(&lines);
    while (in.left > 0) {
        now += take8(&in) * 16u;
        step(&in, now);
    }
    for (unsigned int i = 0; i < GUESTS; i++) {
        lines_flush(&lines, i);
        drain(SIZE_MAX);
    }
    CHECK(!all_lines || lines_empty(&lines), "something stays");
    judge_input(now);
    return 0;
}
