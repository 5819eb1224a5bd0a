// SPDX-License-Identifier: GPL-3.0-or-later
// libvterm, and what Swift's Glibc module leaves out of pty(7), posix_spawn(3) and pidfd_open(2).
#ifndef CVTERM_SHIM_H
#define CVTERM_SHIM_H
#include <pty.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vterm.h>

static inline int cv_set_winsize(int fd, int rows, int columns) {
    struct winsize size = {(unsigned short)rows, (unsigned short)columns, 0, 0};
    return ioctl(fd, TIOCSWINSZ, &size);
}

/// A descriptor that becomes readable when the process ends.
static inline int cv_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

/// POSIX_SPAWN_SETSID is behind _GNU_SOURCE.
static const short cv_spawn_setsid = 0x80;

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
void *memmem(const void *text, size_t size, const void *needle, size_t needle_size);
#endif
