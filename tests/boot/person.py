"""Drives tools/run in a pseudo-terminal, as a person would: waits for what is to be seen, then types."""
import os
import pty
import re
import select
import time
import traceback


class Unseen(Exception):
    """What was waited for has not come."""


class Person:
    """At the terminal of one run. Everything that was seen is in the log."""

    def __init__(self, command, log, timeout):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.log = log
        self.deadline = time.monotonic() + timeout
        self.seen = ""
        self.at = 0  # what comes before has been looked at
        self.gone = False

    def _read(self):
        if time.monotonic() > self.deadline:
            raise Unseen("the time is up")
        if not select.select([self.terminal], [], [], 0.2)[0]:
            return
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # the other end has closed
            data = b""
        self.gone = not data
        self.log.write(data)
        self.log.flush()
        self.seen += data.decode(errors="replace").replace("\r", "")

    def expect(self, pattern):
        """Waits for the regular expression in what has come since the last one; its match."""
        regex = re.compile(pattern, re.MULTILINE)
        while True:
            match = regex.search(self.seen, self.at)
            if match:
                self.at = match.end()
                return match
            if self.gone:
                raise Unseen(f"the run has ended without /{pattern}/")
            try:
                self._read()
            except Unseen as error:
                raise Unseen(f"{error}, without /{pattern}/") from error

    def type(self, keys):
        data = keys if isinstance(keys, bytes) else keys.encode()
        while data:
            _, writable, _ = select.select([], [self.terminal], [], 0)
            if writable:
                data = data[os.write(self.terminal, data[:512]):]
            self._read_now()

    def _read_now(self):
        if select.select([self.terminal], [], [], 0)[0]:
            self._read()

    def end(self):
        """The run's exit status."""
        while not self.gone:
            self._read()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def give_up(self):
        os.kill(self.pid, 15)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def drive(command, scene, log, timeout):
    """Plays the scene (a function of a Person). (exit status of the run or None, complaint or None)."""
    with open(log, "wb") as file:
        person = Person(command, file, timeout)
        try:
            scene(person)
            return person.end(), None
        except (Unseen, AssertionError) as error:
            person.give_up()
            return None, str(error) or f"not so: {traceback.extract_tb(error.__traceback__)[-1].line}"
