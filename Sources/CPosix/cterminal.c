// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cterminal.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

static int terminal = -1;
static struct termios saved_modes;
static char reset_text[512];
static size_t reset_length;
static atomic_bool armed;

static const int crashes[] = {SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS, SIGFPE};
static const int events[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGCONT, SIGTSTP};
static struct sigaction previous[64];
static _Atomic uint64_t caught;
static atomic_int notify = -1;

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int cp_terminal_save(int descriptor) {
    terminal = descriptor;
    return tcgetattr(descriptor, &saved_modes);
}

void cp_terminal_arm(const char *reset, size_t length) {
    static atomic_bool registered;
    atomic_store(&armed, false);
    reset_length = length < sizeof reset_text ? length : sizeof reset_text;
    memcpy(reset_text, reset, reset_length);
    atomic_store(&armed, true);
    if (!atomic_exchange(&registered, true)) atexit(cp_terminal_restore);
}

void cp_terminal_disarm(void) { atomic_store(&armed, false); }

void cp_terminal_restore(void) {
    if (!atomic_exchange(&armed, false)) return;
    int error = errno;
    ssize_t written = write(terminal, reset_text, reset_length);
    (void)written;
    tcsetattr(terminal, TCSANOW, &saved_modes);
    errno = error;
}

static void on_crash(int number, siginfo_t *info, void *context) {
    (void)context;
    cp_terminal_restore();
    sigaction(number, &previous[number], NULL);
    // A faulting instruction runs again on return and meets the previous handler. Anything else must be sent again, and
    // once more should that handler come back, as Swift's backtracer does from a signal that somebody sent.
    if (info->si_code > 0 && number != SIGTRAP) return;
    raise(number);
    signal(number, SIG_DFL);
    raise(number);
}

static void on_event(int number) {
    int error = errno;
    uint64_t bit = UINT64_C(1) << number, one = 1;
    bool waits = (atomic_fetch_or(&caught, bit) & bit) != 0;
    if (waits && (number == SIGTERM || number == SIGINT || number == SIGQUIT)) {
        cp_terminal_restore();
        signal(number, SIG_DFL);
        raise(number);
    }
    ssize_t written = write(atomic_load(&notify), &one, sizeof one);
    (void)written;
    errno = error;
}

int cp_signals_catch(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) return -1;
    atomic_store(&caught, 0);
    atomic_store(&notify, descriptor);
    struct sigaction action = {.sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_event;
    for (size_t i = 0; i < COUNT(events); i++) {
        sigaction(events[i], NULL, &previous[events[i]]);
        if (previous[events[i]].sa_handler != SIG_IGN) sigaction(events[i], &action, NULL);
    }
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    action.sa_sigaction = on_crash;
    for (size_t i = 0; i < COUNT(crashes); i++) sigaction(crashes[i], &action, &previous[crashes[i]]);
    return descriptor;
}

uint64_t cp_signals_take(void) {
    uint64_t count;
    ssize_t got = read(atomic_load(&notify), &count, sizeof count);
    (void)got;
    return atomic_exchange(&caught, 0);
}

void cp_signals_release(void) {
    for (size_t i = 0; i < COUNT(events); i++) sigaction(events[i], &previous[events[i]], NULL);
    for (size_t i = 0; i < COUNT(crashes); i++) sigaction(crashes[i], &previous[crashes[i]], NULL);
    int descriptor = atomic_exchange(&notify, -1);
    if (descriptor >= 0) close(descriptor);
}

void cp_stop_process_group(void) {
    struct sigaction stop = {.sa_handler = SIG_DFL}, ours;
    uint64_t continued = UINT64_C(1) << SIGCONT;
    atomic_fetch_and(&caught, ~continued);
    sigaction(SIGTSTP, &stop, &ours);
    kill(0, SIGTSTP);
    // Another thread may take the signal, so the stop can come a moment late: going on now would draw before it.
    struct pollfd wait = {.fd = atomic_load(&notify), .events = POLLIN};
    while (!(atomic_load(&caught) & continued) && poll(&wait, 1, 100) != 0) {
        if (wait.revents & POLLIN && !(atomic_load(&caught) & continued)) break;
    }
    sigaction(SIGTSTP, &ours, NULL);
}
