#!/usr/bin/env python3
"""What a linked peer costs the node that writes: processor time per SET, and memory while the peer is stopped.

usage: scripts/links.py [--rounds N] [--stopped SECONDS] [--binary FILE]

Beside the gate. Alone and linked runs alternate; the writing node is pinned to the first core, its peer and this client
to the second. Every number is of the node that takes the writes; "loop" is its event loop's thread alone.
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time

from servers import Server, free_ports

KEYS = 100_000
SETS = 5_000_000
DEPTH = 100
ROOT = pathlib.Path(__file__).resolve().parent.parent


class Node(Server):
    def __init__(self, directory, number, core, binary):
        port = json.loads((directory / "node_config.json").read_text())[number]["port"]
        with open(directory / f"node-{number}.log", "w") as log:
            super().__init__(core, port, [binary, f"--id={number}", f"--config={directory}/node_config.json",
                                          f"--data-dir={directory}/node-{number}"], log)
        self.connection = self.connect()

    def info(self):
        self.connection.sendall(b"INFO\n")
        text = b""
        while not text.endswith(b"\n\n"):
            text += self.connection.recv(65536)
        return dict(line.split(": ", 1) for line in text.decode().splitlines() if ": " in line)

    def cpu_ns(self):
        """Processor time of the event loop's thread, and of all threads."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        times = {task.name: int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()}
        return times[str(self.process.pid)], sum(times.values())

    def load(self, batches):
        """Sends each batch of DEPTH requests once the one before it is answered."""
        for batch in batches:
            self.connection.sendall(batch)
            owed = 3 * DEPTH
            while owed > 0:
                owed -= len(self.connection.recv(owed))


def cluster(directory, count, binary):
    members = [{"ip": "127.0.0.1", "port": port} for port in free_ports(count)]
    (directory / "node_config.json").write_text(json.dumps(members))
    nodes = [Node(directory, number, min(number, 1), binary) for number in range(count)]
    while count > 1 and nodes[0].info()["peer_1_state"] != "linked":
        time.sleep(0.05)
    return nodes


def batches(seed):
    lines = [b"SET key:%012d %064d\n" % ((seed + number * 7919) % KEYS, number) for number in range(100_000)]
    cut = [b"".join(lines[at:at + DEPTH]) for at in range(0, len(lines), DEPTH)]
    return cut * (SETS // 100_000)


def per_set(count, work, binary):
    with tempfile.TemporaryDirectory() as directory:
        nodes = cluster(pathlib.Path(directory), count, binary)
        nodes[0].load(work[:2000])
        before = nodes[0].cpu_ns()
        nodes[0].load(work)
        after = nodes[0].cpu_ns()
        for node in nodes:
            node.end()
        return [(late - early) / SETS for early, late in zip(before, after)]


def stopped(seconds, work, binary):
    with tempfile.TemporaryDirectory() as directory:
        nodes = cluster(pathlib.Path(directory), 2, binary)
        nodes[0].load(work)
        before = nodes[0].resident_bytes()
        nodes[1].stop()
        end, sets, most, held = time.monotonic() + seconds, 0, 0, 0
        while time.monotonic() < end:
            nodes[0].load(work[:500])
            sets += 500 * DEPTH
            most = max(most, nodes[0].resident_bytes())
            held = max(held, int(nodes[0].info()["peer_bytes"]))
        for node in nodes:
            node.end()
        print(f"peer stopped for {seconds} s, {sets} SETs of {KEYS} keys meanwhile: resident memory grew by "
              f"{(most - before) / 1e6:.1f} MB at most, held for the peer {held / 1e6:.1f} MB at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stopped", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/kvstoreapp")
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    work = batches(0)
    figures = {1: [], 2: []}
    for _ in range(options.rounds):
        for count in figures:
            figures[count].append(per_set(count, work, options.binary))
    for at, what in enumerate(["loop", "process"]):
        alone, linked = (statistics.median(run[at] for run in figures[count]) for count in (1, 2))
        pairs = [two[at] / one[at] for one, two in zip(figures[1], figures[2])]
        print(f"{what}: {alone:.0f} ns per SET alone, {linked:.0f} linked; ratio of each pair: "
              f"{', '.join(f'{ratio:.2f}' for ratio in pairs)}; median {statistics.median(pairs):.2f}")
    stopped(options.stopped, work, options.binary)


main()
