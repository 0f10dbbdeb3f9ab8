#include "kernel/screen.h"

#include <stdbool.h>

#define ATTRIBUTE (0x07u << 8) /* light grey on black */
#define BLANK     (ATTRIBUTE | ' ')

static volatile uint16_t *screen;
static uint16_t shadow[SCREEN_ROWS][SCREEN_COLUMNS]; /* reading the screen is slow */
static unsigned int row;                             /* the next one to be written */

static void show(unsigned int from, unsigned int to)
{
    for (unsigned int r = from; r < to; r++)
        for (unsigned int c = 0; c < SCREEN_COLUMNS; c++)
            screen[r * SCREEN_COLUMNS + c] = shadow[r][c];
}

static void clear_row(unsigned int r)
{
    for (unsigned int c = 0; c < SCREEN_COLUMNS; c++)
        shadow[r][c] = BLANK;
}

void screen_init(volatile uint16_t *cells)
{
    screen = cells;
    row = 0;
    for (unsigned int r = 0; r < SCREEN_ROWS; r++)
        clear_row(r);
    if (screen)
        show(0, SCREEN_ROWS);
}

/* True if the rows above have moved. */
static bool make_room(void)
{
    if (row < SCREEN_ROWS)
        return false;
    for (unsigned int r = 1; r < SCREEN_ROWS; r++)
        for (unsigned int c = 0; c < SCREEN_COLUMNS; c++)
            shadow[r - 1][c] = shadow[r][c];
    row = SCREEN_ROWS - 1;
    clear_row(row);
    return true;
}

void screen_line(const char *text, size_t n)
{
    unsigned int first = row;
    size_t at = 0;

    if (!screen)
        return;
    do {
        if (make_room())
            first = 0;
        for (unsigned int c = 0; c < SCREEN_COLUMNS && at < n; c++, at++)
            shadow[row][c] = (uint16_t)(ATTRIBUTE | (uint8_t)text[at]);
        row++;
    } while (at < n);
    show(first, row);
}
