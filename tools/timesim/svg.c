#include "svg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* The page, in pixels. */
#define LEFT       150.0
#define WIDTH      1300.0
#define RIGHT      50.0
#define TOP        60.0
#define CLOCK_H    18.0
#define TIMER_STEP 74.0
#define SLICE_H    26.0
#define PLOT_H     200.0
#define LABEL_GAP  13.0  /* the least distance between two labels on a line */
#define LABEL_MOST 11    /* characters of an event's label: more would reach the line above */
#define NAME_MOST  20    /* characters of a timer's name that fit left of its line */
#define MAX_ROWS   20000 /* a diagram with more marks than this shows nothing */
#define MAX_EDGES  360

struct svg {
    FILE *file;
    const struct scenario *s;
    bool naive;
    struct row *rows;
    size_t count;
    bool more;
    double scale;
    uint64_t end;
    uint64_t per; /* all numbers are shown in this unit: a power of 1,000 */
};

struct svg *svg_open(const char *path, const struct scenario *s, bool naive)
{
    FILE *file = fopen(path, "w");
    struct svg *svg;

    if (file == NULL) {
        return NULL;
    }
    svg = parse_grow(NULL, 0, sizeof(*svg));
    *svg = (struct svg){.file = file, .s = s, .naive = naive};
    return svg;
}

void svg_row(struct svg *svg, const struct row *row)
{
    if (svg->count >= MAX_ROWS) {
        svg->more = true;
        return;
    }
    if ((svg->count & (svg->count - 1)) == 0) {
        svg->rows = parse_grow(svg->rows, svg->count * 2, sizeof(*svg->rows));
    }
    svg->rows[svg->count++] = *row;
}

static double x_of(const struct svg *svg, uint64_t rt)
{
    return LEFT + (double)rt * svg->scale;
}

static double y_of_timer(size_t timer)
{
    return TOP + CLOCK_H + 80.0 + (double)timer * TIMER_STEP;
}

static void text(const struct svg *svg, double x, double y, const char *class, const char *content)
{
    fprintf(svg->file, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    for (const char *c = content; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            fputs("&amp;", svg->file);
            break;
        case '<':
            fputs("&lt;", svg->file);
            break;
        case '>':
            fputs("&gt;", svg->file);
            break;
        default:
            /* control characters and lone bytes have no place in XML */
            fputc((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e ? '?' : *c, svg->file);
        }
    }
    fputs("</text>\n", svg->file);
}

static void line(const struct svg *svg, double x1, double y1, double x2, double y2, const char *class)
{
    fprintf(svg->file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2,
            y2, class);
}

/* A name as far as there is room for it; what is cut off shows as dots. */
static void name_text(const struct svg *svg, double y, const char *name)
{
    char shown[NAME_MOST + 1];

    if (snprintf(shown, sizeof(shown), "%s", name) > NAME_MOST) {
        snprintf(shown + NAME_MOST - 2, 3, "..");
    }
    text(svg, 10, y, "name", shown);
}

/* The least power of 1,000 in which the whole time has at most six digits. */
static uint64_t unit_of_numbers(uint64_t whole)
{
    uint64_t per = 1;

    while (whole / per >= 1000000) {
        per *= 1000;
    }
    return per;
}

/* 1, 2, 5, 10, 20 ... : the least such unit of which the whole time has at most `most`. */
static uint64_t nice_unit(uint64_t whole, uint64_t most)
{
    static const uint64_t steps[] = {1, 2, 5};

    for (uint64_t power = 1; power <= SCENARIO_MAX; power *= 10) {
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            if (whole / (steps[i] * power) <= most) {
                return steps[i] * power;
            }
        }
    }
    return SCENARIO_MAX;
}

/* [0058]: each rising edge and each falling edge is one unit of time. */
static void draw_clock(const struct svg *svg)
{
    uint64_t unit = nice_unit(svg->end, MAX_EDGES);
    char caption[64];
    bool high = false;

    snprintf(caption, sizeof(caption), "edge = %" PRIu64, unit / svg->per);
    text(svg, 10, TOP + 8, "name", "hardware clock");
    text(svg, 10, TOP + 22, "note", caption);
    fprintf(svg->file, "<path class=\"clock\" d=\"M%.1f %.1f", LEFT, TOP + CLOCK_H);
    for (uint64_t rt = unit; rt <= svg->end; rt += unit) {
        fprintf(svg->file, "H%.2fV%.1f", x_of(svg, rt), high ? TOP + CLOCK_H : TOP);
        high = !high;
    }
    fprintf(svg->file, "H%.2f\"/>\n", x_of(svg, svg->end));
}

/* Real time's scale, and the faint lines under everything. */
static void draw_scale(const struct svg *svg, double bottom)
{
    uint64_t unit = nice_unit(svg->end, 22);

    for (uint64_t rt = 0; rt <= svg->end; rt += unit) {
        char number[32];

        snprintf(number, sizeof(number), "%" PRIu64, rt / svg->per);
        line(svg, x_of(svg, rt), TOP + CLOCK_H + 4, x_of(svg, rt), bottom, "grid");
        text(svg, x_of(svg, rt), TOP - 8, "tick", number);
    }
}

static void draw_slices(const struct svg *svg, double y)
{
    text(svg, 10, y + 17, "name", "VM executes");
    line(svg, LEFT, y + SLICE_H, LEFT + WIDTH, y + SLICE_H, "axis");
    for (size_t i = 0; i < svg->s->window_count; i++) {
        const struct window *w = &svg->s->windows[i];
        char label[64];
        double x = x_of(svg, w->from);
        double width = x_of(svg, w->to) - x;

        fprintf(svg->file, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"slice\"/>\n",
                x, y, width, SLICE_H);
        snprintf(label, sizeof(label), "%" PRIu64 " - %" PRIu64, w->from / svg->per, w->to / svg->per);
        if (width > 12.0 * (double)strlen(label) / 2) {
            text(svg, x + width / 2, y + 17, "mid", label);
        }
    }
}

/* The mark of an event, and its real time where there is room; the AT too where it differs and fits. */
static void draw_event(const struct svg *svg, const struct row *row, double *last_label)
{
    static const char *const classes[] = {"normal", "catchup", "leap"};
    double x = x_of(svg, row->rt);
    double y = y_of_timer(row->timer);
    char label[64];

    line(svg, x, y - 22, x, y, classes[row->mode]);
    if (x - *last_label < LABEL_GAP) {
        return;
    }
    *last_label = x;
    if (row->at == row->rt || snprintf(label, sizeof(label), "%" PRIu64 " (%" PRIu64 ")", row->rt / svg->per,
                                       row->at / svg->per) > LABEL_MOST) {
        snprintf(label, sizeof(label), "%" PRIu64, row->rt / svg->per);
    }
    fprintf(svg->file, "<text transform=\"translate(%.1f %.1f) rotate(-60)\" class=\"event\">%s</text>\n",
            x + 3, y - 25, label);
}

static void draw_timers(const struct svg *svg)
{
    for (size_t timer = 0; timer < svg->s->timer_count; timer++) {
        double last_label = -LABEL_GAP;
        double y = y_of_timer(timer);

        name_text(svg, y - 6, svg->s->timers[timer].name);
        line(svg, LEFT, y, LEFT + WIDTH, y, "axis");
        for (size_t i = 0; i < svg->count; i++) {
            const struct row *row = &svg->rows[i];

            if (row->timer != timer) {
                continue;
            }
            if (row->kind == ROW_EVENT) {
                draw_event(svg, row, &last_label);
            } else if (row->kind == ROW_DROP) {
                char label[64];

                snprintf(label, sizeof(label), "%" PRIu64 " dropped", row->dropped);
                text(svg, x_of(svg, row->rt) + 3, y + 12, "note", label);
            }
        }
    }
}

/* Lines of equal AT, and of the real times above. */
static void draw_at_scale(const struct svg *svg, double y0, double scale)
{
    uint64_t unit = nice_unit(svg->end, 5);
    uint64_t step = nice_unit(svg->end, 22);

    for (uint64_t rt = 0; rt <= svg->end; rt += step) {
        line(svg, x_of(svg, rt), y0, x_of(svg, rt), y0 - PLOT_H, "grid");
    }
    for (uint64_t at = 0; at <= svg->end; at += unit) {
        char number[32];
        double y = y0 - (double)at * scale;

        snprintf(number, sizeof(number), "%" PRIu64, at / svg->per);
        line(svg, LEFT - 4, y, LEFT + WIDTH, y, "grid");
        text(svg, LEFT - 8, y + 4, "scale", number);
    }
}

/* Apparent time over real time: the incidents, and the straight line that they try to keep to. */
static void draw_apparent(const struct svg *svg, double top)
{
    double y0 = top + PLOT_H;
    double scale = PLOT_H / (WIDTH / svg->scale);

    text(svg, 10, top + 14, "name", "apparent time");
    text(svg, 10, top + 28, "note", "dashed: real time");
    draw_at_scale(svg, y0, scale);
    line(svg, LEFT, y0, LEFT + WIDTH, y0, "axis");
    line(svg, LEFT, top, LEFT, y0, "axis");
    line(svg, LEFT, y0, LEFT + WIDTH, top, "ideal");
    fprintf(svg->file, "<path class=\"at\" d=\"M%.1f %.1f", LEFT, y0);
    for (size_t i = 0; i < svg->count; i++) {
        double y = y0 - (double)svg->rows[i].at * scale;

        fprintf(svg->file, "L%.2f %.2f", x_of(svg, svg->rows[i].rt), y < top ? top : y);
    }
    fputs("\"/>\n", svg->file);
    for (size_t i = 0; i < svg->count; i++) {
        if (svg->rows[i].kind == ROW_READ) {
            fprintf(svg->file,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"read\"><title>read %" PRIu64 ": %" PRIu64
                    "</title></circle>\n",
                    x_of(svg, svg->rows[i].rt), y0 - (double)svg->rows[i].at * scale, svg->rows[i].rt,
                    svg->rows[i].at);
        }
    }
}

static void draw_style(const struct svg *svg)
{
    fputs(
        "<style>text{font:11px sans-serif;fill:#222}.name{font-weight:bold}.note,.event,.tick{font-size:10px}"
        ".tick,.mid{text-anchor:middle}.scale{text-anchor:end;font-size:10px;fill:#667}.title{font-size:15px}.note,.tick{fill:#667}"
        "line,path{fill:none;stroke:#222;stroke-width:1}.grid{stroke:#e4e6ea}.axis{stroke:#889}"
        ".clock{stroke:#445;stroke-width:.8}.normal{stroke-width:2}.catchup{stroke:#c4561b;stroke-width:2}"
        ".leap{stroke:#a3123c;stroke-width:2;stroke-dasharray:3 2}.slice{fill:#cfe0f3;stroke:#5b84b1}"
        ".ideal{stroke:#aab;stroke-dasharray:4 4}.at{stroke:#1f5fa8;stroke-width:1.6}"
        ".read{fill:#fff;stroke:#1f5fa8}</style>\n",
        svg->file);
}

/* The marks and what they mean, from the right edge to the left. */
static void draw_legend(const struct svg *svg)
{
    static const struct {
        const char *class;
        const char *means;
        double width;
    } marks[] = {{"leap", "leap", 50}, {"catchup", "catch-up mode", 105}, {"normal", "normal mode", 95}};
    double x = LEFT + WIDTH;
    char numbers[64] = "events: real time (apparent time)";

    text(svg, 10, 22, "title", svg->naive ? "Timers without a coordinator" : "Timers in apparent time");
    if (svg->more) {
        text(svg, LEFT, 22, "note", "the first incidents only: there are too many to draw");
    }
    for (size_t i = svg->naive ? 3 : 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        x -= marks[i].width;
        line(svg, x, 10, x, 24, marks[i].class);
        text(svg, x + 6, 21, "note", marks[i].means);
    }
    if (svg->per > 1) {
        snprintf(numbers, sizeof(numbers), "all numbers in units of %" PRIu64, svg->per);
    }
    text(svg, x - 235, 21, "note", numbers);
}

static void draw(struct svg *svg)
{
    const struct scenario *s = svg->s;
    double slices = y_of_timer(s->timer_count) - TIMER_STEP + 24;
    double bottom = slices + SLICE_H + (svg->naive ? 10 : PLOT_H + 40);
    double width = LEFT + WIDTH + RIGHT;

    svg->end = s->window_count != 0 ? s->windows[s->window_count - 1].to : 1;
    svg->scale = WIDTH / (double)svg->end;
    svg->per = unit_of_numbers(svg->end);
    fprintf(
        svg->file,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n",
        width, bottom + 10, width, bottom + 10);
    draw_style(svg);
    fprintf(svg->file, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", width, bottom + 10);
    draw_legend(svg);
    draw_scale(svg, slices + SLICE_H);
    draw_clock(svg);
    draw_timers(svg);
    draw_slices(svg, slices);
    if (!svg->naive) {
        draw_apparent(svg, slices + SLICE_H + 30);
    }
    fputs("</svg>\n", svg->file);
}

bool svg_close(struct svg *svg)
{
    bool ok;
    int error;

    draw(svg);
    ok = !ferror(svg->file);
    ok = fclose(svg->file) == 0 && ok;
    error = errno;
    free(svg->rows);
    free(svg);
    errno = error;
    return ok;
}
