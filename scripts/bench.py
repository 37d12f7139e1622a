#!/usr/bin/env python3
"""Compares a node with Debian's Redis and memcached on this machine, as Markdown: run by scripts/bench.sh.

usage: scripts/bench.sh [--rounds N] [--seconds S] [--keys N] [--out FILE] [--add] [--quick]

All servers are pinned to core 0, the load to core 1. Rounds are interleaved: each measures every server, so that a
machine that gets slower gets slower for all; the others are stopped (SIGSTOP) meanwhile. The figures are medians over
the rounds, and so are the ratios: of those of each round, as the machine may change from one to the next. --rounds 0
--add measures nothing and writes the table anew. A node takes snapshots every 2 s; Redis and memcached keep nothing
on disk, but for the rows about durability. Short runs of SETs leave changes that are merged into the data file later;
a node is given the time for that before it is measured again, and one long run of SETs shows what it costs. What was
measured is kept beside the table after each round (FILE.json), so that --add can go on from there, on another day
too. Processor time is of the whole process, the node's snapshot thread included, and of its event loop's thread.
"""

import argparse
import collections
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from servers import Server, free_ports

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
SERVER_CORE, LOAD_CORE = "0", "1"
# So long a run leaves one merge to be done, as in continuous writing: between two lies fifty times as long as one takes,
# which is some 50 s here, or a gigabyte of journals, which is less.
LONG_SECONDS, LONG_ROUNDS = 40, 3
SHAPES = [(1, 1), (50, 1), (50, 16), (50, 100)]
CALL_SHAPES = [(1, 1), (50, 1), (50, 16)]
# Asked by the unix socket, too.
UNIX_SHAPES = [(1, 1), (50, 1), (50, 16)]
# Each with its server and its dialect.
COLUMNS = {
    "node-line": ("line", "line"), "node": ("node", "resp"), "redis": ("redis", "resp"),
    "memcached": ("memcached", "memcached"), "null": ("null", "resp"),
}
# The goals of a node in RESP against Redis: clients, depth, reads -> processor time at most, throughput at least.
ASKED = {
    (50, 1, 0): ("<= 0.80", ""), (50, 1, 1): ("<= 0.80", ""), (50, 16, 0): ("", ">= 2.0"), (50, 16, 1): ("", ">= 2.2"),
    (50, 100, 0): ("", ">= 2.5"), (50, 100, 1): ("", ">= 3.3"),
}


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.servers = {}
        self.seen = collections.defaultdict(list)
        self.kept = options.out.with_name(f"{options.out.name}.json")
        if options.add:
            for key, measured in json.loads(self.kept.read_text()):
                self.seen[tuple(key)] = measured

    def keep(self):
        self.kept.write_text(json.dumps(list(self.seen.items())))

    def start(self, name, dialect, port, command):
        self.servers[name] = Server(SERVER_CORE, port, command)
        self.servers[name].dialect = dialect
        self.servers[name].stop()

    def node(self, name, *flags):
        [port] = free_ports(1)
        config = self.directory / f"{name}.json"
        config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port}]))
        command = [TARGET / "kvstoreapp", "--id=0", f"--config={config}", f"--data-dir={self.directory / name}",
                   "--log-level=warn", f"--unix-socket={self.socket(name)}", *flags]
        self.start(name, "resp", port, command)

    def redis(self, name, *flags):
        [port], directory = free_ports(1), self.directory / name
        directory.mkdir()
        self.start(name, "resp", port, ["redis-server", "--port", port, "--save", "", "--dir", directory,
                                 "--unixsocket", self.socket(name), *flags])

    def socket(self, name):
        return self.directory / f"{name}.sock"

    def kvbench(self, server, dialect, *flags):
        way = () if "--unix-socket" in flags else ("--address", f"127.0.0.1:{server.port}")
        command = ["taskset", "-c", LOAD_CORE, TARGET / "kvbench", "--json", *way, "--dialect", dialect,
                   "--keys", self.options.keys, "--server-pid", server.process.pid, *flags]
        return json.loads(subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout)

    def run(self, key, name, dialect, *flags):
        """Measures one server, and remembers the result under the key."""
        server = self.servers[name]
        server.go_on()
        measured = self.kvbench(server, dialect, "--seconds", self.options.seconds, "--warm-up", 0.3, *flags)
        self.settle(name)
        server.stop()
        self.seen[key].append(measured)

    def settle(self, name):
        """Waits until a node has brought its rows up to date."""
        for _ in range(300):
            if not any((self.directory / name).glob("backup.db.journal-*")):
                return
            time.sleep(0.1)
        print(f"{name} has still journals after 30 s", file=sys.stderr)

    def run_long(self, name):
        """Processor time of a SET, what it leaves to be done included."""
        server = self.servers[name]
        server.go_on()
        before = server.processor_us()
        measured = self.kvbench(server, "resp", "--clients", 50, "--depth", 1, "--reads", 0, "--seconds", LONG_SECONDS,
                                "--warm-up", 0)
        self.settle(name)
        self.seen["long", name].append((server.processor_us() - before) / measured["requests"])
        server.stop()

    def measured(self, key):
        if not self.seen[key]:
            raise SystemExit(f"{self.kept} has nothing for {key}: another version measured it, so leave out --add")
        return self.seen[key]

    def median(self, key, value=lambda one: one):
        return statistics.median(value(one) for one in self.measured(key))

    def ratio(self, key, other, value=lambda one: one):
        return statistics.median(value(one) / value(two) for one, two in zip(self.measured(key), self.measured(other)))

    def system_calls(self, clients, depth):
        """Of the event loop's thread, for each request."""
        server = self.servers["node"]
        server.go_on()
        counts = self.directory / "calls"
        trace = subprocess.Popen(["strace", "-c", "-p", str(server.process.pid), "-o", str(counts)],
                                 stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        measured = self.kvbench(server, "resp", "--clients", clients, "--depth", depth, "--reads", 0.5, "--seconds", 2,
                                "--warm-up", 0)
        trace.send_signal(signal.SIGINT)
        trace.wait()
        server.stop()
        total = re.search(r"^\s*100\.00\s+\S+\s+\S*\s+(\d+).*total", counts.read_text(), re.M)
        return int(total.group(1)) / measured["requests"]


def version(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]


def measure(bench):
    options = bench.options
    # Two, so that neither pays for what the other's writes leave to be done.
    bench.node("line")
    bench.node("node")
    bench.node("busy", "--busy-poll")
    bench.node("commit", "--durability=commit")
    bench.redis("redis", "--appendonly", "no")
    bench.redis("always", "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
    memcached, null, null_busy = free_ports(3)
    bench.start("memcached", "memcached", memcached,
                ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", memcached, "-t", 1, "-m", 4096])
    bench.start("null", "resp", null, [TARGET / "kvbench", "--null-server", null])
    bench.start("null busy", "resp", null_busy, [TARGET / "kvbench", "--null-server", null_busy, "--busy-poll"])
    for name, server in bench.servers.items():
        server.go_on()
        before = server.resident_bytes()
        bench.kvbench(server, server.dialect, "--fill", "--reads", 1, "--seconds", 0.1)
        bench.settle(name)
        time.sleep(1)
        bench.seen["resident", name].append((server.resident_bytes() - before) / options.keys)
        server.stop()
    for number in range(options.rounds):
        for clients, depth in SHAPES:
            for reads in (0, 1):
                for column, (name, dialect) in COLUMNS.items():
                    flags = ("--clients", clients, "--depth", depth, "--reads", reads)
                    bench.run((column, clients, depth, reads), name, dialect, *flags)
        for name in ("busy", "redis", "null busy"):
            bench.run(("one client", name), name, "resp", "--clients", 1, "--depth", 1, "--reads", 1, "--busy-poll")
        for clients, depth in UNIX_SHAPES:
            for name in ("node", "redis"):
                flags = ("--clients", clients, "--depth", depth, "--reads", 1, "--unix-socket", bench.socket(name))
                bench.run(("unix", name, clients, depth), name, "resp", *flags)
        for depth in (1, 16):
            for name in ("commit", "always"):
                bench.run(("durable", name, depth), name, "resp", "--clients", 50, "--depth", depth, "--reads", 0)
        bench.keep()
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    for _ in range(LONG_ROUNDS if options.rounds > 2 else 1):
        for name in ("node", "redis"):
            bench.run_long(name)
    for shape in CALL_SHAPES:
        bench.seen["calls", *shape].append(bench.system_calls(*shape))
    bench.keep()


def table(bench, title, value, style, asked=None):
    ratios = [("node", "redis"), ("node", "null"), ("node-line", "memcached")]
    # memcached's event loop is another than its first thread.
    unknown = {"memcached"} if "thread" in title else set()
    print(f"**{title}**\n\n| clients x depth | work | {' | '.join(COLUMNS)} | node / redis | goal | node / null | "
          f"node-line / memcached |")
    print("|---|---|" + "---|" * (len(COLUMNS) + 4))
    for clients, depth in SHAPES:
        for reads in (0, 1):
            key = lambda column: (column, clients, depth, reads)
            star = lambda column: "*" if bench.median(key(column), lambda one: one["own_cores"]) >= 0.9 else ""
            median = lambda column: f"{bench.median(key(column), value):{style}}{star(column)}"
            ratio = lambda one, other: f"{bench.ratio(key(one), key(other), value):.2f}"
            shown = ["" if column in unknown else median(column) for column in COLUMNS]
            over = ["" if other in unknown else ratio(one, other) for one, other in ratios]
            over.insert(1, ASKED.get((clients, depth, reads), ("", ""))[asked] if asked is not None else "")
            print(f"| {clients} x {depth} | {'GET' if reads else 'SET'} | {' | '.join(shown + over)} |")
    print()


def unix_table(bench):
    print("**By the unix socket**\n\n| clients x depth | GET a second: node | redis | node / redis | node, unix socket / "
          "TCP | p50 in us: node | node, unix socket / TCP |\n|---|---|---|---|---|---|---|")
    for clients, depth in UNIX_SHAPES:
        node, redis, by_tcp = ("unix", "node", clients, depth), ("unix", "redis", clients, depth), ("node", clients, depth, 1)
        rate, p50 = (lambda one: one["per_second"]), (lambda one: one["p50_us"])
        print(f"| {clients} x {depth} | {bench.median(node, rate):,.0f} | {bench.median(redis, rate):,.0f} | "
              f"{bench.ratio(node, redis, rate):.2f} | {bench.ratio(node, by_tcp, rate):.2f} | "
              f"{bench.median(node, p50):,.1f} | {bench.ratio(node, by_tcp, p50):.2f} |")
    print()


def report(bench):
    options = bench.options
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"{processor.group(1) if processor else 'unknown processor'}, Linux {platform.release()}; "
          f"{version('redis-server', '--version')[:22]}; {version('memcached', '--version')}; {options.keys:,} keys of "
          f"16 B with 64 B; medians of {len(bench.measured(('one client', 'busy')))} interleaved rounds of "
          f"{options.seconds} s. Columns: a node in its line dialect and in RESP, Redis, memcached, and a server of the "
          f"same kind without a store. `*`: the load was busy for 90 % of the time or more, so it is not only the "
          f"server that is measured.\n")
    table(bench, "Requests a second", lambda one: one["per_second"], ",.0f", 1)
    table(bench, "Microseconds of processor time a request, event loop's thread",
          lambda one: one["server"]["first_thread_us_per_request"], ".2f", 0)
    table(bench, "Microseconds of processor time a request, whole process",
          lambda one: one["server"]["cpu_us_per_request"], ".2f", 0)
    table(bench, "p50 in microseconds", lambda one: one["p50_us"], ",.0f")
    table(bench, "p99.9 in microseconds", lambda one: one["p999_us"], ",.0f")
    unix_table(bench)
    print("| | node | redis | node / redis | goal |\n|---|---|---|---|---|")

    def row(what, ours, theirs, style, asked, value=lambda one: one):
        print(f"| {what} | {bench.median(ours, value):{style}} | {bench.median(theirs, value):{style}} | "
              f"{bench.ratio(ours, theirs, value):.2f} | {asked} |")

    row("GET, 1 client that never sleeps, node with `--busy-poll`: p50 in us", ("one client", "busy"),
        ("one client", "redis"), ".1f", "<= 0.5", lambda one: one["p50_us"])
    row("... and in the node's place a server without a store that never sleeps", ("one client", "null busy"),
        ("one client", "redis"), ".1f", "", lambda one: one["p50_us"])
    for depth, asked in ((1, ">= 1.0"), (16, ">= 0.8")):
        row(f"SET, 50 x {depth}, `--durability commit` and `appendfsync always`: a second", ("durable", "commit", depth),
            ("durable", "always", depth), ",.0f", asked, lambda one: one["per_second"])
    row(f"SET, 50 x 1, {LONG_SECONDS} s in one go and the merge after it: us of processor time a request, whole process",
        ("long", "node"), ("long", "redis"), ".2f", "<= 0.80")
    row("resident bytes a key", ("resident", "node"), ("resident", "redis"), ".0f", "<= 0.70")
    calls = [bench.median(("calls", *shape)) for shape in CALL_SHAPES]
    print(f"\nResident bytes a key in memcached: {bench.median(('resident', 'memcached')):.0f}. System calls a request: "
          f"{calls[0]:.2f} with 1 client (goal: 2.1), {calls[1]:.2f} with 50 x 1, {calls[2]:.3f} with 50 x 16 (goal: "
          f"0.15).")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--out", type=pathlib.Path, default=TARGET.parent / "bench.md")
    parser.add_argument("--add", action="store_true", help="to the rounds that were measured before")
    parser.add_argument("--quick", action="store_true", help="two short rounds, for a first look")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 0.5
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, pathlib.Path(directory))
        try:
            if options.rounds:
                measure(bench)
        finally:
            for server in bench.servers.values():
                server.end()
    with open(options.out, "w") as out:
        sys.stdout = out
        report(bench)
        sys.stdout = sys.__stdout__
    print(options.out.read_text(), end="")


if __name__ == "__main__":
    main()
