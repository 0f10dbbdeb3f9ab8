/* A guest's VGA text page; see text_page.h. */
#include "kernel/text_page.h"

#define CURSOR_START 0x0a
#define CURSOR_OFF   0x20
#define START        0x0c /* and 0Dh: high byte first, in cells */
#define CURSOR       0x0e /* and 0Fh */
#define CELLS        (TEXT_PAGE_MEMORY / 2)

static unsigned int address(const uint8_t *crtc, unsigned int high)
{
    return crtc[high] * 256u + crtc[high + 1];
}

void text_page_row(char out[TEXT_PAGE_COLUMNS + 1], const uint8_t *cells, const uint8_t *crtc,
                   unsigned int row)
{
    unsigned int at = address(crtc, START) + row * TEXT_PAGE_COLUMNS;
    unsigned int n = 0;

    for (unsigned int column = 0; column < TEXT_PAGE_COLUMNS; column++) {
        uint8_t c = cells[(at + column) % CELLS * 2];

        out[column] = c == 0 ? ' ' : c >= ' ' && c <= '~' ? (char)c : '.';
        if (out[column] != ' ')
            n = column + 1;
    }
    out[n] = 0;
}

bool text_page_cursor(const uint8_t *crtc, unsigned int *row, unsigned int *column)
{
    unsigned int at = (address(crtc, CURSOR) - address(crtc, START)) & 0xffff;

    *row = at / TEXT_PAGE_COLUMNS;
    *column = at % TEXT_PAGE_COLUMNS;
    return *row < TEXT_PAGE_ROWS && (crtc[CURSOR_START] & CURSOR_OFF) == 0;
}
