"""Who is at the machine's serial port besides the output: a person, a script, or nobody."""
import contextlib
import sys

from launch import keyboard, process


class Attendant:
    """For one run. `interactive`: a person; `script` (launch.script.Script): answers what it sees; `aftermath`
    (launch.aftermath.Aftermath): asks for the trace of a run that failed. None of them: the port's input is left alone."""

    def __init__(self, interactive=False, script=None, aftermath=None):
        self.interactive = interactive
        self.script = script
        self.aftermath = aftermath

    @property
    def types(self):
        """True if the machine's input must be connected."""
        return self.interactive or self.script is not None or self.aftermath is not None

    def attached(self, child, descriptor):
        """A context: what is typed goes to `descriptor`, as long as it lasts."""
        if not self.types:
            return contextlib.nullcontext()
        keys = keyboard.Keyboard(descriptor)
        if self.aftermath:
            self.aftermath.start(keys, child)
        if self.script:
            self.script.start(keys, child, self.aftermath)
        return keyboard.Terminal(keys, child) if self.interactive else contextlib.nullcontext()


    def conclude(self, status):
        """The exit status of the run, in the light of what was expected of it; says what was not to be seen."""
        complaint = self.script.complaint() if self.script else None
        if complaint:
            print(f"tools/run: {complaint}", file=sys.stderr)
        return process.FAILED if complaint and status == process.OK else status


def wanted(args):
    """Is a person there? Asked for, or both ends are a terminal and no script has the keyboard."""
    if args.interactive:
        return True
    return not (args.steps or args.fail_on) and sys.stdin.isatty() and sys.stdout.isatty()
