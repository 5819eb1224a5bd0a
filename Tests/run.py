#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.py swift test …   runs the tests and says again at the end what failed: nobody finds it in ten thousand lines.

Many tests hold real programs, real time and real networks to their word, and a machine that is busy elsewhere can break
it. So a test that failed is asked again, alone: it stands as failed unless it passes three times out of three, and it is
named at the end even then. What no busy machine explains is not asked again: a sanitiser's finding, a process that died,
or more than three tests at once.
"""

import json
import re
import subprocess
import sys
import tempfile

MOST = 3
TIMES = 3


def run(command):
    """Runs a command, passes on what it prints, keeps the lines that tell of a failure, and sees a sanitiser's."""
    told, has_finding = [], False
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            has_finding = has_finding or "Sanitizer:" in line
            if re.search(r"^✘|recorded an issue|Sanitizer:|^error:", line) and len(told) < 200:
                told.append(line.rstrip()[:600])
    return process.returncode, told, has_finding


def failures(path):
    """The tests that recorded an issue, and whether the run came to its end."""
    failed, ended = {}, False
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            payload = record.get("payload", {})
            kind = payload.get("kind")
            ended = ended or kind == "runEnded"
            if kind == "issueRecorded" and not payload.get("issue", {}).get("isKnown"):
                failed[payload.get("testID") or "a test that was not named"] = True
    return list(failed), ended


def again(command, test):
    """Whether a test passes alone, each time."""
    kept, skips = [], False
    for word in command:
        if word in ("--filter", "--skip"):
            skips = True
        elif skips:
            skips = False
        else:
            kept.append(word)
    only = "^" + re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", test.rsplit("/", 1)[0])
    for _ in range(TIMES):
        with tempfile.NamedTemporaryFile(suffix=".json") as events:
            code, _, _ = run([*kept, "--skip-build", "--filter", only, "--event-stream-output-path", events.name,
                           "--event-stream-version", "0"])
            with open(events.name, encoding="utf-8", errors="replace") as stream:
                ran = any('"testStarted"' in line for line in stream)
        if code or not ran:
            return False
    return True


def main(command):
    with tempfile.NamedTemporaryFile(suffix=".json") as events:
        code, told, has_finding = run([*command, "--event-stream-output-path", events.name, "--event-stream-version", "0"])
        failed, ended = failures(events.name)
    if not code:
        return 0
    may_ask = ended and 0 < len(failed) <= MOST and not has_finding
    shaky = [test for test in failed if may_ask and again(command, test)]
    print("What failed:", *told, sep="\n")
    if shaky:
        print(f"Passed {TIMES} times of {TIMES} when asked again, alone:", *shaky, sep="\n")
    return 0 if shaky and len(shaky) == len(failed) else code


sys.exit(main(sys.argv[1:]))
