// SPDX-License-Identifier: GPL-3.0-or-later
// What Swift's Glibc module does not show: it is built without _GNU_SOURCE and leaves variadics and macros out.
// No policy lives here.
#ifndef CPOSIX_H
#define CPOSIX_H

#include <stdint.h>
#include <stddef.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>

/// Columns of a code point in the current LC_CTYPE locale: 0, 1 or 2; -1 when it has none (wcwidth(3)).
int cp_wcwidth(uint32_t scalar);
/// Makes LC_CTYPE a UTF-8 locale, the user's if it is one, else C.UTF-8. Returns 1 when that succeeded. Call it early.
int cp_set_utf8_locale(void);

/// eventfd(2), non-blocking, close-on-exec; -1 with errno.
int cp_eventfd(void);

/// timerfd_create(2) on CLOCK_MONOTONIC, non-blocking, close-on-exec; -1 with errno.
int cp_timerfd(void);
/// Makes it readable at a moment of that clock, in nanoseconds; 0 for never.
void cp_timerfd_set(int descriptor, uint64_t moment_ns);
/// A descriptor that becomes readable when the wall clock jumps, as it does when the machine wakes up from sleep; costs
/// no wake-up otherwise. -1 with errno.
int cp_clock_jumps(void);
/// Makes either descriptor unreadable again.
void cp_timer_clear(int descriptor);
/// Nanoseconds that the machine has slept since it was started: what CLOCK_BOOTTIME counts and CLOCK_MONOTONIC doesn't.
uint64_t cp_time_asleep(void);

/// ppoll(2) without a signal mask: nanosecond timeout, negative for none.
int cp_poll(struct pollfd *_Nonnull descriptors, size_t count, int64_t timeout_ns);

/// Names the calling thread for debuggers and top(1); cut to 15 bytes.
void cp_name_thread(const char *_Nonnull name);

/// How many processors this process may run on (sched_getaffinity(2)); at least 1.
int cp_processors(void);

/// User ID of the other side of a connected Unix socket; -1 when the system does not tell.
int64_t cp_peer_user(int descriptor);
/// A directory as a mere place in the tree (O_PATH), close-on-exec; -1 with errno.
int cp_open_place(const char *_Nonnull path);

#endif
