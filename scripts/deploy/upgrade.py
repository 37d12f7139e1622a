#!/usr/bin/env python3
"""The rolling upgrade that try_upgrade.sh describes: upgrade.py <older binary> <new binary> <seconds between nodes>."""

import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

NODES = 3
PATIENCE_S = 60


class Node:
    def __init__(self, directory, number, port):
        self.directory, self.number, self.port, self.process = directory, number, port, None

    def start(self, binary):
        log = open(self.directory / f"node-{self.number}.log", "ab")
        self.process = subprocess.Popen(
            [binary, f"--id={self.number}", f"--data-dir={self.directory}/node-{self.number}", "--durability=commit"],
            cwd=self.directory, stdout=log, stderr=log)

    def end(self, how):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
        return self.process and self.process.wait(PATIENCE_S)


class Client(threading.Thread):
    """Writes one key after the other to its node. What was answered OK is remembered, and what was not."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.answered, self.unanswered = node, [], 0
        self.reconnects, self.refused_dials, self.surprises, self.longest_s = 0, 0, [], 0.0
        self.is_done = threading.Event()

    def run(self):
        number, connected, last = 0, False, time.monotonic()
        while not self.is_done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE_S) as connection:
                    self.reconnects += connected
                    connected = True
                    lines = connection.makefile("rb")
                    while not self.is_done.is_set():
                        number += 1
                        key = f"client-{self.node.number}-{number}"
                        self.unanswered += 1
                        connection.sendall(f"SET {key} {number}\n".encode())
                        answer = lines.readline()
                        if not answer:
                            break
                        self.unanswered -= 1
                        if answer == b"OK\n":
                            self.answered.append((key, str(number)))
                            self.longest_s = max(self.longest_s, time.monotonic() - last)
                            last = time.monotonic()
                        else:
                            self.surprises.append(answer)
            except ConnectionRefusedError:
                self.refused_dials += 1
                time.sleep(0.01)
            except (ConnectionResetError, BrokenPipeError):
                pass


def ask(node, requests):
    with socket.create_connection(("127.0.0.1", node.port), timeout=PATIENCE_S) as connection:
        threading.Thread(target=lambda: connection.sendall("".join(f"{line}\n" for line in requests).encode())).start()
        lines = connection.makefile("r")
        return [lines.readline().rstrip("\n") for _ in requests]


def info(node):
    try:
        with socket.create_connection(("127.0.0.1", node.port), timeout=1) as connection:
            connection.sendall(b"INFO\n")
            connection.shutdown(socket.SHUT_WR)
            return dict(re.findall(r"^(\w+): (.*)$", connection.makefile().read(), re.M))
    except OSError:
        return {}


def wait_until(what, condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"after {PATIENCE_S} s: not {what}")
        time.sleep(0.05)


def is_whole(node):
    said = info(node)
    return said.get("ready") == "yes" and said.get("peers_linked") == str(NODES - 1)


def free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(NODES)]
    ports = [each.getsockname()[1] for each in sockets]
    [each.close() for each in sockets]
    return ports


def missing(nodes, clients):
    """Answered writes that a node does not have."""
    lost = 0
    for node in nodes:
        for client in clients:
            for at in range(0, len(client.answered), 1000):
                part = client.answered[at:at + 1000]
                got = ask(node, [f"GET {key}" for key, _ in part])
                lost += sum(value != found for (_, value), found in zip(part, got))
    return lost


def main(older, new, seconds):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="kvstoreapp-upgrade-"))
    ports = free_ports()
    (directory / "node_config.json").write_text(json.dumps([{"ip": "127.0.0.1", "port": port} for port in ports]))
    nodes = [Node(directory, number, port) for number, port in enumerate(ports)]
    try:
        [node.start(older) for node in nodes]
        wait_until("linked and ready", lambda: all(map(is_whole, nodes)))
        print("before:", info(nodes[0])["version"], subprocess.check_output([older, "--version"], text=True).strip())
        clients = [Client(node) for node in nodes]
        [client.start() for client in clients]
        for node in nodes:
            time.sleep(seconds)
            began = time.monotonic()
            if node.end(signal.SIGTERM) != 0:
                sys.exit(f"node {node.number} did not end with 0")
            stopped = time.monotonic()
            node.start(new)
            wait_until(f"node {node.number} linked and ready", lambda: all(map(is_whole, nodes)))
            print(f"node {node.number}: stopped in {stopped - began:.2f} s,"
                  f" ready {time.monotonic() - stopped:.2f} s after its start")
        time.sleep(seconds)
        [client.is_done.set() for client in clients]
        [client.join(PATIENCE_S) for client in clients]
        wait_until("alike", lambda: all(
            value == "agrees" for node in nodes for name, value in info(node).items() if name.endswith("_agreement")))
        print("after: ", info(nodes[0])["version"], subprocess.check_output([new, "--version"], text=True).strip())
        for client in clients:
            print(f"client of node {client.node.number}: {len(client.answered)} writes answered,"
                  f" {client.unanswered} not, {client.reconnects} reconnects, {client.refused_dials} dials refused,"
                  f" longest pause {client.longest_s:.2f} s, other answers: {client.surprises[:3] or 'none'}")
        lost = missing(nodes, clients)
        # Durable is what a crash of all leaves.
        [node.end(signal.SIGKILL) for node in nodes]
        shutil.copytree(directory / "node-0", directory / "way-back" / "node-0")
        [node.start(new) for node in nodes]
        wait_until("linked and ready after a crash of all", lambda: all(map(is_whole, nodes)))
        lost_after_crash = missing(nodes, clients)
        print(f"answered durable writes lost: {lost}; after a crash of all nodes: {lost_after_crash}")
        back = subprocess.run([older, "--id=0", "--bind=127.0.0.1:0", f"--data-dir={directory}/way-back/node-0"],
                              cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S)
        print("the way back:", back.stderr.strip() or f"exit code {back.returncode}")
        wrong = lost or lost_after_crash or any(client.surprises for client in clients)
        if wrong or not all(client.answered for client in clients) or back.returncode == 0:
            sys.exit(1)
    finally:
        [node.end(signal.SIGKILL) for node in nodes]
        shutil.rmtree(directory)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
