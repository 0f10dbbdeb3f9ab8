/* The timing diagram of a run, as figures 3A, 3B and 7 draw it. */
#ifndef TIMESIM_SVG_H
#define TIMESIM_SVG_H

#include <stdbool.h>

#include "simulate.h"

struct svg;

/* Opens the file; NULL with errno set if that fails. */
struct svg *svg_open(const char *path, const struct scenario *s, bool naive);

/* Takes a row note of. */
void svg_row(struct svg *svg, const struct row *row);

/* Draws and closes. False with errno set if writing failed. */
bool svg_close(struct svg *svg);

#endif
