#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""delivery.py BIN: what a durable receipt costs between two `parley pipe` on loopback, as Markdown.

Everything is timed from outside: from the line that is written to alice's standard input to her `delivered` event, which
says that the message is on bob's disk.
"""
import json
import os
import subprocess
import sys
import threading
import time

from bench import BIN, ENVIRONMENT, Pipe, Scratch, percentile, table


def uuid_of(scratch, name):
    out = subprocess.run([f"{BIN}/parley", "id", "--json", "--home", f"{scratch.path}/{name}"],
                         env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    return json.loads(out)["uuid"]


def quit_pipe(pipe):
    pipe.command(command="quit")
    pipe.process.wait(10)


def delivered(pipe, tag):
    return pipe.wait(lambda event: event.get("tag") == tag and event.get("state") == "delivered")["moment"]


def pair(scratch, index, number):
    """Two new users, both running: bob has accepted alice, who has never heard of him."""
    names = f"alice{number}", f"bob{number}"
    first = Pipe(scratch, names[1], index)
    first.command(command="add", peer=uuid_of(scratch, names[0]), name="alice")
    first.command(command="peers")
    first.wait(lambda event: event["event"] == "peers")
    quit_pipe(first)
    bob = Pipe(scratch, names[1], index)
    return Pipe(scratch, names[0], index), bob


def cold(scratch, index, pairs=40):
    """The first message between two programs that never met: lookup, handshake, disk, receipt."""
    spans = []
    for number in range(pairs):
        alice, bob = pair(scratch, index, f"-cold{number}")
        start = time.monotonic_ns()
        alice.command(command="send", to=bob.uuid, text="first", tag="x")
        spans.append((delivered(alice, "x") - start) / 1e6)
        if not any(event["event"] == "lookup" and event["source"] == "index" for event in alice.events):
            sys.exit("bench: no lookup, so it was not cold")
        quit_pipe(alice)
        quit_pipe(bob)
    return spans


def warm(alice, bob, count=2000):
    """One at a time on an open session."""
    spans = []
    seen = 0
    for number in range(count):
        start = time.monotonic_ns()
        alice.command(command="send", to=bob.uuid, text=f"w{number}", tag=f"w{number}")
        while True:
            with alice.changed:
                while len(alice.events) == seen:
                    alice.changed.wait(60)
                event = alice.events[seen]
                seen += 1
            if event.get("tag") == f"w{number}" and event.get("state") == "delivered":
                break
        spans.append((event["moment"] - start) / 1e6)
    return spans


class Counter:
    """`parley pipe` whose events are counted and not parsed, so that the bench is not what is measured."""

    def __init__(self, scratch, name, index, word):
        self.process = subprocess.Popen(scratch.chat(name, index, "pipe"), env=ENVIRONMENT,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        scratch.programs.append(self.process.pid)
        self.word, self.count = word, 0
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        rest = b""
        while chunk := os.read(self.process.stdout.fileno(), 1 << 20):
            rest += chunk
            whole, _, rest = rest.rpartition(b"\n")
            with self.changed:
                self.count += whole.count(self.word)
                self.changed.notify_all()

    def wait(self, count, limit=120):
        deadline = time.monotonic() + limit
        with self.changed:
            while self.count < count:
                if not self.changed.wait(deadline - time.monotonic()):
                    sys.exit(f"bench: {self.count} of {count} receipts came")
        return time.monotonic()


def sustained(scratch, index, count=50_000, waiting=15_000):
    """Handed over as fast as the program takes them: not more may wait for one peer than it keeps for it."""
    bob_id, alice_id = uuid_of(scratch, "bob-many"), uuid_of(scratch, "alice-many")
    bob = Counter(scratch, "bob-many", index, b'"event":"message"')
    bob.process.stdin.write(f'{{"command":"add","peer":"{alice_id}","name":"alice"}}\n'.encode())
    bob.process.stdin.flush()
    alice = Counter(scratch, "alice-many", index, b'"state":"delivered"')

    def send(first, last):
        lines = (f'{{"command":"send","to":"{bob_id}","text":"message {number}"}}\n' for number in range(first, last))
        alice.process.stdin.write("".join(lines).encode())
        alice.process.stdin.flush()

    send(0, 1)
    alice.wait(1)
    start = time.monotonic()
    for first in range(0, count, 1000):
        alice.wait(first + 1001 - waiting)
        send(first, first + 1000)
    span = alice.wait(count + 1) - start
    bob.wait(count + 1)
    return count / span


def main():
    scratch = Scratch()
    try:
        index, _ = scratch.headless("delivery")
        first = cold(scratch, index)
        alice, bob = pair(scratch, index, "-warm")
        alice.command(command="send", to=bob.uuid, text="first", tag="x")
        delivered(alice, "x")
        open_session = warm(alice, bob)
        table("Durable receipts between two `parley pipe`", ["", "messages", "p50 ms", "p99 ms", "worst ms"], [
            [name, len(spans), *(f"{value:.2f}" for value in (percentile(spans, 50), percentile(spans, 99), max(spans)))]
            for name, spans in (("first message of a new pair", first), ("one at a time, session open", open_session))])
        rate = sustained(scratch, index)
        table("Sustained", ["", "messages/s"], [["50,000, at most 15,000 without receipt", f"{rate:.0f}"]])
    finally:
        scratch.close()


if __name__ == "__main__":
    main()
