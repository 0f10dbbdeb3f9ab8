#!/usr/bin/env python3
"""The reader and the views of traces (tools/traceview) under damage: the golden dump with bytes flipped, lines cut, doubled,
swapped, or re-sealed after a change so that the checksum holds; trace files likewise; and traces of random records.

    tests/fuzz/fuzz_trace.py [--inputs N | --seconds S] [--seed N]

Whatever comes, a TraceError is the only way out but the answer. Closes with `N inputs`."""
import argparse
import contextlib
import io
import os
import random
import re
import sys
import time
import traceback
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools"))
sys.dont_write_bytecode = True

from traceview import check, file, perfetto, records as R, summary, svg, timeline, vcd  # noqa: E402
from traceview.axis import Axis, unit_for  # noqa: E402
from traceview.records import Record, Trace, TraceError, make_trace  # noqa: E402

with open(os.path.join(ROOT, "tests/golden/trace.dump"), "rb") as source:
    GOLDEN = source.read()
HZ = 10**9


def flipped(chance, data):
    data = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        data[at] = chance.choice([data[at] ^ 1 << chance.randrange(8), chance.randrange(256), 0, 255, 0x30])
    return bytes(data)


def resealed(chance, data):
    """Words changed, and the checksum made anew: what a checksum cannot catch."""
    lines = []
    for line in data.split(b"\n"):
        match = re.fullmatch(rb"escapement: trace: (.*) [0-9a-f]{8}", line)
        if match and chance.random() < 0.2:
            words = flipped(chance, match[1])
            if chance.random() < 0.5:
                numbers = re.findall(rb"\d+", words)
                if numbers:
                    words = words.replace(chance.choice(numbers), b"%d" % chance.choice([0, 1, 9, 10**9, 10**14, 10**20]), 1)
            line = b"escapement: trace: " + words + b" %08x" % zlib.crc32(words)
        lines.append(line)
    return b"\n".join(lines)


def shuffled(chance, data):
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        what = chance.randrange(4)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(other, lines[at])
        elif what == 2:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines[at] = lines[at][:chance.randrange(len(lines[at]) + 1)]
        if not lines:
            lines = [b""]
    return b"\n".join(lines)


def packed(chance, data):
    """A trace file of the dump, damaged before or after its checksum was made."""
    body = file.write_bytes(file.read_bytes(data))
    if chance.random() < 0.3:
        return flipped(chance, body)
    head = len(file.MAGIC)
    body = body[:head] + flipped(chance, body[head:-4])
    return body + zlib.crc32(body).to_bytes(4, "little")


def some_records(chance):
    """Records of the right form, and of no sense."""
    def number(bits):
        return chance.getrandbits(chance.choice([1, 4, 16, 40, bits]))

    rt, made = 0, []
    for _ in range(chance.randint(1, 120)):
        rt += number(32)
        made.append(Record(rt, number(64), number(64), number(32), chance.randrange(24), chance.randrange(3),
                           chance.randrange(2), chance.choice([0, 1, 2, 9, R.NO_TIMER]), chance.randrange(2)))
    return make_trace(chance.choice([1, 1000, HZ, (1 << 40) - 1]), made, {"events": 0, "exits": 0})


def show(trace: Trace):
    """Every view that tools/trace has."""
    run = timeline.from_trace(trace)
    with contextlib.redirect_stdout(io.StringIO()):
        check.report(trace, run)
    vms = run.vms
    if not vms or run.end <= run.start:
        return
    unit, name = unit_for(run.end - run.start, run.hz)
    axis = Axis(run.start, run.end, run.start, unit, name, run.hz)
    summary.text(run, vms, axis)
    svg.draw(run, vms, axis, "fuzz", True)
    perfetto.document(run, vms, axis)
    vcd.document(run, vms, axis)


def one(seed):
    chance = random.Random(seed)
    how = chance.randrange(6)
    try:
        if how == 0:
            show(some_records(chance))
        else:
            damage = (flipped, resealed, shuffled, packed, lambda c, d: resealed(c, shuffled(c, d)))[how - 1]
            show(file.read_bytes(damage(chance, GOLDEN)))
    except TraceError as error:
        if "\n" in str(error):
            raise AssertionError(f"an error of two lines: {error!r}") from error


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--inputs", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start, done = time.time(), 0
    seed = arguments.seed if not arguments.seconds else int(start)
    while time.time() - start < arguments.seconds if arguments.seconds else done < arguments.inputs:
        try:
            one(seed * 1000003 + done)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            print(f"fuzz_trace: input {done} of seed {seed}")
            return 1
        done += 1
        if done % 100 == 0:
            print(f"#{done}\t", flush=True)
    print(f"{done} inputs of seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
