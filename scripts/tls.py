#!/usr/bin/env python3
"""Compares TLS of a node with that of Debian's Redis, and with plain text, as Markdown: run by scripts/bench.sh --tls.

usage: scripts/bench.sh --tls [--rounds N] [--seconds S] [--keys N] [--idle N] [--out FILE]

All servers are pinned to core 0, the load to core 1. Rounds are interleaved, and ratios are medians of those of each
round. A node's handshakes have a thread of their own, which the system puts on any core but the loop's where --cpu pins
that; here both share core 0 with it, as a Redis would. Handshakes beside a load come from a process on core 1, too:
latencies are those of requests that did not wait for it (kvbench's "undisturbed").
"""

import argparse
import collections
import json
import os
import pathlib
import re
import ssl
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from servers import Server, free_ports

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
SERVER_CORE, LOAD_CORE = "0", "1"
DEPTHS = {1: 1.3, 16: 2.0, 100: 2.5}
HANDSHAKES_PER_SECOND = 200
LOAD = 0.8


def start(directory, name, *flags):
    [port] = free_ports(1)
    config = directory / f"{name}.json"
    config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port}]))
    return Server(SERVER_CORE, port, [TARGET / "kvstoreapp", "--id=0", f"--config={config}", "--log-level=warn",
                                      f"--data-dir={directory / name}", *flags])


def start_redis(directory, certificates):
    [port], place = free_ports(1), directory / "redis"
    place.mkdir()
    return Server(SERVER_CORE, port, [
        "redis-server", "--port", "0", "--tls-port", port, "--save", "", "--dir", place, "--tls-auth-clients", "no",
        "--tls-cert-file", certificates / "node-0.crt", "--tls-key-file", certificates / "node-0.key",
        "--tls-ca-cert-file", certificates / "ca.crt"])


class Bench:
    def __init__(self, options, directory):
        self.options, self.certificates = options, directory / "tls"
        subprocess.run([TARGET / "kvstoreapp", "certs", f"--out={self.certificates}"], check=True, cwd=directory,
                       stdout=subprocess.DEVNULL)
        certificate = [f"--tls-cert={self.certificates / 'node-0.crt'}", f"--tls-key={self.certificates / 'node-0.key'}"]
        self.servers = {"tls": start(directory, "tls", *certificate), "plain": start(directory, "plain"),
                        "redis": start_redis(directory, self.certificates)}
        self.seen = collections.defaultdict(list)
        for name, server in self.servers.items():
            self.kvbench(name, "--fill", "--reads", 1, "--seconds", 0.1)
        time.sleep(3)
        for server in self.servers.values():
            server.stop()

    def command(self, name, *flags):
        trust = [] if name == "plain" else ["--tls", "--tls-ca", self.certificates / "ca.crt"]
        command = ["taskset", "-c", LOAD_CORE, TARGET / "kvbench", "--json", "--dialect", "resp", "--address",
                   f"127.0.0.1:{self.servers[name].port}", "--keys", self.options.keys, *trust, *flags]
        return list(map(str, command))

    def kvbench(self, name, *flags):
        run = subprocess.run(self.command(name, *flags), capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"{name}: {run.stderr}")
        return json.loads(run.stdout)

    def run(self, key, name, *flags):
        self.servers[name].go_on()
        self.seen[key, name].append(
            self.kvbench(name, "--seconds", self.options.seconds, "--warm-up", 0.3, "--reads", 0.5, *flags))
        self.servers[name].stop()

    def median(self, key, name, field):
        return statistics.median(one[field] for one in self.seen[key, name])

    def ratio(self, key, name, other, field):
        return statistics.median(
            one[field] / two[field] for one, two in zip(self.seen[key, name], self.seen[key, other]))

    def load_with_handshakes(self):
        """p99.9 at a part of the full load, without and with new clients."""
        server = self.servers["tls"]
        server.go_on()
        rate = LOAD * self.median(("depth", 1), "tls", "per_second")
        flags = ("--seconds", self.options.seconds * 3, "--rate", round(rate), "--clients", 50)
        for _ in range(self.options.rounds):
            self.seen["alone", "tls"].append(self.kvbench("tls", *flags))
            maker = subprocess.Popen(["taskset", "-c", LOAD_CORE, sys.executable, __file__, "--make-handshakes",
                                      str(server.port), "--ca", str(self.certificates / "ca.crt")], stdout=subprocess.PIPE)
            self.seen["crowded", "tls"].append(self.kvbench("tls", *flags))
            maker.terminate()
            self.seen["made", "tls"].append(float(maker.stdout.read() or 0))
            maker.wait()
        server.stop()

    def idle_bytes(self, name):
        """Resident memory for each connection that has asked once and is silent."""
        server, count = self.servers[name], self.options.idle
        server.go_on()
        before = server.resident_bytes()
        load = subprocess.Popen(self.command(name, "--clients", count, "--rate", count, "--seconds", 8, "--reads", 1),
                                stdout=subprocess.DEVNULL)
        peak = 0
        while load.poll() is None:
            time.sleep(0.25)
            peak = max(peak, server.resident_bytes())
        server.stop()
        return (peak - before) / count


def make_handshakes(options):
    """So many new clients a second, until it is ended; prints how many a second they were."""
    import signal
    context = ssl.create_default_context(cafile=options.ca)
    begun, made = time.monotonic(), 0

    def report(*_):
        print(made / (time.monotonic() - begun), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, report)
    while True:
        with socket.create_connection(("127.0.0.1", options.make_handshakes)) as connection:
            with context.wrap_socket(connection, server_hostname="127.0.0.1"):
                made += 1
        time.sleep(max(0, begun + made / HANDSHAKES_PER_SECOND - time.monotonic()))


def table(bench):
    out = ["| 50 clients, requests a second | node | Redis | node : Redis (asked) | node with plain text | TLS : plain (asked) |",
           "|---|---|---|---|---|---|"]
    for depth, asked in DEPTHS.items():
        key = ("depth", depth)
        rates = [bench.median(key, name, "per_second") for name in ("tls", "redis", "plain")]
        ratios = [bench.ratio(key, "tls", other, "per_second") for other in ("redis", "plain")]
        out.append(f"| depth {depth} | {rates[0]:,.0f} | {rates[1]:,.0f} | {ratios[0]:.2f} (>= {asked}) | {rates[2]:,.0f} "
                   f"| {ratios[1]:.2f} (>= 0.75) |")
    out += ["", "| what | node | against | ratio (asked) |", "|---|---|---|---|"]
    one = [bench.median("one", name, "p50_us") for name in ("tls", "redis")]
    out.append(f"| p50 of one client, us | {one[0]:.1f} | Redis {one[1]:.1f} "
               f"| {bench.ratio('one', 'tls', 'redis', 'p50_us'):.2f} (<= 1.0) |")
    made = statistics.median(bench.seen["made", "tls"])
    crowded, alone = [statistics.median(one["undisturbed"]["p999_us"] for one in bench.seen[key, "tls"])
                      for key in ("crowded", "alone")]
    out.append(f"| p99.9 at {LOAD:.0%} load with {made:.0f} handshakes a second, us | {crowded:.0f} | without {alone:.0f} "
               f"| {crowded / alone:.2f} (<= 1.2) |")
    idle = [bench.idle_bytes(name) / 1024 for name in ("tls", "redis", "plain")]
    out.append(f"| idle connection, KiB resident, of {bench.options.idle:,} | {idle[0]:.1f} (<= 24) "
               f"| Redis {idle[1]:.1f}, plain {idle[2]:.1f} | |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh --tls")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--idle", type=int, default=5_000)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--make-handshakes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ca", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make_handshakes:
        return make_handshakes(options)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, pathlib.Path(directory))
        try:
            for _ in range(options.rounds):
                for depth in DEPTHS:
                    for name in bench.servers:
                        bench.run(("depth", depth), name, "--clients", 50, "--depth", depth)
                for name in ("tls", "redis"):
                    bench.run("one", name, "--clients", 1, "--busy-poll")
            bench.load_with_handshakes()
            written = table(bench)
        finally:
            for server in bench.servers.values():
                server.end()
    print(written)
    if options.out:
        options.out.write_text(written)


if __name__ == "__main__":
    main()
