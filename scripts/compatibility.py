"""Other people's suites against a node and against Debian's Redis. What passes there and not here becomes the list in
tests/compatibility/README.md, with the reasons of tests/compatibility/reasons.txt; a difference without a reason fails
the run. Names of suites run those alone, and write nothing.
"""

import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import xml.etree.ElementTree

import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "tests/compatibility"
PAGE = HERE / "README.md"
INSTALLED = ROOT / "target/compatibility"
NODE = ROOT / "target/debug/kvstoreapp"

# The longest suite takes two minutes on a machine that does nothing else.
SUITE_S_MAX = 540

Suite = collections.namedtuple("Suite", "kind package version name parts")
Reason = collections.namedtuple("Reason", "heading sentence patterns")
Difference = collections.namedtuple("Difference", "suite test error")


def lines_of(name):
    lines = (HERE / name).read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def suites():
    for line in lines_of("suites.txt"):
        kind, package, version, name, parts = (part.strip() for part in line.split("|"))
        yield Suite(kind, package, version, name, parts.split())


def reasons():
    found = []
    for line in lines_of("reasons.txt"):
        if line.startswith("= "):
            heading, sentence = (part.strip() for part in line[2:].split("|", 1))
            found.append(Reason(heading, sentence, []))
        else:
            found[-1].patterns.append(re.compile(line, re.IGNORECASE))
    return found


def unpacked(suite):
    """Where the source package of a Python suite is unpacked."""
    directory = INSTALLED / f"{suite.package}-{suite.version}"
    if not directory.exists():
        with tempfile.TemporaryDirectory() as download:
            pip = [INSTALLED / "python/bin/pip", "download", "--quiet", "--no-deps", "--no-binary", suite.package]
            subprocess.run([*pip, f"{suite.package}=={suite.version}", "--dest", download], check=True)
            with tarfile.open(next(pathlib.Path(download).iterdir())) as archive:
                archive.extractall(INSTALLED, filter="data")
    return directory


def crate(suite):
    """A package that has the tests of the published crate as its own: the crate's manifest asks for unpublished ones."""
    directory = INSTALLED / f"crate-{suite.package}-{suite.version}"
    features = ["acl", "geospatial", "num-bigint", "script", "streams", "uuid"]
    dependencies = ["assert_approx_eq", "assert_matches", "futures", "futures-time", "futures-util", "redis-test"]
    manifest = [
        '[package]\nname = "suite"\nversion = "0.0.0"\nedition = "2024"\nautotests = false\n[workspace]\n[features]',
        f"default = {json.dumps(features)}",
        *(f"{feature} = []" for feature in features),
        "[profile.dev]\ndebug = false\n[dependencies]",
        f'{suite.package} = {{ version = "={suite.version}", features = ["uuid"] }}',
        *(f'{name} = "*"' for name in dependencies),
        'rand = "0.10"\nrstest = "*"\nquickcheck = "1"\ntempfile = "3"\nuuid = "1"',
        'tokio = { version = "1", features = ["rt", "time"] }',
    ]
    (directory / "src").mkdir(parents=True, exist_ok=True)
    (directory / "src/lib.rs").touch()
    (directory / "Cargo.toml").write_text("\n".join(manifest))
    metadata = subprocess.run(
        ["cargo", "metadata", "--quiet", "--format-version", "1"], cwd=directory, check=True, stdout=subprocess.PIPE
    )
    published = next(one for one in json.loads(metadata.stdout)["packages"] if one["name"] == suite.package)
    tests = pathlib.Path(published["manifest_path"]).parent / "tests"
    manifest += [f'[[test]]\nname = "{part}"\npath = "{tests / part}.rs"' for part in suite.parts]
    (directory / "Cargo.toml").write_text("\n".join(manifest))
    build = ["cargo", "test", "--quiet", "--no-run"]
    built = subprocess.run(build, cwd=directory, capture_output=True, text=True)
    if built.returncode:
        raise SystemExit(f"{suite.name} does not compile:\n{built.stderr[-4000:]}")
    return directory


def run_pytest(suite, target, tests=None):
    """All parts of the suite, or some tests of it."""
    with tempfile.TemporaryDirectory() as directory:
        port = servers.free_ports(1)[0]
        if target == "redis":
            command = ["redis-server", "--port", port, "--save", "", "--dir", directory, "--enable-debug-command", "yes"]
        else:
            config = pathlib.Path(directory) / "node.json"
            config.write_text(json.dumps([{"ip": "127.0.0.1", "port": port}]))
            command = [NODE, "--id=0", "--config", config, "--data-dir", f"{directory}/data", "--dialect", "resp"]
        server = servers.Server(None, port, command)
        report = pathlib.Path(directory) / "report.xml"
        pytest = [INSTALLED / "python/bin/python", "-m", "pytest", *(tests or suite.parts), "--quiet", "--tb=line"]
        pytest += ["-m", "not onlycluster and not redismod and not ssl and not replica", "--timeout=30"]
        pytest += ["-p", "no:cacheprovider", "-o", "addopts=", "-o", "log_cli=false", "-o", "junit_family=xunit1"]
        pytest += [f"--redis-url=redis://127.0.0.1:{port}/0", f"--junitxml={report}"]
        try:
            done = subprocess.run(pytest, cwd=unpacked(suite), capture_output=True, text=True, timeout=SUITE_S_MAX)
        finally:
            has_ended = server.process.poll() is not None
            server.end()
        if has_ended or not report.exists():
            raise SystemExit(f"{suite.name} on {target}: the server ended, or no test ran:\n{done.stdout[-4000:]}")
        return results_of_pytest(report)


def results_of_pytest(report):
    """For each test that was not skipped its error, or None."""
    results = {}
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        errors = [one for one in case if one.tag in ("failure", "error")]
        if errors:
            error = " ".join(f"{one.get('message') or ''} {one.text or ''}" for one in errors)
        elif any(one.tag == "skipped" for one in case):
            continue
        else:
            error = None
        # tests/test_lock.py::TestLock::test_lock: pytest takes this name, too.
        file = case.get("file")
        classes = case.get("classname").removeprefix(file.removesuffix(".py").replace("/", ".")).strip(".")
        results["::".join(filter(None, [file, classes.replace(".", "::"), case.get("name")]))] = error
    return results


def run_crate(suite, target, tests=()):
    """All parts of the suite, or some tests of it."""
    environment = dict(os.environ, KVSTOREAPP=str(NODE))
    if target == "node":
        environment["REDISRS_SERVER_BIN"] = str(HERE / "redis-server")
    command = ["cargo", "test", "--quiet", "--no-fail-fast", "--tests", "--", "--format=pretty", "--test-threads=2"]
    command += ["--exact", *tests] if tests else []
    directory = INSTALLED / f"crate-{suite.package}-{suite.version}"
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=SUITE_S_MAX)
    return results_of_cargo(done.stdout)


def results_of_cargo(output):
    results = {}
    for name, result in re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED)$", output, re.MULTILINE):
        results[name] = None if result == "ok" else "no word"
    for name, said in re.findall(r"^---- (\S+) stdout ----\n(.*?)(?=^---- |^failures:$)", output, re.M | re.S):
        results[name] = said
    return results


def run_with(suite):
    return run_pytest if suite.kind == "pytest" else run_crate


def run(suite, target):
    results = run_with(suite)(suite, target)
    passed = sum(error is None for error in results.values())
    print(f"{suite.name} on {target}: {passed} of {len(results)} pass", flush=True)
    if not passed:
        raise SystemExit(f"{suite.name} on {target}: nothing passes, so nothing is known")
    return results


def differences_of(suite, on_redis, on_node):
    return [
        Difference(suite.name, test, on_node.get(test, "the test did not run"))
        for test, error in on_redis.items()
        if error is None and on_node.get(test, "") is not None
    ]


def still_there(suite, unexplained):
    """Tests that have no reason to fail are run again, alone: some of them fail where a machine is busy."""
    if not unexplained:
        return []
    again = run_with(suite)(suite, "node", [difference.test for difference in unexplained])
    return [difference for difference in unexplained if again.get(difference.test, "") is not None]


def reason_of(difference, table):
    text = f"{difference.suite} {difference.test}: {difference.error}"
    return next((one for one in table if any(pattern.search(text) for pattern in one.patterns)), None)


def page(counts, explained):
    redis = re.search(r"v=(\S+)", subprocess.run(["redis-server", "-v"], capture_output=True, text=True).stdout)
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout.strip()
    begin = (
        f"Made by `scripts/compatibility.sh` on {datetime.date.today()} with {version}. It runs suites that others wrote,"
        f" as they are published ([suites.txt](suites.txt)), against Debian's Redis ({redis.group(1)}) and against a node."
        " Tests that Redis itself does not pass say nothing about a node and are left out. What passes there and not on a"
        " node stands below with its reason (from [reasons.txt](reasons.txt)); a difference without a reason fails the"
        " script. A test that fails once and not when it is run alone counts as passed. The packages of ioredis and"
        " node-redis come without tests: programs of ours stand for them in the other page."
    )
    lines = [
        "# Other people's suites",
        "",
        *textwrap.wrap(begin, 120, break_on_hyphens=False),
        "",
        "Which popular libraries work: [LIBRARIES.md](LIBRARIES.md).",
        "",
        "| suite | tests that pass on Redis | of those on a node |",
        "|---|---|---|",
        *(f"| {name} | {on_redis} | {on_node} |" for name, (on_redis, on_node) in counts.items()),
        "",
        "| reason | tests |",
        "|---|---|",
        *(f"| {reason.heading} | {len(found)} |" for reason, found in explained),
        "",
    ]
    for reason, found in explained:
        lines += [f"## {reason.heading}", "", reason.sentence, ""]
        for suite in dict.fromkeys(difference.suite for difference in found):
            names = [f"`{difference.test.removeprefix('tests/')}`" for difference in found if difference.suite == suite]
            lines += [f"{suite}, {len(names)}: {', '.join(names)}", ""]
    return "\n".join(lines)


def main():
    chosen = [suite for suite in suites() if not sys.argv[1:] or suite.name in sys.argv[1:]]
    for suite in chosen:
        (unpacked if suite.kind == "pytest" else crate)(suite)
    # Most tests wait rather than work: all at once take little longer than the longest.
    with concurrent.futures.ThreadPoolExecutor(2 * len(chosen)) as pool:
        running = [(suite, *(pool.submit(run, suite, target) for target in ("redis", "node"))) for suite in chosen]
    table = reasons()
    explained = {reason.heading: [] for reason in table}
    counts, unexplained = {}, []
    for suite, redis, node in running:
        differences = differences_of(suite, redis.result(), node.result())
        unclear = []
        for difference in differences:
            reason = reason_of(difference, table)
            (explained[reason.heading] if reason else unclear).append(difference)
        left = still_there(suite, unclear)
        unexplained += left
        passed = sum(error is None for error in redis.result().values())
        counts[suite.name] = (passed, passed - len(differences) + len(unclear) - len(left))
    if not sys.argv[1:]:
        for heading in (heading for heading, found in explained.items() if not found):
            print(f"reasons.txt: {heading}: explained nothing this time")
    if unexplained:
        print(f"\n{len(unexplained)} differences have no reason in tests/compatibility/reasons.txt:", file=sys.stderr)
        for suite, test, error in unexplained:
            print(f"- {suite}: {test}: {' '.join(error.split())[:400]}", file=sys.stderr)
        raise SystemExit(1)
    if not sys.argv[1:]:
        PAGE.write_text(page(counts, [(reason, explained[reason.heading]) for reason in table if explained[reason.heading]]))
        print(f"{PAGE.relative_to(ROOT)} is written")


main()
