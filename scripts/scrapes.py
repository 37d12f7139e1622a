#!/usr/bin/env python3
"""What it costs a node that a collector asks for /metrics every second, as Markdown.

usage: scripts/scrapes.py [--rounds N] [--seconds S] [--rate R] [--binaries DIRECTORY]

Three linked nodes; the one that is measured is pinned to core 0, load, collector and the others to core 1. Every command
was called once, so that the page has all that it can. Rounds with and without a collector are interleaved; medians.
Processor time is that of the loop's thread, as the system counts it. The longest ticks are what the node says of itself.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from servers import Client, Server, encoded, free_ports

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
# It ends or holds the conversation, or the node.
NOT_CALLED = {"shutdown", "quit", "reset", "monitor", "subscribe", "psubscribe", "ssubscribe", "debug", "auth", "hello",
              "multi", "client", "config", "watch_prefix", "flushall", "flushdb", "save", "acl"}


def start(directory):
    ports = free_ports(3)
    config = directory / "node_config.json"
    config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port} for port in ports]))
    nodes = []
    for number, port in enumerate(ports):
        command = [options.binaries / "kvstoreapp", f"--id={number}", f"--config={config}",
                   f"--data-dir={directory / str(number)}", "--log-level=warn"]
        nodes.append(Server("1" if number else "0", port, command))
    return nodes


def collect(port, every_s, stop, took):
    due = time.monotonic()
    while not stop.is_set():
        begun = time.monotonic()
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()
        took.append((time.monotonic() - begun, len(page)))
        due += every_s
        stop.wait(max(0, due - time.monotonic()))


def loop_us(node):
    pid = node.process.pid
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1000


def fields(client, *names):
    info = client.ask("INFO", "everything").decode()
    return [int(next(line for line in info.splitlines() if line.startswith(name + ":")).split(":")[1]) for name in names]


def call_all(node, names):
    """Calls each command, with too much and with one word, and waits for the answers."""
    requests = b"".join(encoded(name, *words) for name in names for words in ("abcdefghijkl", "a"))
    with node.connect() as connection:
        connection.sendall(requests + encoded("PING", "that was all of them"))
        said = b""
        while not said.endswith(b"that was all of them\r\n"):
            said = said[-100:] + connection.recv(1 << 16)


def measure(node, client, names, rate, every_s, took):
    """Processor time of the loop in us a second; longest tick, and the most that one took on a processor, in us."""
    load = None
    if rate:
        load = subprocess.Popen(
            ["taskset", "-c", "1", options.binaries / "kvbench", "--address", f"127.0.0.1:{node.port}", "--dialect",
             "resp", "--keys", "100000", "--clients", "50", "--reads", "0.8", "--rate", str(rate), "--seconds",
             str(options.seconds + 2)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(1)
    stop = threading.Event()
    collector = threading.Thread(target=collect, args=(node.port, every_s, stop, took))
    client.ask("CONFIG", "RESETSTAT")
    call_all(node, names)
    begun, before = time.monotonic(), loop_us(node)
    if every_s:
        collector.start()
    time.sleep(options.seconds)
    spent = (loop_us(node) - before) / (time.monotonic() - begun)
    if every_s:
        stop.set()
        collector.join()
    ticks = fields(client, "longest_tick_us", "tick_on_cpu_us_max")
    if load:
        load.wait()
    return [spent, *ticks]


def main():
    with tempfile.TemporaryDirectory() as directory:
        nodes = start(pathlib.Path(directory))
        try:
            report(nodes[0])
        finally:
            for node in nodes:
                node.end()


def report(node):
    os.sched_setaffinity(0, {1})
    client = Client(node)
    while fields(client, "connected_slaves") < [2]:
        time.sleep(0.1)
    names = [name for name in client_list(client) if name not in NOT_CALLED]
    lines = ["| load | | collector | processor time of the loop | longest tick | most on a processor |",
             "|---|---|---|---|---|---|"]
    took = []
    for rate in (0, options.rate):
        found = {True: [], False: []}
        for _ in range(options.rounds):
            for collects in (False, True):
                found[collects].append(measure(node, client, names, rate, 1.0 if collects else 0, took))
        medians = {key: [statistics.median(column) for column in zip(*rounds)] for key, rounds in found.items()}
        for collects in (False, True):
            spent, longest, on_cpu = medians[collects]
            more = f"{(spent - medians[False][0]) / 1e4:+.3f} % of a core" if collects else ""
            lines.append(f"| {rate or 'none'} | {more} | {'every second' if collects else 'none'} | "
                         f"{spent:,.0f} us a second | {longest:,.0f} us | {on_cpu:,.0f} us |")
    print(f"{os.uname().release}; {options.rounds} interleaved rounds of {options.seconds} s; a page of "
          f"{statistics.median(size for _, size in took):,.0f} bytes, answered in "
          f"{statistics.median(s for s, _ in took) * 1e3:.1f} ms.\n")
    print("\n".join(lines))


def client_list(client):
    client.send(b"*2\r\n$7\r\nCOMMAND\r\n$4\r\nLIST\r\n")
    count = int(client.reply()[1:])
    return [client.reply().decode() for _ in range(count)]


parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--seconds", type=int, default=5)
parser.add_argument("--rate", type=int, default=20_000)
parser.add_argument("--binaries", type=pathlib.Path, default=TARGET)
options = parser.parse_args()
main()
