// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cposix.h"
#include "internal.h"
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

int cp_wcwidth(uint32_t scalar) { return wcwidth((wchar_t)scalar); }

int cp_set_utf8_locale(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return 1;
    return setlocale(LC_CTYPE, "C.UTF-8") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int cp_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int cp_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

void cp_timerfd_set(int descriptor, uint64_t moment_ns) {
    struct itimerspec time = {
        .it_value = {.tv_sec = (time_t)(moment_ns / 1000000000), .tv_nsec = (long)(moment_ns % 1000000000)}};
    timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &time, NULL);
}

int cp_clock_jumps(void) {
    int descriptor = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor < 0) return -1;
    // A moment that never comes, cancelled whenever the clock jumps.
    struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX / 1000000000 - 1}};
    int code = timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
    return code == 0 ? descriptor : give_up(descriptor);
}

void cp_timer_clear(int descriptor) {
    uint64_t count;
    (void)!read(descriptor, &count, sizeof count);
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t cp_time_asleep(void) {
    uint64_t monotonic = nanoseconds(CLOCK_MONOTONIC), boot = nanoseconds(CLOCK_BOOTTIME);
    return boot > monotonic ? boot - monotonic : 0;
}

int cp_poll(struct pollfd *descriptors, size_t count, int64_t timeout_ns) {
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    return ppoll(descriptors, (nfds_t)count, timeout_ns < 0 ? NULL : &timeout, NULL);
}

void cp_name_thread(const char *name) {
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

int cp_processors(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return count > 0 ? count : 1;
}

int64_t cp_peer_user(int descriptor) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? (int64_t)peer.uid : -1;
}

int cp_open_place(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }
