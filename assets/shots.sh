#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# shots.sh BIN OUT   chat.png and dashboard.png: real programs in xterm on a virtual screen
set -euo pipefail
set -m  # every background job is a process group of its own, and ends as one
bin=$(realpath "$1")
out=$(realpath "$2")
work=$(mktemp -d)
export LANG=C.UTF-8 DISPLAY=:78
tmux=(tmux -S "$work/tmux" -f /dev/null)
port=50078
columns=110 rows=30

Xvfb "$DISPLAY" -screen 0 1400x900x24 2>/dev/null &
cleanup() {
    exec 2>/dev/null  # bash reports every job that ends
    "${tmux[@]}" kill-server 2>/dev/null || true
    for group in $(jobs -p); do kill -- "-$group" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

parley() { "$bin/parley" "$@" --home "$work/$user" --name "$user" --index "127.0.0.1:$port"; }
id() { user=$1 parley id --json | sed 's/.*"uuid":"\([^"]*\)".*/\1/'; }
session() { "${tmux[@]}" new-session -d -s "$1" -x $columns -y $rows "$2"; "${tmux[@]}" set -g status off; }
type_line() { "${tmux[@]}" send-keys -t "$1" -l "$2"; "${tmux[@]}" send-keys -t "$1" Enter; sleep 0.3; }
wait_for() {
    for _ in {1..100}; do
        "${tmux[@]}" capture-pane -p -t "$1" | grep -q "$2" && return
        sleep 0.1
    done
    echo "$1 never showed “$2”:" >&2
    "${tmux[@]}" capture-pane -p -t "$1" >&2
    exit 1
}
picture() {  # SESSION FILE
    xterm -u8 -fa 'DejaVu Sans Mono' -fs 11 -geometry ${columns}x$rows+0+0 -bg '#1d1f21' -fg '#c5c8c6' +sb -T "$1" \
        -e "${tmux[@]}" attach -t "$1" &
    for _ in {1..50}; do
        window=$(xwininfo -name "$1" 2>/dev/null | awk '/Window id/ {print $4}') && [[ -n $window ]] && break
        sleep 0.1
    done
    sleep 1
    import -window "$window" "$2"
    "${tmux[@]}" detach-client -s "$1"
}

session dashboard "'$bin/parley-index' --listen 127.0.0.1:$port --data-dir '$work/index'"
wait_for dashboard parley-index
session alice "'$bin/parley' --home '$work/alice' --name alice --index 127.0.0.1:$port"
session bob "'$bin/parley' --home '$work/bob' --name bob --index 127.0.0.1:$port"
wait_for alice "index ok"
wait_for bob "index ok"
alice=$(id alice) bob=$(id bob)

# A few more users, each with a reason to look someone up.
for user in carol dave erin frank; do
    { printf '{"command":"add","peer":"%s","name":"alice"}\n' "$alice"
      for text in one two three; do
          sleep 1
          printf '{"command":"send","to":"alice","text":"%s"}\n' "$text"
      done
      sleep 60; } | parley pipe >/dev/null 2>&1 &
done

type_line alice "/add $bob bob"
type_line bob "/add $alice alice"
type_line alice "pushed the fix, can you look?"
wait_for bob "pushed the fix"
type_line bob "works here: 日本語 ok"
type_line bob "the whole suite is green, and the long line that used to break the margin now wraps where a word ends"
type_line alice "then I merge it now"
type_line bob "do, I'll watch the dashboard"
wait_for alice "watch the dashboard"
"${tmux[@]}" send-keys -t alice -l "shall we tell the others?"
sleep 4

picture alice "$out/chat.png"
picture dashboard "$out/dashboard.png"
ls -l "$out/chat.png" "$out/dashboard.png"
