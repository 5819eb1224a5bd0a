#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures whether the gateways of natlab.sh are what their names say (RFC 4787 sections 4, 5 and 6).

natcheck.py [KIND...]: all kinds and verbs by default. Prints a line for each, and fails if one is not as it should be.
"""
import contextlib
import ctypes
import os
import pathlib
import socket
import subprocess
import sys
import time

SCRIPT = pathlib.Path(__file__).with_name("natlab.sh")
LAB = f"check{os.getpid()}"
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

SAME, PORT, ADDRESS = ("203.0.113.10", 50000), ("203.0.113.10", 50001), ("203.0.113.11", 50000)

# Mapping, then who gets in besides the one that was written to.
KINDS = {
    "open": ("none", "everybody"),
    "firewall": ("none", "nobody"),
    "full-cone": ("independent", "everybody"),
    "address-restricted": ("independent", "same address"),
    "port-restricted": ("independent", "nobody"),
    "symmetric": ("dependent", "nobody"),
    "symmetric-random": ("dependent", "nobody"),
    "double-nat": ("independent", "nobody"),
    "upnp": ("independent", "nobody"),
    "udp-blocked": ("blocked", "blocked"),
}


def natlab(*words, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NATLAB_")}
    subprocess.run([SCRIPT, words[0], LAB, *words[1:]], check=True, env=environment | options | {"NATLAB_OWNER": str(os.getpid())})


@contextlib.contextmanager
def lab(a, b, **options):
    try:
        natlab("up", a, b, **options)
        yield
    finally:
        natlab("down")


def open_socket(node, address=("", 0), kind=socket.SOCK_DGRAM, family=socket.AF_INET):
    """A socket of a node: it stays there, wherever its owner goes."""
    there = os.open(f"/run/netns/natlab-{LAB}-{node}", os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.settimeout(0.25)
        return made
    finally:
        libc.setns(HOME, CLONE_NEWNET)
        os.close(there)


def receive(at):
    try:
        return at.recvfrom(4096)
    except (TimeoutError, ConnectionRefusedError):
        return None, None


def passes(sender, to, receiver, text=b"x"):
    with contextlib.suppress(ConnectionRefusedError):
        sender.sendto(text, to)
    return receive(receiver)[0] == text


def seen(client, server, address):
    """How a server at an address sees a client; None if it does not."""
    with contextlib.suppress(ConnectionRefusedError, PermissionError):
        client.sendto(b"?", address)
    return receive(server)[1]


class Servers:
    def __init__(self):
        self.same, self.port, self.address = (open_socket("idx", where) for where in (SAME, PORT, ADDRESS))


def measure(kind):
    """Mapping and filtering of a kind, as somebody outside sees them."""
    servers = Servers()
    client = open_socket("a", ("", 40001))
    own = client.getsockname()[1]
    inner = subprocess.run(
        ["nsenter", f"--net=/run/netns/natlab-{LAB}-a", "ip", "-br", "-4", "addr", "show", "eth0"],
        capture_output=True, text=True, check=True).stdout.split()[2].split("/")[0]
    mapped = [seen(client, server, where)
              for server, where in ((servers.same, SAME), (servers.port, PORT), (servers.address, ADDRESS))]
    if mapped == [None] * 3:
        return "blocked", "blocked"
    if len(set(mapped)) == 3:
        mapping = "dependent"
    elif len(set(mapped)) == 1:
        mapping = "none" if mapped[0] == (inner, own) else "independent"
    else:
        mapping = f"mixed {mapped}"
    # A port that has written to one server alone.
    fresh = open_socket("a", ("", 40003))
    outer = seen(fresh, servers.same, SAME)
    assert passes(servers.same, outer, fresh), "an answer does not come in"
    ways = [passes(servers.port, outer, fresh), passes(servers.address, outer, fresh),
            passes(open_socket("b", ("", 7)), outer, fresh)]
    filtering = {(True, True, True): "everybody", (True, False, False): "same address", (False,) * 3: "nobody"}
    return mapping, filtering.get(tuple(ways), f"mixed {ways}")


def tcp_connects():
    listener = open_socket("idx", SAME, socket.SOCK_STREAM)
    listener.listen()
    client = open_socket("a", kind=socket.SOCK_STREAM)
    client.settimeout(1)
    client.connect(SAME)
    return True


def pair(node="a"):
    """A client, the server that it wrote to, and its outer address."""
    server, client = open_socket("idx", SAME), open_socket(node, ("", 40001))
    return client, server, seen(client, server, SAME)


def ports_preserved():
    client, _, outer = pair()
    return outer[1] == client.getsockname()[1]


def check_rebind():
    client, server, before = pair()
    natlab("rebind", "a")
    closed = not passes(server, before, client)
    after = seen(client, server, SAME)
    return closed and after != before and passes(server, after, client) and not passes(server, before, client)


def check_kind_flip():
    client, server, before = pair()
    natlab("kind", "a", "symmetric")
    first = seen(client, server, SAME)
    other = seen(client, open_socket("idx", ADDRESS), ADDRESS)
    natlab("kind", "a", "port-restricted")
    return len({before, first, other}) == 3 and seen(client, server, SAME) == before


def check_verb(on, off):
    def check():
        client, server, outer = pair()
        natlab(on, "a")
        closed = not passes(client, SAME, server) and not passes(server, outer, client)
        natlab(off, "a")
        return closed and passes(client, SAME, server) and passes(server, outer, client)
    return check


def check_timeouts():
    natlab("timeouts", "a", "2", "4")
    client, server, outer = pair()

    def answered_after(seconds):
        time.sleep(seconds)
        return passes(server, outer, client)
    # Linux holds a mapping for one that is used both ways once it is two seconds old.
    client.sendto(b"x", SAME)
    return answered_after(1) and answered_after(1.3) and answered_after(3) and not answered_after(4.5)


def check_mtu():
    client, server, outer = pair()
    client.setsockopt(socket.IPPROTO_IP, 10, 3)  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE: never in pieces
    server.setsockopt(socket.IPPROTO_IP, 10, 3)
    natlab("mtu", "1280")
    fits, not_fits = bytes(1280 - 28), bytes(1281 - 28)
    both = passes(client, SAME, server, fits) and passes(server, outer, client, fits)
    return both and not passes(client, SAME, server, not_fits) and not passes(server, outer, client, not_fits)


def check_move():
    client, server, before = pair()
    natlab("move", "a", "port-restricted")
    again = open_socket("a", ("", 40001))
    return before[0] == "203.0.113.21" and seen(again, server, SAME)[0] == "203.0.113.23"


def check_upnp():
    client, server, outer = pair()
    asker = open_socket("a")
    asker.connect(("192.168.1.1", 5351))
    # NAT-PMP (RFC 6886 section 3.3): map UDP 40001 for a minute.
    asker.send(bytes([0, 1, 0, 0]) + (40001).to_bytes(2) + (45001).to_bytes(2) + (60).to_bytes(4))
    asker.settimeout(2)
    answer = asker.recv(16)
    return answer[:4] == bytes([0, 129, 0, 0]) and passes(open_socket("v"), (outer[0], int.from_bytes(answer[10:12])), client)


def check_reject():
    _, _, outer = pair()
    stranger = open_socket("v")
    stranger.connect((outer[0], 4))
    stranger.send(b"x")
    try:
        stranger.recv(1)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False


def neighbours():
    return open_socket("a", ("", 40001)), open_socket("c", ("", 40002))


def check_lan(expected):
    def check():
        a, c = neighbours()
        search = open_socket("a")
        group = socket.inet_aton("239.255.77.77")
        listener = open_socket("c", ("", 50077))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + socket.inet_aton("192.168.1.3"))
        return (passes(a, ("192.168.1.3", 40002), c), passes(search, ("239.255.77.77", 50077), listener)) == (expected,) * 2
    return check


def check_hairpin(expected):
    def check():
        a, c = neighbours()
        server = open_socket("idx", SAME)
        outer_a, outer_c = seen(a, server, SAME), seen(c, server, SAME)
        a.sendto(b"x", outer_c)
        receive(c)
        c.sendto(b"y", outer_a)
        first = receive(a)
        a.sendto(b"z", outer_c)
        there = (first == (b"y", outer_c), receive(c) == (b"z", outer_a))
        return there == (expected,) * 2
    return check


def check_v6():
    server = open_socket("idx", ("2001:db8::10", 50000), family=socket.AF_INET6)
    a, b = (open_socket(node, ("::", 40001), family=socket.AF_INET6) for node in "ab")
    at_a, at_b = ("2001:db8:1::2", 40001), ("2001:db8:2::2", 40001)
    if not passes(a, ("2001:db8::10", 50000), server) or passes(b, at_a, a):
        return False
    a.sendto(b"x", at_b)
    receive(b)
    return passes(b, at_a, a) and passes(a, at_b, b)


def check_family():
    natlab("family", "a", "6")
    four = open_socket("a")
    with contextlib.suppress(OSError):
        four.sendto(b"x", SAME)
        return False
    if not check_v6():
        return False
    natlab("family", "a", "46")
    return pair()[2] is not None


def check_vanish():
    natlab("vanish", "c")
    return pair()[2] is not None and not os.path.exists(f"/run/netns/natlab-{LAB}-c")


def check_clog():
    listener = open_socket("idx", SAME, socket.SOCK_STREAM)
    listener.listen()
    client = open_socket("a", kind=socket.SOCK_STREAM)
    client.connect(SAME)
    server, _ = listener.accept()
    server.settimeout(0.25)
    natlab("clog", "a")
    client.send(b"x")
    try:
        return not server.recv(1)
    except TimeoutError:
        pass
    natlab("unclog", "a")
    server.settimeout(2)
    return server.recv(1) == b"x"


P = "port-restricted"
VERBS = {
    "the outer port is another than the inner": (P, {}, lambda: not ports_preserved()),
    "rebind": (P, {}, check_rebind),
    "rebind full-cone": ("full-cone", {}, check_rebind),
    "rebind address-restricted": ("address-restricted", {}, check_rebind),
    "kind": (P, {}, check_kind_flip),
    "cut, heal": (P, {}, check_verb("cut", "heal")),
    "block-udp, unblock-udp": (P, {}, check_verb("block-udp", "unblock-udp")),
    "timeouts": (P, {}, check_timeouts),
    "mtu": (P, {}, check_mtu),
    "mtu, open": ("open", {}, check_mtu),
    "move": (P, {}, check_move),
    "upnp": ("upnp", {}, check_upnp),
    "reject": (P, {"NATLAB_REJECT": "1"}, check_reject),
    "reject, double": ("double-nat", {"NATLAB_REJECT": "1"}, check_reject),
    "drop": (P, {}, lambda: not check_reject()),
    "same network": (P, {}, check_lan(True)),
    "isolated": (P, {"NATLAB_ISOLATE": "1"}, check_lan(False)),
    "offline": (P, {"NATLAB_OFFLINE": "1"}, check_lan(True)),
    "hairpin": (P, {"NATLAB_HAIRPIN": "1", "NATLAB_ISOLATE": "1"}, check_hairpin(True)),
    "no hairpin": (P, {"NATLAB_ISOLATE": "1"}, check_hairpin(False)),
    "v6": ("symmetric", {"NATLAB_V6": "1"}, check_v6),
    "family": (P, {"NATLAB_V6": "1"}, check_family),
    "vanish": (P, {}, check_vanish),
    "clog": (P, {}, check_clog),
}


def main(wanted):
    failures = 0
    natlab("sweep")
    for kind, expected in KINDS.items():
        if wanted and kind not in wanted:
            continue
        with lab(kind, "open"):
            found = measure(kind)
            tcp_connects()
        failures += found != expected
        print(f"{'ok' if found == expected else 'WRONG':5} {kind:20} mapping {found[0]}, lets in {found[1]}", flush=True)
    for name, (kind, options, check) in VERBS.items():
        if wanted and name not in wanted:
            continue
        with lab(kind, P, **options):
            try:
                good, why = check(), ""
            except (OSError, TypeError, subprocess.CalledProcessError) as error:
                good, why = False, f": {error}"
        failures += not good
        print(f"{'ok' if good else 'WRONG':5} {name}{why}", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
