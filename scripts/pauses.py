#!/usr/bin/env python3
"""How long a node's longest pause is, under everything at once; and Redis' beside it, which saves meanwhile.

usage: scripts/pauses.py [--keys N] [--seconds S] [--rate R] [--only PART] [--out DIRECTORY] [--quick]

Run by hand, half an hour, on a machine with nothing else to do; `cargo build --release` comes first. Three nodes: the
one that is measured has its loop on core 0 and never sleeps (`--cpu`, `--busy-poll`), with root at the highest
priority (nice -20); its other threads, its peers (whose data files are in memory) and the load share core 1. In the
closed loop, whose rate the open ones take shares of, the load goes last, so that it is a rate that data files and
peers keep up with; in an open one, with root, it goes first (in real time; it naps between requests), so that it is
the node that is waited for. Redis gets the same rates. One peer is linked all the time; the other is stopped, and
goes on when a run begins, so that it catches up. Load: 80 % GET, 20 % SET, requests due at fixed times (open loop),
so that a pause is not hidden. Latencies hold some 75 us of naps. "Undisturbed" are requests that did not wait for the
load to get its processor. The longest tick is what the node says of itself, and so is how much of it it had no
processor. The share of the server's core that the host took is the system's account (/proc/stat): so many requests,
at least, had to wait for that. What the machine takes away by itself is measured first: how long processes that do
nothing but read the clock had to wait, on one core and on both. Plots of latency over time go to --out.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from bench import LOAD_CORE, SERVER_CORE, TARGET
from servers import Client, Server, encoded, free_ports

CLIENTS = 50
EXPIRING = 1_000_000
LARGE_BYTES = 64 << 20
LAST = ["nice", "-n", "10"]
# Where the system lets it be; a load that is busy all the time would be stopped for 50 ms a second.
FIRST = ["chrt", "--fifo", "10"]
if os.geteuid() != 0 or subprocess.run([*FIRST, "true"], stderr=subprocess.DEVNULL).returncode:
    FIRST = []
# It looks for answers so often, and shares its core with two peers.
NAP_US = 50
MEMORY = "/dev/shm"
RATE_SECONDS = 15
COLUMNS = ("", "requests a second", "p50 us", "p99 us", "p99.9 us", "undisturbed", "their p99.9 us", "their longest us",
           "cores the load was busy", "99.9 % of ticks within", "longest tick", "... without a processor",
           "most on a processor", "of its core the host took")
SHARES = (0.5, 0.8)


def kvbench(options, server, *flags, first=()):
    command = [*first, "taskset", "-c", LOAD_CORE, TARGET / "kvbench", "--json", "--address",
               f"127.0.0.1:{server.port}", "--dialect", "resp", "--keys", options.keys, "--clients", CLIENTS,
               "--reads", 0.8, *flags]
    return json.loads(subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout)


def row(what, ticks, measured=None):
    shown = [""] * 8
    if measured:
        shown = [f"{measured[name]:,.0f}" for name in ("per_second", "p50_us", "p99_us", "p999_us")]
        undisturbed = measured["undisturbed"]
        shown += [f"{undisturbed['share']:.1%}", f"{undisturbed['p999_us']:,.0f}", f"{undisturbed['max_us']:,.0f}"]
        shown.append(f"{measured['own_cores']:.2f}")
    print(f"| {what} | {' | '.join(shown)} | {ticks} |", flush=True)


def stolen_s(core):
    """What the host has taken of it so far, as far as the system knows."""
    with open("/proc/stat") as stat:
        [fields] = [line.split() for line in stat if line.startswith(f"cpu{core} ")]
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def with_stolen(work):
    """What it returns, and which share of the server's core the host took meanwhile."""
    before, begun = stolen_s(SERVER_CORE), time.monotonic()
    measured = work()
    return measured, f"{(stolen_s(SERVER_CORE) - before) / (time.monotonic() - begun):.2%}"


def longest_wait(core, seconds, waits):
    """In ms, of a process on this core that only reads the clock; and of waits in which it had a processor."""
    os.sched_setaffinity(0, {int(core)})
    longest, longest_on_cpu = 0, 0
    last, last_cpu = time.perf_counter_ns(), time.thread_time_ns()
    end = last + int(seconds * 1e9)
    while last < end:
        now, cpu = time.perf_counter_ns(), time.thread_time_ns()
        longest, longest_on_cpu = max(longest, now - last), max(longest_on_cpu, min(now - last, cpu - last_cpu))
        last, last_cpu = now, cpu
    waits.put((longest / 1e6, longest_on_cpu / 1e6))


def measure_machine(seconds):
    waits = multiprocessing.Queue()
    for cores in ((SERVER_CORE,), (SERVER_CORE, LOAD_CORE)):
        spinning = [multiprocessing.Process(target=longest_wait, args=(core, seconds, waits)) for core in cores]
        for one in spinning:
            one.start()
        longest, longest_on_cpu = map(max, zip(*[waits.get() for _ in spinning]))
        print(f"Processes that only read the clock, on {len(cores)} of the cores for {seconds:.0f} s: longest wait "
              f"{longest:.2f} ms, with a processor {longest_on_cpu:.2f} ms.\n", flush=True)


class Measured:
    """The node, and a client that asks it for its longest tick."""

    def __init__(self, options, directory, peers_directory):
        self.options = options
        ports = free_ports(3)
        config = directory / "node_config.json"
        config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port} for port in ports]))
        self.nodes, self.directories = [], (directory, peers_directory)
        try:
            for number, port in enumerate(ports):
                # Its loop has the core for itself, without its other threads.
                core, flags = (LOAD_CORE, []) if number else (None, [f"--cpu={SERVER_CORE}", "--busy-poll"])
                data = (peers_directory if number else directory) / str(number)
                command = [TARGET / "kvstoreapp", f"--id={number}", f"--config={config}", f"--data-dir={data}",
                           "--log-level=error", *flags]
                self.nodes.append(Server(core, port, command))
        except BaseException:
            self.end()
            raise
        self.node, _, self.late = self.nodes
        if os.geteuid() == 0:
            # Of the loop's thread alone: threads of the kernel take less of its core, and for less long.
            try:
                os.setpriority(os.PRIO_PROCESS, self.node.process.pid, -20)
            except OSError as error:
                print(f"The node keeps its priority: {error}.\n")
        self.client = Client(self.node)
        # This script reads 64 MiB, too.
        os.sched_setaffinity(0, {int(LOAD_CORE)})

    def phase(self, what, work):
        """The longest tick while something is done."""
        self.client.ask("CONFIG", "RESETSTAT")
        measured, stolen = with_stolen(work)
        info = dict(line.split(":", 1) for line in self.client.ask("INFO", "ticks").decode().split() if ":" in line)
        ms = lambda name: f"{int(info[name]) / 1000:.2f} ms"
        row(what, f"{ms('tick_us_p999')} | {ms('longest_tick_us')} ({info['longest_tick_phase']}) | "
                  f"{ms('longest_tick_off_cpu_us')} | {ms('tick_on_cpu_us_max')} | {stolen}", measured)

    def fill(self):
        kvbench(self.options, self.node, "--fill", "--seconds", 0.1)

    def settle(self):
        """Waits until the rows of all data files are up to date: growing leaves much to be merged."""
        for _ in range(1200):
            if not any(any(directory.glob("*/backup.db.journal-*")) for directory in self.directories):
                return
            time.sleep(0.1)
        print("Journals are left to be merged after two minutes.\n", flush=True)

    def open_loops(self):
        self.settle()
        if self.options.rate is None:
            self.options.rate = closed_loop(self.options, self.node, "closed loop", first=LAST)
        for share in SHARES:
            self.late.stop()
            kvbench(self.options, self.node, "--seconds", min(10, self.options.seconds))
            # So long nothing is written that a merge begins.
            time.sleep(3.5)
            self.late.go_on()
            self.phase(f"open loop at {share:.0%}, one peer linked, one catching up",
                       lambda share=share: open_loop(self.options, self.node, share, self.options.rate, "node"))

    def expire(self):
        count = min(EXPIRING, self.options.keys)
        at = int(time.time() * 1000) + 10_000 + count // 50
        for begin in range(0, count, 1000):
            self.client.send(b"".join(
                encoded("SET", f"expires:{number}", b"x" * 64, "PXAT", at) for number in range(begin, begin + 1000)))
            for _ in range(1000):
                self.client.reply()
        self.client.ask("CONFIG", "RESETSTAT")
        time.sleep(max(0, at / 1000 - time.time()) + 3)

    def large(self):
        for what in ("written", "written again"):
            self.phase(f"64 MiB {what}", lambda: self.client.ask("SET", "large", bytes(LARGE_BYTES)) and None)
        self.phase("64 MiB read", lambda: self.client.ask("GET", "large") and None)
        self.phase("64 MiB deleted", lambda: self.client.ask("DEL", "large") and None)

    def flush(self):
        self.client.ask("FLUSHALL")
        # Steps of 32 keys, 0.2 ms of them in a tick: some ten seconds for 10,000,000.
        time.sleep(15)

    def end(self):
        for node in self.nodes:
            node.end()


def closed_loop(options, server, what, first=()):
    """Its rate."""
    rate = kvbench(options, server, "--seconds", RATE_SECONDS, first=first)["per_second"]
    print(f"| {what} | {rate:,.0f} | | | | | | | | | | | | |", flush=True)
    return rate


def open_loop(options, server, share, rate, name):
    plot = options.out / f"{name}-{share * 100:.0f}.svg"
    return kvbench(options, server, "--rate", share * rate, "--nap", NAP_US, "--seconds", options.seconds,
                   "--warm-up", 1, "--plot-time", plot, first=FIRST)


def memory_directory(options):
    """For the peers, which have no disk of their own to wait for; `None` where there is no room."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > options.keys * 500:
        return MEMORY
    print(f"The peers' data files are on the disk, as there is no room in {MEMORY}.\n")
    return None


def measure_nodes(options, directory):
    with tempfile.TemporaryDirectory(dir=options.memory) as peers_directory:
        measure_phases(options, Measured(options, directory, pathlib.Path(peers_directory)))


def measure_phases(options, measured):
    try:
        measured.phase(f"growing to {options.keys:,} keys", measured.fill)
        measured.open_loops()
        measured.phase(f"{min(EXPIRING, options.keys):,} keys that expire in one second", measured.expire)
        measured.large()
        measured.phase(f"FLUSHALL of {options.keys:,} keys", measured.flush)
    finally:
        measured.end()


def measure_redis(options, directory):
    [port] = free_ports(1)
    # What it forks saves on the other core, as a node's thread does.
    cores = ["--server_cpulist", SERVER_CORE, "--bgsave_cpulist", LOAD_CORE]
    redis = Server(None, port, ["redis-server", "--port", port, "--save", "", "--dir", directory, *cores])
    ends = threading.Event()

    def save():
        client = Client(redis)
        while not ends.wait(3):
            client.ask("BGSAVE")

    thread = threading.Thread(target=save)
    try:
        kvbench(options, redis, "--fill", "--seconds", 0.1)
        rate = options.rate or closed_loop(options, redis, "Redis: closed loop")
        thread.start()
        for share in SHARES:
            measured, stolen = with_stolen(lambda share=share: open_loop(options, redis, share, rate, "redis"))
            row(f"Redis: open loop at {share:.0%}, BGSAVE every 3 s", f" | | | | {stolen}", measured)
    finally:
        ends.set()
        if thread.is_alive():
            thread.join()
        redis.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=300, help="of each open loop")
    parser.add_argument("--rate", type=float,
                        help="a second, of which the open loops take shares; default: that of the closed loop")
    parser.add_argument("--only", choices=("node", "redis"), help="one of the two parts")
    parser.add_argument("--out", type=pathlib.Path, default=TARGET.parent / "pauses")
    parser.add_argument("--quick", action="store_true", help="200,000 keys, 5 s")
    options = parser.parse_args()
    if options.quick:
        options.keys, options.seconds = 200_000, 5
    options.out.mkdir(parents=True, exist_ok=True)
    measure_machine(min(20, options.seconds))
    options.memory = memory_directory(options) if options.only != "redis" else None
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for name, measure in (("node", measure_nodes), ("redis", measure_redis)):
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as directory:
                measure(options, pathlib.Path(directory))


if __name__ == "__main__":
    main()
