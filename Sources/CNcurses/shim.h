// SPDX-License-Identifier: GPL-3.0-or-later
// The wide-character curses, with functions in place of the globals and macros that Swift can't import.
#ifndef CNCURSES_SHIM_H
#define CNCURSES_SHIM_H

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <wchar.h>

static inline WINDOW *_Nullable cn_standard_screen(void) { return stdscr; }
static inline int cn_lines(void) { return LINES; }
static inline int cn_columns(void) { return COLS; }

static const attr_t CN_BOLD = WA_BOLD, CN_DIM = WA_DIM, CN_UNDERLINE = WA_UNDERLINE, CN_REVERSE = WA_REVERSE;
static const int CN_MOST_SCALARS = CCHARW_MAX;

/// setcchar(3) with a colour pair of any number.
static inline int cn_set_cell(cchar_t *_Nonnull cell, const wchar_t *_Nonnull text, attr_t attributes, int pair) {
    return setcchar(cell, text, attributes, (short)0, &pair);
}

#endif
