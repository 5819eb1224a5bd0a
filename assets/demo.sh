#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# demo.sh BIN   one tmux window: the dashboard of an index server on the left, the chats of Alice and Bob on the right
set -euo pipefail
bin=$(realpath "$1")
root=$(dirname "$bin")/demo
mkdir -p "$root"

# The first of a few ports that nobody listens on; /proc lists them in hex.
for port in 50000 50010 50020 50030; do
    grep -qi ":$(printf %04X "$port") " /proc/net/udp /proc/net/udp6 2>/dev/null || break
done

index="'$bin/parley-index' --relay --listen 127.0.0.1:$port --data-dir '$root/index'"
chat() { echo "'$bin/parley' --home '$root/$1' --name $1 --index 127.0.0.1:$port"; }
uuid() { eval "$(chat "$1") id --json" | sed 's/.*"uuid":"\([^"]*\)".*/\1/'; }

# Inside tmux a new window of the same session, else a server of our own, which leaves yours and its settings alone.
if [[ -n ${TMUX:-} ]]; then
    tmux=(tmux)
    left=$("${tmux[@]}" new-window -n parley -P -F '#{pane_id}' "$index")
else
    tmux=(tmux -L parley-demo -f /dev/null)
    "${tmux[@]}" kill-server 2>/dev/null || true
    size=($(stty size 2>/dev/null || echo 48 160))
    left=$("${tmux[@]}" new-session -d -s parley -x "${size[1]}" -y "${size[0]}" -P -F '#{pane_id}' "$index")
    "${tmux[@]}" set -g mouse on
    "${tmux[@]}" set -g status-right 'Ctrl+B and an arrow: other pane · Ctrl+B & : end'
    "${tmux[@]}" set -g status-right-length 60
fi

right=$("${tmux[@]}" split-window -h -t "$left" -P -F '#{pane_id}' "$(chat alice)")
below=$("${tmux[@]}" split-window -v -t "$right" -P -F '#{pane_id}' "$(chat bob)")

wait_for() {  # PANE TEXT
    for _ in {1..100}; do
        "${tmux[@]}" capture-pane -p -t "$1" | grep -q "$2" && return
        sleep 0.1
    done
    echo "The demo did not start; this is what it shows:" >&2
    "${tmux[@]}" capture-pane -p -t "$1" >&2
    exit 1
}
wait_for "$right" index
wait_for "$below" index

# Each adds the other, as a user would by hand.
"${tmux[@]}" send-keys -t "$right" -l "/add $(uuid bob) bob"
"${tmux[@]}" send-keys -t "$right" Enter
"${tmux[@]}" send-keys -t "$below" -l "/add $(uuid alice) alice"
"${tmux[@]}" send-keys -t "$below" Enter
"${tmux[@]}" select-pane -t "$right"

if [[ -n ${TMUX:-} ]]; then
    echo "The demo is in the window “parley”."
elif [[ -t 0 && -t 1 ]]; then
    exec "${tmux[@]}" attach
else
    echo "The demo runs without a terminal; look at it with: tmux -L parley-demo attach"
fi
