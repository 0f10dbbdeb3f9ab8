"""Brings the trace out of a machine that does not do it by itself. --trace-failed FILE: of a run that has failed, and only
then; the trace is always recorded, and what is asked for costs a run that passes nothing. --trace FILE: of a run that is
stopped before its end, where trace=dump would bring it out."""
import os

from launch import process

# All lines, the monitor, nothing typed there: whatever the console looked at.
MONITOR = b"\x01a\x01m\x15"
DUMP, QUIT = b"trace dump\r", b"quit\r"


class Aftermath:
    """Of one run. With --trace-failed the machine stays up after its verdict (on-empty=halt) and is sent on its way by the
    monitor's `quit`."""

    def __init__(self, path, dump, script, always=False):
        self.path = path
        self.dump = dump        # launch.trace.Filter
        self.script = script    # launch.script.Script, or None
        self.always = always    # --trace: also of a run that passes
        self.keyboard = self.child = None
        self.asked = False      # for the trace
        self.verdict = None
        self.left = False       # the machine has been told to end

    @property
    def begun(self):
        return self.asked or self.left

    def start(self, keyboard, child):
        self.keyboard, self.child = keyboard, child

    def ask(self):
        """The run has failed, or is to be stopped. False: nobody is there to be asked (any more)."""
        if self.begun or not self.keyboard:
            return False
        self.asked = True
        self.keyboard.send(MONITOR + DUMP)
        return True

    def verdict_came(self, verdict):
        """(ok, failed) of the machine's VMs."""
        if self.begun or self.always:
            return
        self.verdict = verdict
        ok, failed = verdict
        if failed or not ok or (self.script and self.script.complaint()):
            self.ask()
        else:
            self._leave(MONITOR)

    def look(self):
        """To be called when more has come: ends the machine when the trace is there."""
        if self.asked and not self.left and self.dump.collector.ended:
            self._leave(b"")

    def _leave(self, keys):
        self.left = True
        if self.verdict:
            self.keyboard.send(keys + QUIT)
        else:
            self.child.terminate()

    def conclude(self, status):
        """The trace file; with --trace-failed none of a run that did not fail."""
        if self.always:
            self.dump.write(self.path)
        elif self.asked and status != process.OK:
            self.dump.write(self.path, "--trace-failed")
        elif os.path.exists(self.path) and os.path.getsize(self.path) == 0:
            os.remove(self.path)


def append(words):
    """The global settings, with what this needs."""
    return words if "on-empty=" in words else f"{words} on-empty=halt".strip()
