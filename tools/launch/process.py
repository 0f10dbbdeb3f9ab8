"""One emulator run: its child process, the serial stream, the time-out."""
import os
import re
import select
import signal
import subprocess
import sys
import time
import tty

POLL_SECONDS = 0.05
AFTERMATH_SECONDS = 30  # for the trace of a run that is past its time-out
VERDICT = re.compile(rb"^escapement: all VMs ended, (\d+) ok, (\d+) failed\s*$")
PANIC = re.compile(rb"^escapement: panic")

OK, FAILED, UNUSABLE, NO_VERDICT, TIMED_OUT = 0, 1, 2, 3, 124


class Output:
    """Where the serial stream goes; remembers the verdict line that comes by."""

    def __init__(self, path, trace=None):
        self.file = open(path, "wb") if path else None
        self.trace = trace      # launch.trace.Filter: what of the stream is not for showing
        self.rest = b""
        self.verdict = None
        self.panic = False
        self.echo = True    # on standard output
        self.kept = bytearray()
        self.aftermath = None   # launch.aftermath.Aftermath: when it has begun, what comes is its own
        self.script = None  # what follows the output and may stop the machine (launch.script.Script)

    def write(self, data):
        data = self.trace.take(data) if self.trace else data
        # Nothing behind the verdict is the run's own where an aftermath follows.
        for piece in data.splitlines(keepends=True) if self.aftermath else [data]:
            self._show(piece)
        if self.aftermath:
            self.aftermath.look()

    def _show(self, data):
        if self.aftermath and self.aftermath.begun:
            self.panic = self.panic or b"\nescapement: panic" in data
            return
        if self.script:
            self.script.feed(data)
        self.kept += data
        for sink in (self.echo and sys.stdout.buffer, self.file):
            if sink:
                sink.write(data)
                sink.flush()
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line):
        match = VERDICT.match(line)
        if match:
            self.verdict = (int(match[1]), int(match[2]))
            if self.aftermath:
                self.aftermath.verdict_came(self.verdict)
        self.panic = self.panic or bool(PANIC.match(line))

    def close(self):
        if self.trace:
            self._show(self.trace.rest())
        self._line(self.rest)
        if self.file:
            self.file.close()


class Tail:
    """A growing file, read from where it was left."""
    mode = "file"  # of Bochs's serial port
    descriptor = None

    def __init__(self, path):
        self.path = path
        self.file = None

    def read(self):
        if self.file is None:
            if not os.path.exists(self.path):
                return b""
            self.file = open(self.path, "rb")
        return self.file.read()


class Terminal:
    """A pseudo-terminal, both ways: the machine has the far end."""
    mode = "term"

    def __init__(self):
        self.descriptor, self.far = os.openpty()
        tty.setraw(self.far)
        self.path = os.ttyname(self.far)

    def read(self):
        if not select.select([self.descriptor], [], [], POLL_SECONDS)[0]:
            return b""
        return os.read(self.descriptor, 65536)


class Pipe:
    """The child's standard output, never blocking longer than one poll."""

    def __init__(self, stream):
        self.stream = stream
        os.set_blocking(stream.fileno(), False)

    def read(self):
        select.select([self.stream], [], [], POLL_SECONDS)
        return self.stream.read() or b""


def stop(child):
    """Ends the child: by its leave, then without."""
    for signal_number, patience in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
        if child.poll() is not None:
            return
        child.send_signal(signal_number)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            pass


def follow(child, source, output, timeout):
    """Copies the source to the output until the child ends. Its exit status, or None past the time-out (and what the
    aftermath takes then). Whatever interrupts this, the child does not survive it."""
    deadline = time.monotonic() + timeout
    late = False
    try:
        while child.poll() is None:
            if time.monotonic() > deadline:
                if late or not output.aftermath or not output.aftermath.ask():
                    return None
                late, deadline = True, time.monotonic() + AFTERMATH_SECONDS
            data = source.read()
            if data:
                output.write(data)
            elif isinstance(source, Tail):
                time.sleep(POLL_SECONDS)
        return None if late else child.returncode
    finally:
        stop(child)
        while data := source.read():
            output.write(data)


def judge(output, status_ok, status_failed, died):
    """The exit status of tools/run from the serial line and from what the emulator's own status says (either of the
    flags). They must agree; `died` describes the emulator's end where they do not."""
    if output.panic:
        return NO_VERDICT
    if output.script and output.script.stopped:
        return FAILED if output.script.failure else OK
    if output.verdict is None:
        print(f"tools/run: the machine ended without a verdict ({died})", file=sys.stderr)
        return NO_VERDICT
    ok, failed = output.verdict
    expected = OK if ok > 0 and failed == 0 else FAILED
    if not (status_ok if expected == OK else status_failed):
        print(f"tools/run: the serial line's verdict and the machine's end disagree ({died})", file=sys.stderr)
        return NO_VERDICT
    return expected
