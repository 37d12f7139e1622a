"""Popular libraries doing their work against two linked nodes, and against Debian's Redis, which decides whether a
program here is right: what fails there is a mistake of ours, and the run fails.

Writes tests/compatibility/LIBRARIES.md. Names of libraries run those alone, and write nothing.
"""

import collections
import datetime
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import time

import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests/compatibility/libraries"
PAGE = ROOT / "tests/compatibility/LIBRARIES.md"
INSTALLED = ROOT / "target/libraries"
NODE = ROOT / "target/debug/kvstoreapp"

# A program may hang; the longest that does not takes some ten seconds.
PROGRAM_S_MAX = 40

Program = collections.namedtuple("Program", "language file name job packages")
Step = collections.namedtuple("Step", "name state why")


class Redis:
    """One server, which is its own peer."""

    def __init__(self, directory):
        port = servers.free_ports(1)[0]
        command = ["redis-server", "--port", port, "--save", "", "--dir", directory]
        self.server = servers.Server(None, port, command)
        self.ports = [port, port]

    def end(self):
        self.server.end()


class Nodes:
    """Two linked nodes."""

    def __init__(self, directory):
        self.ports = servers.free_ports(2)
        config = pathlib.Path(directory) / "nodes.json"
        config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port} for port in self.ports]))
        self.servers = [
            servers.Server(None, port, [NODE, f"--id={id}", "--config", config, "--data-dir", f"{directory}/{id}"])
            for id, port in enumerate(self.ports)
        ]
        clients = [servers.Client(server) for server in self.servers]
        for client in clients:
            for _ in range(400):
                client.send(servers.encoded("INFO"))
                if re.search(rb"connected_slaves:1", client.reply()):
                    break
                time.sleep(0.05)
            else:
                raise SystemExit("two nodes do not link")

    def end(self):
        for server in self.servers:
            server.end()


def catalogue():
    for line in (PROGRAMS / "catalogue.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            language, file, name, job, packages = (part.strip() for part in line.split("|"))
            yield Program(language, file, name, job, packages.split())


def run(program, servers_of):
    """The program's steps."""
    with tempfile.TemporaryDirectory() as directory:
        target = servers_of(directory)
        steps = pathlib.Path(directory) / "steps"
        steps.touch()
        environment = dict(
            os.environ,
            PORT=str(target.ports[0]),
            PEER_PORT=str(target.ports[1]),
            STEPS=str(steps),
            PYTHONWARNINGS="ignore",
            NODE_PATH=str(INSTALLED / "node/node_modules"),
        )
        if program.language == "node":
            command = ["node", PROGRAMS / f"node/{program.file}.js", program.name]
        else:
            command = [INSTALLED / program.language / "bin/python", PROGRAMS / f"python/{program.file}.py", program.name]
        why = "hangs"
        try:
            done = subprocess.run(
                command, env=environment, cwd=directory, capture_output=True, timeout=PROGRAM_S_MAX, text=True
            )
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            why = lines[-1].strip() if done.returncode and lines else "ends without a word"
        except subprocess.TimeoutExpired as late:
            said = [line for line in (late.stderr or b"").decode().splitlines() if "rror" in line]
            why = f"hangs, and logs: {said[-1].strip()}" if said else why
        finally:
            target.end()
        return steps_of(steps.read_text(), why)


def steps_of(notes, why):
    steps = {}
    for note in map(json.loads, notes.splitlines()):
        steps[note["step"]] = Step(note["step"], note["state"], note.get("why", ""))
    for name, step in steps.items():
        if step.state == "begun":
            steps[name] = step._replace(state="silent" if why == "hangs" else "raised", why=why)
    return list(steps.values()) or [Step("start", "raised", why)]


def versions(program):
    if program.language == "node":
        manifests = [INSTALLED / f"node/node_modules/{package}/package.json" for package in program.packages]
        return [json.loads(manifest.read_text())["version"] for manifest in manifests]
    where = next((INSTALLED / program.language / "lib").glob("python*/site-packages"))
    found = {
        one.metadata["Name"].lower().replace("_", "-").replace(".", "-"): one.version
        for one in importlib.metadata.distributions(path=[str(where)])
    }
    return [found[package.lower().replace(".", "-")] for package in program.packages]


def titled(program):
    """The program's name, with the versions of what it uses."""
    if len(program.packages) == 1:
        return f"{program.name} {versions(program)[0]}"
    pairs = zip(program.packages, versions(program))
    return f"{program.name} ({', '.join(f'{package} {version}' for package, version in pairs)})"


def shortened(why):
    """An error in one line of a table."""
    why = " ".join(why.split()).replace("|", "\\|")
    why = re.sub(r"127\.0\.0\.1:\d+|:\d{4,5}\b", "<port>", why)
    why = re.sub(r",? with args beginning with:.*", "", why)
    why = re.sub(r"<redis\..*>", "a server", why)
    why = why.replace('("', "(") + ")" * (why.count("(") - why.count(")"))
    return why if len(why) <= 160 else why[:157] + "..."


def verdict(steps):
    failed = [step for step in steps if step.state != "done"]
    if not failed:
        return "works"
    return "fails" if len(failed) == len(steps) else "works in part"


def row(program, steps):
    library = titled(program)
    done = "; ".join(step.name for step in steps if step.state == "done")
    failed = "; ".join(
        f"{step.name}: {'**' + shortened(step.why) + '**' if step.state == 'silent' else '`' + shortened(step.why) + '`'}"
        for step in steps
        if step.state != "done"
    )
    return f"| {library} | {verdict(steps)} | {done} | {failed} |"


def page(results):
    counts = collections.Counter(verdict(steps) for _, steps in results)
    silent = [(program, step) for program, steps in results for step in steps if step.state == "silent"]
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout.strip()
    redis = re.search(r"v=(\S+)", subprocess.run(["redis-server", "-v"], capture_output=True, text=True).stdout)
    begin = (
        f"Made by `scripts/libraries.sh` on {datetime.date.today()} with {version} (two linked nodes), Python"
        f" {sys.version.split()[0]} and Node {node_version()}. Each program in [libraries](libraries) does with one"
        f" library what it is for. All of them pass in whole against a Redis {redis.group(1)}, so what fails is the node's."
    )
    lines = [
        "# Does my library work?",
        "",
        *textwrap.wrap(begin, 120, break_on_hyphens=False),
        "",
        f"Of {len(results)} programs {counts['works']} work, {counts['works in part']} in part and {counts['fails']} do"
        " not work.",
        "",
        "## What fails without an error",
        "",
        "Here the library says nothing, and its work is not done. Do not use these parts with a node:",
        "",
    ]
    lines += [f"- **{program.name}**, {step.name}: {step.why}." for program, step in silent] or ["- nothing that was tried."]
    lines += [
        "",
        "What fails \"at two nodes at once\" holds where all clients use one node: a lock, a counter or a limit is atomic on",
        "the node that runs it, and of what two nodes write at once the later stays. This is so for every library, also where",
        "it was not tried.",
        "",
    ]
    if any(step.name == "another database" and step.state != "done" for _, steps in results for step in steps):
        lines += [
            "Where another database than 0 (`redis://host:6379/1`) is among what does not work, name 0, and keep applications",
            "apart by the prefix of their keys.",
            "",
        ]
    for title, languages in [("Python", ("python", "python-arq")), ("Node", ("node",))]:
        lines += [f"## {title}", ""]
        jobs = list(dict.fromkeys(program.job for program, _ in results if program.language in languages))
        for job in jobs:
            lines += [f"### {job.capitalize()}", ""]
            lines += ["| library | | what works | what does not (in bold: without an error) |", "|---|---|---|---|"]
            lines += [row(program, steps) for program, steps in results if program.job == job and program.language in languages]
            lines += [""]
    return "\n".join(lines)


def node_version():
    return subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")


def main():
    chosen = sys.argv[1:]
    results, mistakes = [], []
    for program in catalogue():
        if chosen and program.name not in chosen:
            continue
        expected = run(program, Redis)
        mistakes += [f"{program.name}, {step.name}: {step.why}" for step in expected if step.state != "done"]
        steps = run(program, Nodes)
        results.append((program, steps))
        print(f"{program.name}: {verdict(steps)}", flush=True)
        for step in steps:
            if step.state != "done":
                print(f"    {step.name}: {step.state}: {shortened(step.why)}", flush=True)
    for mistake in mistakes:
        print(f"on Debian's Redis: {mistake}", file=sys.stderr)
    if mistakes:
        raise SystemExit("these programs are wrong, or do not fit what they use: nothing is written")
    if not chosen:
        PAGE.write_text(page(results))
        print(f"{PAGE.relative_to(ROOT)} is written")


main()
