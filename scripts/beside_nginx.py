#!/usr/bin/env python3
"""Compares HTTP GET of a key with nginx serving a file of the same bytes from memory, as Markdown: run by
scripts/bench.sh --http.

usage: scripts/bench.sh --http [--rounds N] [--seconds S] [--out FILE]

Both servers are pinned to core 0, where nginx has one worker, no log, and an open-file cache; its file lies in /dev/shm.
wrk is pinned to core 1: 50 connections that are kept. Rounds are interleaved, and ratios are medians of those of each
round.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request

from servers import Server, free_ports

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
SERVER_CORE, LOAD_CORE = "0", "1"
SIZES = (64, 1024)
CLIENTS = 50
NGINX = """
daemon off; worker_processes 1; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600; sendfile on; tcp_nopush on; tcp_nodelay on;
    open_file_cache max=100 inactive=600s; open_file_cache_valid 600s; etag off; types {{ }}
    default_type application/octet-stream;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    server {{ listen 127.0.0.1:{port}; root {files}; }}
}}
"""


def start_node(directory):
    [port] = free_ports(1)
    config = directory / "node.json"
    config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port}]))
    return Server(SERVER_CORE, port, [TARGET / "kvstoreapp", "--id=0", f"--config={config}", "--log-level=warn",
                                      f"--data-dir={directory / 'node'}"])


def start_nginx(directory, files):
    [port] = free_ports(1)
    place = directory / "nginx"
    place.mkdir()
    (place / "nginx.conf").write_text(NGINX.format(place=place, port=port, files=files))
    return Server(SERVER_CORE, port, ["nginx", "-c", place / "nginx.conf", "-p", place])


def put(port, key, value):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/keys/{key}", data=value, method="PUT",
                                     headers={"Content-Type": "application/octet-stream"})
    urllib.request.urlopen(request, timeout=10).read()


def processor_s(pid):
    """Of the process and its children: nginx works in one."""
    total = 0
    for each in [pid, *map(int, subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split())]:
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def load(url, seconds, pid):
    """Requests a second, their median latency in microseconds, and processor time of the server a request."""
    before = processor_s(pid)
    said = subprocess.run(["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", url],
                          capture_output=True, text=True, check=True).stdout
    spent = processor_s(pid) - before
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{url} failed:\n{said}")
    count = int(re.search(r"(\d+) requests in", said)[1])
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", said).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), \
        float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit], spent / count * 1e6


def table(options, node, nginx, files):
    for size in SIZES:
        value = os.urandom(size)
        (files / f"value{size}").write_bytes(value)
        put(node.port, f"value{size}", value)
        for port, path in ((node.port, f"/v1/keys/value{size}"), (nginx.port, f"/value{size}")):
            assert urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read() == value
    measured = {}
    for _ in range(options.rounds):
        for size in SIZES:
            for name, server, path in (("node", node, f"/v1/keys/value{size}"), ("nginx", nginx, f"/value{size}")):
                measured.setdefault((name, size), []).append(
                    load(f"http://127.0.0.1:{server.port}{path}", options.seconds, server.process.pid))
    print(f"**GET of a key by HTTP, {CLIENTS} connections that are kept**\n")
    print("| value | requests a second: node | nginx | node / nginx | p50 in us: node | nginx | processor us a request: "
          "node | nginx |\n|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        ours, theirs = measured["node", size], measured["nginx", size]
        of = lambda rows, at: statistics.median(row[at] for row in rows)
        ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, theirs))
        print(f"| {size} B | {of(ours, 0):,.0f} | {of(theirs, 0):,.0f} | **{ratio:.2f}** | {of(ours, 1):.0f} | "
              f"{of(theirs, 1):.0f} | {of(ours, 2):.2f} | {of(theirs, 2):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    if options.out:
        sys.stdout = options.out.open("w")
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory(dir="/dev/shm") as files:
        directory, files = pathlib.Path(directory), pathlib.Path(files)
        files.chmod(0o755)
        node, nginx = start_node(directory), start_nginx(directory, files)
        try:
            table(options, node, nginx, files)
        finally:
            node.end()
            nginx.end()


if __name__ == "__main__":
    main()
