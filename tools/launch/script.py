"""What a run must show, and what it is told when it has: --expect, --send, --fail-on (DESIGN.md section 4, issue 5)."""
import re
import threading
from dataclasses import dataclass

EXPECT, SEND = "expect", "send"
SHOWN = 60  # of a text in a message


@dataclass
class Step:
    """One of the ordered script: wait for `text` anywhere in the serial output behind what came before, or send it."""
    kind: str
    text: str


def unescape(text):
    """\\n, \\r, \\t, \\e, \\\\ and \\xNN, as printf has them; everything else is itself."""
    names = {"n": "\n", "r": "\r", "t": "\t", "e": "\x1b", "\\": "\\"}

    def one(match):
        word = match[1]
        return names[word] if word in names else chr(int(word[1:], 16))

    return re.sub(r"\\(n|r|t|e|\\|x[0-9a-fA-F]{2})", one, text)


def shown(text):
    text = "".join(c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


class Script:
    """Follows the serial output, piece by piece, and answers. `finished` when all steps are done, `failure` says what
    went wrong. A text may lie across pieces; a line that fails is looked for in all of the output."""

    def __init__(self, steps, fail_on, stop=False):
        self.steps = list(steps)
        self.fail_on = list(fail_on)
        self.stop = stop  # the machine, as soon as all is done
        self.done = 0
        self.pending = ""   # output that no step has used up
        self.searched = ""  # the end of what has been searched for fail_on
        self.failure = None
        self.keyboard = None
        self.child = None
        self.aftermath = None   # launch.aftermath.Aftermath: a failed run ends when that is through
        self.stopped = False
        self.lock = threading.Lock()

    def start(self, keyboard, child, aftermath=None):
        """The machine is there: what may be sent at once is."""
        self.keyboard, self.child, self.aftermath = keyboard, child, aftermath
        self.feed(b"")

    @property
    def finished(self):
        return self.done == len(self.steps)

    def waiting_for(self):
        """The text of the step that waits, or None."""
        return None if self.finished else self.steps[self.done].text

    def feed(self, data):
        """A piece of the serial output."""
        text = data.decode("utf-8", "replace").replace("\r", "")
        with self.lock:
            self._look_for_failure(text)
            self.pending += text
            while not self.failure and self._step():
                pass
            if self.stop and self.finished and self.keyboard:
                self._end()

    def _end(self):
        self.stopped = True
        if self.aftermath and (self.failure or self.aftermath.always) and self.aftermath.ask():
            return
        if self.child:
            self.child.terminate()

    def _look_for_failure(self, text):
        self.searched += text
        for bad in self.fail_on:
            if bad in self.searched and not self.failure:
                self.failure = f"seen: {shown(bad)}"
                self._end()
        longest = max((len(bad) for bad in self.fail_on), default=1)
        self.searched = self.searched[-longest + 1:] if longest > 1 else ""

    def _step(self):
        if self.finished or not self.keyboard:
            return False
        step = self.steps[self.done]
        if step.kind == SEND:
            self.keyboard.send(step.text.encode("latin-1", "replace"))
        else:
            before, found, behind = self.pending.partition(step.text)
            if not found:
                self.pending = before[-len(step.text) + 1:] if len(step.text) > 1 else ""
                return False
            self.pending = behind
        self.done += 1
        return True

    def complaint(self):
        """What is wrong at the end of the run, one line, or None."""
        if self.failure:
            return self.failure
        if self.finished:
            return None
        step = self.steps[self.done]
        return f"never seen: {shown(step.text)}" if step.kind == EXPECT else f"never sent: {shown(step.text)}"
