// SPDX-License-Identifier: GPL-3.0-or-later
// For measuring: many datagrams a call over a connected socket, an echo that is the machine's limit, and where a thread
// runs. No policy lives here.
#ifndef CLOAD_H
#define CLOAD_H

#include <sys/uio.h>

/// Datagrams of one call at most.
enum { cp_load_batch = 64 };

/// Sends up to `cp_load_batch` datagrams over a connected socket, without waiting. Returns how many the system took, or
/// -1 with errno for the first of them.
int cp_load_send(int descriptor, struct iovec *_Nonnull datagrams, int count);
/// Takes up to `cp_load_batch` datagrams off a socket, without waiting; each `iov_len` becomes the length of what came.
/// Returns how many, or -1 with errno.
int cp_load_receive(int descriptor, struct iovec *_Nonnull datagrams, int count);

/// Sends whatever comes back to where it came from, until the socket fails: recvmmsg(2) and sendmmsg(2), and nothing
/// else.
void cp_load_echo(int descriptor);

/// Keeps the calling thread, and processes that it starts, on one CPU. 0, or -1 with errno.
int cp_pin_thread(int cpu);
/// Lets the calling thread's sleeps end when they should: within a microsecond instead of 50.
void cp_sleep_precisely(void);

#endif
