#!/usr/bin/env python3
"""How long a node's longest pause is, under everything at once; and Redis' beside it, which saves meanwhile.

usage: scripts/pauses.py [--keys N] [--seconds S] [--out DIRECTORY] [--quick]

Run by hand, some minutes, on a machine with nothing else to do; `cargo build --release` comes first. Three nodes: the one
that is measured has its loop on core 0 (`--cpu`), its snapshot thread, its peers and the load run on core 1. One peer is linked all the time; the other is stopped, and
goes on when a run begins, so that it catches up. Load: 80 % GET, 20 % SET, requests due at fixed times (open loop), so that a
pause is not hidden. The longest tick is what the node says of itself. Plots of latency over time go to --out.
"""

import argparse
import json
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

from bench import LOAD_CORE, SERVER_CORE, TARGET, free_port

CLIENTS = 50
EXPIRING = 1_000_000
LARGE_BYTES = 64 << 20


class Process:
    def __init__(self, core, port, *command):
        self.port = port
        pinned = ["taskset", "-c", core] if core else []
        self.process = subprocess.Popen([*pinned, *map(str, command)], stdout=subprocess.DEVNULL)
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.05)
        self.reader = self.connection.makefile("rb")

    def ask(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.connection.sendall(encoded(words))
        return self.reply()

    def reply(self):
        line = self.reader.readline()
        return self.reader.read(int(line[1:]) + 2)[:-2] if line[:1] == b"$" else line

    def field(self, name):
        found = re.search(rf"^{name}:([^\r\n]*)", self.ask("INFO", "everything").decode(), re.M)
        return found.group(1) if found else "?"

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


def encoded(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def kvbench(options, process, *flags):
    command = ["taskset", "-c", LOAD_CORE, TARGET / "kvbench", "--json", "--address", f"127.0.0.1:{process.port}", "--dialect",
               "resp", "--keys", options.keys, "--clients", CLIENTS, "--reads", 0.8, *flags]
    return json.loads(subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout)


def row(what, longest, measured=None):
    shown = [f"{measured[name]:,.0f}" for name in ("per_second", "p50_us", "p99_us", "p999_us", "max_us")] if measured else [""] * 5
    print(f"| {what} | {' | '.join(shown)} | {longest} |", flush=True)


def phase(node, what, work):
    """The longest tick while something is done."""
    node.ask("CONFIG", "RESETSTAT")
    measured = work()
    longest = f"{int(node.field('longest_tick_us')) / 1000:.2f} ms ({node.field('longest_tick_phase')})"
    row(what, longest, measured)


def open_loop(options, node, share, rate, name, *flags):
    plot = options.out / f"{name}.svg"
    return kvbench(options, node, "--rate", share * rate, "--seconds", options.seconds, "--warm-up", 1, "--plot-time", plot, *flags)


def measure_nodes(options, directory):
    ports = [free_port() for _ in range(3)]
    config = directory / "node_config.json"
    config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port} for port in ports]))
    nodes = []
    try:
        for number, core in enumerate((None, LOAD_CORE, LOAD_CORE)):
            # The loop has the core for itself, without the snapshot's thread.
            flags = [] if core else [f"--cpu={SERVER_CORE}"]
            nodes.append(Process(core, ports[number], TARGET / "kvstoreapp", f"--id={number}", f"--config={config}",
                                 f"--data-dir={directory / str(number)}", "--log-level=error", *flags))
        node, _, late = nodes
        phase(node, f"growing to {options.keys:,} keys", lambda: kvbench(options, node, "--fill", "--seconds", 0.1) and None)
        rate = kvbench(options, node, "--seconds", 5)["per_second"]
        print(f"| closed loop | {rate:,.0f} | | | | | |")
        for share in (0.5, 0.8):
            late.process.send_signal(signal.SIGSTOP)
            kvbench(options, node, "--seconds", min(10, options.seconds))
            late.process.send_signal(signal.SIGCONT)
            phase(node, f"open loop at {share:.0%}, one peer linked, one catching up",
                  lambda share=share: open_loop(options, node, share, rate, f"node-{share * 100:.0f}"))
        phase(node, f"{EXPIRING:,} keys that expire in one second", lambda: expire(options, node))
        phase(node, "64 MiB written", lambda: node.ask("SET", "large", bytes(LARGE_BYTES)) and None)
        phase(node, "64 MiB read", lambda: node.ask("GET", "large") and None)
        phase(node, "64 MiB deleted", lambda: node.ask("DEL", "large") and None)
        phase(node, "FLUSHALL", lambda: (node.ask("FLUSHALL"), time.sleep(5)) and None)
    finally:
        for one in nodes:
            one.end()


def expire(options, node):
    count = min(EXPIRING, options.keys)
    at = str(int(time.time() * 1000) + 10_000 + count // 50).encode()
    for begin in range(0, count, 1000):
        many = b"".join(encoded([b"SET", b"expires:%d" % number, b"x" * 64, b"PXAT", at]) for number in range(begin, begin + 1000))
        node.connection.sendall(many)
        for _ in range(1000):
            node.reply()
    node.ask("CONFIG", "RESETSTAT")
    time.sleep(max(0, int(at) / 1000 - time.time()) + 3)


def measure_redis(options, directory):
    port = free_port()
    redis = Process(SERVER_CORE, port, "redis-server", "--port", port, "--save", "", "--dir", directory)
    try:
        kvbench(options, redis, "--fill", "--seconds", 0.1)
        rate = kvbench(options, redis, "--seconds", 5)["per_second"]
        print(f"| Redis: closed loop | {rate:,.0f} | | | | | |")
        saver = Process.__new__(Process)
        saver.connection = socket.create_connection(("127.0.0.1", port))
        saver.reader = saver.connection.makefile("rb")
        ends = threading.Event()

        def save():
            while not ends.wait(3):
                saver.ask("BGSAVE")

        thread = threading.Thread(target=save)
        thread.start()
        for share in (0.5, 0.8):
            row(f"Redis: open loop at {share:.0%}, BGSAVE every 3 s", "",
                open_loop(options, redis, share, rate, f"redis-{share * 100:.0f}"))
        ends.set()
        thread.join()
    finally:
        redis.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=300, help="of each open loop")
    parser.add_argument("--out", type=pathlib.Path, default=TARGET.parent / "pauses")
    parser.add_argument("--quick", action="store_true", help="200,000 keys, 5 s")
    options = parser.parse_args()
    if options.quick:
        options.keys, options.seconds = 200_000, 5
    options.out.mkdir(parents=True, exist_ok=True)
    print("| | requests a second | p50 us | p99 us | p99.9 us | longest us | longest tick |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        measure_nodes(options, pathlib.Path(directory))
    with tempfile.TemporaryDirectory() as directory:
        measure_redis(options, pathlib.Path(directory))


main()
