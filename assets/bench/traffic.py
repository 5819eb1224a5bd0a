#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""traffic.py BIN [SECONDS]: what a chat sends and receives while nobody writes, as Markdown. Root only.

Three small internets (Tests/Lab/natlab.sh) at once: one where peers reach each other directly, one where an index server
relays, one without UDP. Octets are those of IP packets at the machine's one interface, in both directions.
"""
import json
import os
import subprocess
import sys
import threading
import time

from bench import BIN, ENVIRONMENT, Pipe, Scratch, drain, start_in_pty, table

SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
# A session that nobody has a use for is closed after a minute.
SETTLING = 90
LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Tests/Lab/natlab.sh")
INDEX = "203.0.113.10:50000"
WAYS = {"direct": "port-restricted", "relayed": "symmetric", "relayed by TLS": "udp-blocked"}
COUNTERS = """table inet traffic {
    counter every { }
    chain in { type filter hook input priority -300; iifname != "lo" counter name every; }
    chain out { type filter hook output priority -300; oifname != "lo" counter name every; }
}"""


class World(Scratch):
    """A lab with an index server, and homes for the two who talk."""

    def __init__(self, number):
        super().__init__()
        self.lab = f"traffic{number}"

    def start(self, kind):
        subprocess.run([LAB, "up", self.lab, kind, kind], env=self.environment, check=True)
        command = self.at("idx", f"{BIN}/parley-index", "serve", "--headless", "--relay", "--listen", "0.0.0.0:50000",
                          "--data-dir", f"{self.path}/index")
        self.programs.append(subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL).pid)
        subprocess.run(self.at("a", "nft", "-f", "-"), input=COUNTERS, text=True, check=True)

    @property
    def environment(self):
        return {**os.environ, "NATLAB_OWNER": str(os.getpid())}

    def at(self, node, *command):
        return ["nsenter", f"--net=/run/netns/natlab-{self.lab}-{node}", *command]

    def chat(self, name, index, *subcommand):
        return self.at("a" if name == "alice" else "b", f"{BIN}/parley", *subcommand, "--home", f"{self.path}/{name}",
                       "--name", name, "--listen", "0.0.0.0:50001", "--index", index)

    def count(self):
        """Octets and packets an hour."""
        before, start = self.counters(), time.monotonic()
        time.sleep(SECONDS)
        after, hours = self.counters(), (time.monotonic() - start) / 3600
        return [round((new - old) / hours) for new, old in zip(after, before)]

    def counters(self):
        text = subprocess.run(self.at("a", "nft", "--json", "list", "counters"), capture_output=True, check=True).stdout
        counter = next(item["counter"] for item in json.loads(text)["nftables"] if "counter" in item)
        return counter["bytes"], counter["packets"]

    def close(self):
        super().close()
        subprocess.run([LAB, "down", self.lab], env=self.environment, check=False)


def leave(pipe):
    pipe.command(command="quit")
    pipe.process.wait(10)


def measure(world, way, results):
    bob = Pipe(world, "bob", INDEX)
    alice = Pipe(world, "alice", INDEX)
    bob.command(command="add", peer=alice.uuid, name="alice")
    alice.command(command="add", peer=bob.uuid, name="bob")
    alice.command(command="send", to="bob", text="first", tag="x")
    alice.wait(lambda event: event.get("tag") == "x" and event.get("state") == "delivered")
    time.sleep(SETTLING)
    results[way, "nobody to talk to"] = world.count()
    leave(alice)
    pid, master, _ = start_in_pty(world.chat("alice", INDEX))
    world.programs.append(pid)
    threading.Thread(target=drain, args=(master,), daemon=True).start()
    time.sleep(5)
    seen = len(bob.events)
    os.write(master, b"\x1b1")
    time.sleep(SETTLING)
    results[way, "one conversation open"] = world.count()
    paths = [event["path"] for event in bob.events[seen:] if event["event"] == "path"]
    if not paths or paths[-1] not in (("direct", "punched") if way == "direct" else ("relayed",)):
        sys.exit(f"bench: not {way}, but {paths}")


def main():
    if os.geteuid() != 0:
        return print("\nTraffic is only counted as root: it needs networks of its own.")
    worlds, results = [], {}
    try:
        for number, kind in enumerate(WAYS.values()):
            worlds.append(World(number))
            worlds[-1].start(kind)
        threads = [threading.Thread(target=measure, args=(world, way, results)) for world, way in zip(worlds, WAYS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for world in worlds:
            world.close()
    if len(results) < 2 * len(WAYS):
        sys.exit(1)
    table(f"Traffic of one chat, counted for {SECONDS} s each", ["", "state", "octets/h", "packets/h"], [
        [way, state, f"{octets:,}", f"{packets:,}"] for (way, state), (octets, packets) in sorted(results.items())])


if __name__ == "__main__":
    main()
