// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CVTERM_SHIM_H
#define CVTERM_SHIM_H
#include <vterm.h>
#include <pty.h>
#include <sys/ioctl.h>

static inline int cv_set_winsize(int fd, int rows, int columns) {
    struct winsize size = {(unsigned short)rows, (unsigned short)columns, 0, 0};
    return ioctl(fd, TIOCSWINSZ, &size);
}
#endif
