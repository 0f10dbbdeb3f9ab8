/* A guest's VGA text page as its CRTC shows it (VGA data sheets: registers 0Ah, 0Ch-0Fh of 3D4h). Pure: the
 * memory and the registers are the guest's to fill with anything. */
#ifndef KERNEL_TEXT_PAGE_H
#define KERNEL_TEXT_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#define TEXT_PAGE_COLUMNS 80u
#define TEXT_PAGE_ROWS    25u
#define TEXT_PAGE_MEMORY  0x8000u /* bytes from B8000h on; addresses wrap there */

/* Row `row` (from 0) of what is shown, from the start address on, which drivers move to scroll; without the
 * blanks at its end. Code page 437's frames and letters have no place on a line of ASCII: a full stop stands
 * for them. `cells` holds TEXT_PAGE_MEMORY bytes, `crtc` registers 00h-0Fh. */
void text_page_row(char out[TEXT_PAGE_COLUMNS + 1], const uint8_t *cells, const uint8_t *crtc,
                   unsigned int row);

/* Where the cursor is on it, from 0. False: nowhere; it is switched off, or beyond the rows that are shown.
 */
bool text_page_cursor(const uint8_t *crtc, unsigned int *row, unsigned int *column);

#endif
