"""tools/run --trace FILE: takes the lines of a trace dump out of the serial stream, and makes the file of them."""
import sys

from traceview import dump, file, records


class Filter:
    """What is no line of a dump passes at once, unfinished lines included: a person may be typing there."""

    def __init__(self):
        self.collector = dump.Collector()
        self.line = b""         # since the last newline
        self.passed = 0         # how much of it has been let through

    def take(self, data):
        """The part of `data`, and of what was held back before, that is to be shown."""
        *whole, begun = data.split(b"\n")
        return b"".join([*(self._add(piece + b"\n") for piece in whole), self._add(begun)])

    def _add(self, piece):
        """At most one line's end is in `piece`, at its end."""
        self.line += piece
        ended = piece.endswith(b"\n")
        if self.line.startswith(dump.PREFIX) if ended else self._may_be_dump():
            shown = b""
        else:
            shown, self.passed = self.line[self.passed:], len(self.line)
        if ended:
            self.collector.line(self.line)
            self.line, self.passed = b"", 0
        return shown

    def _may_be_dump(self):
        n = min(len(self.line), len(dump.PREFIX))
        return self.passed == 0 and self.line[:n] == dump.PREFIX[:n]

    def rest(self):
        """What is left at the end of the stream."""
        if self.line.startswith(dump.PREFIX):
            self.collector.line(self.line)
            return b""
        left = self.line[self.passed:]
        self.line, self.passed = b"", 0
        return left

    def write(self, path, option="--trace"):
        """The trace file. Says on standard error what is wrong with it: the run's verdict is not its business."""
        try:
            trace = self.collector.trace()
            file.write(trace, path)
        except (records.TraceError, OSError) as error:
            print(f"tools/run: {option} {path}: {error}", file=sys.stderr)
            return
        for damage in trace.damage:
            print(f"tools/run: {option} {path}: {damage}", file=sys.stderr)
