"""The dump as it comes over the serial line (kernel/trace_pack.h): lines in, a Trace out. Nothing that stands in a line is
trusted: what does not fit is damage, and is told."""
import base64
import binascii
import re
import zlib

from traceview import records
from traceview.records import Record, TraceError

PREFIX = b"escapement: trace: "
LINE = re.compile(rb"escapement: trace: (.*) ([0-9a-f]{8})")
BEGIN = re.compile(r"begin (\d{1,6}) hz=(\d{1,15}) rings=(\d{1,4})")
RING = re.compile(r"ring (\d{1,4}) cpu=(\d{1,4}) (events|exits) records=(\d{1,15}) lost=(\d{1,20})")
DATA = re.compile(r"data (\d{1,4}) (\d{1,9}) ([A-Za-z0-9+/=]+)")
END = re.compile(r"end blocks=(\d{1,9})")
MASK64, MASK32 = (1 << 64) - 1, (1 << 32) - 1
HAS_VM, HAS_VCPU, HAS_TIMER, HAS_ARG, HAS_AT, HAS_VALUE = 1, 2, 4, 8, 16, 32


def printable(data):
    """Bytes from the line as text that a terminal can be shown."""
    return "".join(c if " " <= c <= "~" else "?" for c in data.decode("latin-1")).strip("? ")


class _Block:
    """The bytes of one block, taken from the front."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def byte(self):
        if self.at == len(self.data):
            raise TraceError("it ends within a record")
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        result = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
        raise TraceError("a number of more than ten bytes")

    def difference(self):
        n = self.number()
        return n >> 1 ^ -(n & 1)


def unpack_block(data, cpu):
    """The records of one block."""
    block, found, last, rt = _Block(data), [], {}, 0
    while block.at < len(data):
        kind, mask = block.byte(), block.byte()
        if mask > 63:
            raise TraceError(f"a record's mask is {mask}")
        rt = (rt + block.difference()) & MASK64
        r = last.get(kind, Record(0, 0, 0, 0, kind, 0, 0, 0, cpu))
        vm = block.byte() if mask & HAS_VM else r.vm
        vcpu = block.byte() if mask & HAS_VCPU else r.vcpu
        timer = block.byte() if mask & HAS_TIMER else r.timer
        arg = (r.arg + block.difference()) & MASK32 if mask & HAS_ARG else r.arg
        at = (r.at + block.difference()) & MASK64 if mask & HAS_AT else r.at
        value = (r.value + block.difference()) & MASK64 if mask & HAS_VALUE else r.value
        last[kind] = Record(rt, at, value, arg, kind, vm, vcpu, timer, cpu)
        found.append(last[kind])
    return found


class Collector:
    """Takes the lines of a serial log one by one; a new `begin` starts over, so that the last dump counts."""

    def __init__(self):
        self.seen = False           # a line of a dump has come by
        self._start(0, 0)

    def _start(self, hz, rings):
        self.hz, self.rings = hz, rings
        self.damage = []
        self.cpus, self.what, self.expected = {}, {}, {}    # by ring
        self.lost = {"events": 0, "exits": 0}
        self.records, self.blocks = {}, {}                  # by ring: what came, and the next block's number
        self.count = 0
        self.ended = False

    def line(self, line):
        """True if this was a line of a dump, sound or not."""
        if not line.startswith(PREFIX):
            return False
        match = LINE.fullmatch(line.rstrip(b"\r\n"))
        if not match or zlib.crc32(match[1]) != int(match[2], 16):
            self.seen = True
            self.damage.append("a line has been damaged on its way: " + printable(line[:60]))
            return True
        self.seen = True
        try:
            self._words(match[1].decode("ascii"))
        except (TraceError, UnicodeDecodeError) as error:
            self.damage.append(str(error))
        return True

    def _words(self, words):
        for pattern, handler in ((BEGIN, self._begin), (RING, self._ring), (DATA, self._data), (END, self._end)):
            match = pattern.fullmatch(words)
            if match:
                handler(match)
                return
        raise TraceError(f"a line that is no part of a dump: {words[:60]}")

    def _begin(self, match):
        if int(match[1]) != records.FORMAT:
            raise TraceError(f"the dump has format {match[1]}; this tool reads {records.FORMAT}")
        self._start(int(match[2]), int(match[3]))

    def _ring(self, match):
        ring = int(match[1])
        self.cpus[ring], self.what[ring], self.expected[ring] = int(match[2]), match[3], int(match[4])
        self.lost[match[3]] += int(match[5])

    def _data(self, match):
        ring, number = int(match[1]), int(match[2])
        expected = self.blocks.get(ring, 0)
        if number != expected:
            self.damage.append(f"ring {ring}: block {expected} is missing")
        self.blocks[ring] = number + 1
        self.count += 1
        try:
            block = unpack_block(base64.b64decode(match[3], validate=True), self.cpus.get(ring, 0))
        except (binascii.Error, ValueError, TraceError) as error:
            raise TraceError(f"ring {ring}, block {number}: {error}") from error
        self.records.setdefault(ring, []).extend(block)

    def _end(self, match):
        self.ended = True
        if int(match[1]) != self.count:
            self.damage.append(f"{match[1]} blocks were sent, {self.count} came")

    def trace(self):
        """What has been collected; raises TraceError if there was no dump."""
        if not self.hz:
            raise TraceError("no trace in it" if not self.seen else "the dump's first line is missing or damaged")
        if not self.ended:
            self.damage.append("the dump has no end")
        for ring, expected in sorted(self.expected.items()):
            found = len(self.records.get(ring, []))
            if found != expected:
                self.damage.append(f"ring {ring}: {found} records of {expected}")
        if len(self.expected) != self.rings:
            self.damage.append(f"{len(self.expected)} rings of {self.rings}")
        # At one moment the exit comes first: what else happens then happens because of it.
        order = sorted(self.records, key=lambda ring: (self.what.get(ring) != "exits", ring))
        return records.make_trace(self.hz, [r for ring in order for r in self.records[ring]], self.lost, self.damage)


def read_log(data):
    """The Trace in a serial log (bytes)."""
    collector = Collector()
    for line in data.split(b"\n"):
        collector.line(line)
    return collector.trace()
