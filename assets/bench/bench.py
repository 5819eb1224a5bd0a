#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""bench.py BIN: what Parley's programs cost on this machine, as Markdown.

Messages between two `parley pipe`, start to first frame beside irssi in the same run, memory and wake-ups when idle.
"""
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".build/release")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Scratch:
    """Homes, ports and programs that go when the bench ends."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="parley-bench-")
        self.programs = []

    def chat(self, name, index, *subcommand):
        return [f"{BIN}/parley", *subcommand, "--home", f"{self.path}/{name}", "--name", name,
                "--listen", f"127.0.0.1:{free_port()}", "--index", index]

    def index(self, name, *options):
        port = free_port()
        command = [f"{BIN}/parley-index", "--listen", f"127.0.0.1:{port}", "--data-dir", f"{self.path}/{name}"]
        return f"127.0.0.1:{port}", command + list(options)

    def headless(self, name):
        address, command = self.index(name, "--headless")
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.programs.append(process.pid)
        return address, process.pid

    def close(self):
        for pid in self.programs:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.path, ignore_errors=True)


class Pipe:
    """`parley pipe` with its events in a list."""

    def __init__(self, scratch, name, index):
        self.process = subprocess.Popen(
            scratch.chat(name, index, "pipe"), env=ENVIRONMENT, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        scratch.programs.append(self.process.pid)
        self.events = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.uuid = self.wait(lambda event: event["event"] == "ready")["uuid"]
        self.wait(lambda event: event["event"] == "index" and event["state"] == "ok")

    def read(self):
        for line in self.process.stdout:
            moment = time.monotonic_ns()
            event = json.loads(line)
            event["moment"] = moment
            with self.changed:
                self.events.append(event)
                self.changed.notify_all()

    def wait(self, fits, limit=60):
        deadline = time.monotonic() + limit
        seen = 0
        with self.changed:
            while True:
                for event in self.events[seen:]:
                    if fits(event):
                        return event
                seen = len(self.events)
                if not self.changed.wait(deadline - time.monotonic()):
                    sys.exit("bench: an expected event did not come")

    def command(self, **members):
        self.process.stdin.write(json.dumps(members) + "\n")
        self.process.stdin.flush()


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


def table(title, header, rows):
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    sys.stdout.flush()


def messages(scratch):
    """Latency at a steady 200/s, then the rate at which 10,000 handed over at once arrive."""
    index, _ = scratch.headless("messages")
    alice, bob = Pipe(scratch, "alice", index), Pipe(scratch, "bob", index)
    alice.command(command="add", peer=bob.uuid, name="bob")
    bob.command(command="add", peer=alice.uuid, name="alice")
    alice.command(command="send", to="bob", text="first")
    bob.wait(lambda event: event["event"] == "message")

    start = time.monotonic()
    for number in range(2000):
        time.sleep(max(0, start + number / 200 - time.monotonic()))
        alice.command(command="send", to="bob", text=f"t{time.monotonic_ns()}")
    bob.wait(lambda event: sum(e["event"] == "message" for e in bob.events) >= 2001)
    spans = [(event["moment"] - int(event["text"][1:])) / 1e6
             for event in bob.events if event["event"] == "message" and event["text"][0] == "t"]

    start = time.monotonic_ns()
    for number in range(10_000):
        alice.command(command="send", to="bob", text=f"n{number}")
    last = bob.wait(lambda event: event["event"] == "message" and event["text"] == "n9999")
    arrived = sum(event["event"] == "message" and event["text"][0] == "n" for event in bob.events)
    rate = arrived / ((last["moment"] - start) / 1e9)
    table("Two `parley pipe`", ["", "messages", "p50 ms", "p99 ms", "messages/s"], [
        ["one way at 200/s", len(spans), f"{percentile(spans, 50):.2f}", f"{percentile(spans, 99):.2f}", "200"],
        ["10,000 handed over at once", arrived, "", "", f"{rate:.0f}"]])


def start_in_pty(command, size=(24, 80)):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    moment = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(slave, descriptor)
        os.closerange(3, 256)
        os.execvpe(command[0], command, ENVIRONMENT)
    os.close(slave)
    return pid, master, moment


def read_until(master, marker, limit=10):
    seen = b""
    deadline = time.perf_counter() + limit
    while (left := deadline - time.perf_counter()) > 0:
        if not select.select([master], [], [], left)[0]:
            break
        seen += os.read(master, 65536)
        if marker in seen:
            return time.perf_counter()
    sys.exit(f"bench: no {marker!r} in {seen[-300:]!r}")


def first_frame(scratch):
    """From fork to the bytes that end the first whole frame, by turns; the chat's home exists already."""
    contestants = {
        "parley": (scratch.chat("frame", "none"), b"F1"),
        "irssi": (["irssi", "--home", f"{scratch.path}/irssi"], b"[(status)]"),
    }
    spans = {name: [] for name in contestants}
    for round_number in range(31):
        for name, (command, marker) in contestants.items():
            pid, master, moment = start_in_pty(command)
            span = (read_until(master, marker) - moment) * 1000
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(master)
            if round_number:  # the first start makes the home
                spans[name].append(span)
    table("Start to first frame, 80x24", ["", "starts", "min ms", "median ms", "p90 ms"], [
        [name, len(values), f"{min(values):.1f}", f"{statistics.median(values):.1f}", f"{percentile(values, 90):.1f}"]
        for name, values in spans.items()])


def switches(pid):
    """Voluntary context switches of all threads: how often it went to sleep, and so was woken."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    return total


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status if line.startswith(("VmRSS", "RssAnon")))
    return [f"{int(fields[name].split()[0]) / 1024:.1f}" for name in ("VmRSS", "RssAnon")]


def idle(scratch):
    """Memory after the start, and wake-ups over 60 s, with nobody doing anything."""
    address, dashboard = scratch.index("dashboard")
    screens = {"parley-index with its dashboard": dashboard, "parley, one index": scratch.chat("idle", address)}
    pids = {}
    for name, command in screens.items():
        pid, master, _ = start_in_pty(command)
        scratch.programs.append(pid)
        pids[name] = pid
        threading.Thread(target=drain, args=(master,), daemon=True).start()
    _, pids["parley-index --headless, no peers"] = scratch.headless("idle-index")
    time.sleep(5)
    before = {name: switches(pid) for name, pid in pids.items()}
    time.sleep(60)
    table("Idle", ["", "RSS MiB", "own MiB", "wake-ups in 60 s"], [
        [name, *memory(pid), switches(pid) - before[name]] for name, pid in pids.items()])


def drain(master):
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        pass


def main():
    scratch = Scratch()
    try:
        messages(scratch)
        first_frame(scratch)
        idle(scratch)
    finally:
        scratch.close()


if __name__ == "__main__":
    main()
