"""Servers that the measuring scripts start, ask and end."""

import pathlib
import re
import signal
import socket
import subprocess
import time


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class Server:
    """A process that listens, pinned to a core unless that is None."""

    def __init__(self, core, port, command, log=subprocess.DEVNULL):
        self.port = port
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        self.process = subprocess.Popen([*pinned, *map(str, command)], stdout=log, stderr=log)
        for _ in range(400):
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        raise SystemExit(f"{command[0]} does not listen: {' '.join(map(str, command))}")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port))

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def processor_us(self):
        """Of all its threads since they were started."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status).group(1)) << 10

    def end(self):
        self.go_on()
        self.process.terminate()
        self.process.wait()


class Client:
    """A connection that speaks RESP."""

    def __init__(self, server):
        self.connection = server.connect()
        self.reader = self.connection.makefile("rb")

    def ask(self, *words):
        self.send(encoded(*words))
        return self.reply()

    def send(self, requests):
        self.connection.sendall(requests)

    def reply(self):
        line = self.reader.readline()
        return self.reader.read(int(line[1:]) + 2)[:-2] if line[:1] == b"$" else line


def encoded(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
