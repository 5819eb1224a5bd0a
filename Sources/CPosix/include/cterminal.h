// SPDX-License-Identifier: GPL-3.0-or-later
// What must be done inside signal handlers: they are C, because nothing of Swift is async-signal-safe by promise.
#ifndef CTERMINAL_H
#define CTERMINAL_H

#include <stddef.h>
#include <stdint.h>

/// Remembers a terminal's modes; call before changing them. Returns 0, or -1 with errno.
int cp_terminal_save(int descriptor);
/// From now on a crash or exit() writes `reset` (at most 512 bytes) to the terminal and puts the modes back.
void cp_terminal_arm(const char *_Nonnull reset, size_t length);
/// The program has put the terminal back by itself, or is about to.
void cp_terminal_disarm(void);
/// Does at once what a crash would do; async-signal-safe. Nothing when not armed.
void cp_terminal_restore(void);

/// Catches SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGCONT and SIGTSTP, leaving ignored ones ignored, and arms the
/// crash signals. Returns a descriptor that becomes readable when one was caught; -1 with errno. A second SIGTERM,
/// SIGINT or SIGQUIT that finds the first one still waiting restores the terminal and ends the program.
int cp_signals_catch(void);
/// The caught signals since the last call, a bit each (1 << number); makes the descriptor unreadable.
uint64_t cp_signals_take(void);
/// Puts all handlers back and closes the descriptor.
void cp_signals_release(void);
/// Stops the process group like SIGTSTP by default, and returns after SIGCONT; at once-ish where nobody would continue
/// it (an orphaned process group does not stop).
void cp_stop_process_group(void);

#endif
