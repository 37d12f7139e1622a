"""A program on a terminal, and somebody who types: terminal.py STEPS PROGRAM ARGUMENTS...

STEPS is a JSON list of [what is waited for, what is typed then, once a line is read]. What begins with a / is a file
that is waited for. Prints all that the program has shown, and exits with its exit code, or with 99 where something that
is waited for does not come.
"""

import json
import os
import pty
import select
import signal
import sys
import time

PATIENCE_S = 60

steps, program = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    # Whoever started the tests in the background has them ignore it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(program[0], program)

shown = b""
looked_at = 0


def read(until):
    """Whether there was more to read."""
    global shown
    ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
    if not ready:
        raise TimeoutError
    try:
        some = os.read(terminal, 65536)
    except OSError:
        return False
    # Who asks where the cursor is, is told.
    if b"\x1b[6n" in some:
        os.write(terminal, b"\x1b[1;1R")
    shown += some
    return bool(some)


verdict = None
try:
    until = time.monotonic() + PATIENCE_S
    for expected, typed in steps:
        if expected.startswith("/"):
            while not os.path.exists(expected):
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(0.005)
            expected = ""
        while shown.find(expected.encode(), looked_at) < 0:
            if not read(until):
                raise TimeoutError
        # What is typed before a line is read may be lost; what ends a stream is typed while none is.
        while typed not in ("", "\x03") and shown.rfind(b"\x1b[?2004h") <= shown.rfind(b"\x1b[?2004l"):
            if not read(until):
                raise TimeoutError
        looked_at = shown.find(expected.encode(), looked_at) + len(expected.encode())
        os.write(terminal, typed.encode())
    while read(until):
        pass
except TimeoutError:
    verdict = 99
    os.kill(pid, 9)
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status) if verdict is None else verdict)
