"""The trace file: a magic line, one line of JSON about the records, and the records themselves, 36 bytes each
(vmm/trace.h's 32, and the processor), compressed; a CRC-32 closes it."""
import json
import struct
import zlib

from traceview import dump, records
from traceview.records import Record, TraceError

MAGIC = b"escapement trace 1\n"
RECORD = struct.Struct("<QQQIBBBBI")
HEADER_MAX = 1 << 20
RECORDS_MAX = 1 << 26       # a file that claims more is no trace


def write_bytes(trace):
    packed = b"".join(RECORD.pack(*r) for r in trace.records)
    header = {"hz": trace.hz, "records": len(trace.records), "lost": trace.lost,
              "damage": trace.damage}
    body = MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n" + zlib.compress(packed, 6)
    return body + struct.pack("<I", zlib.crc32(body))


def write(trace, path):
    with open(path, "wb") as file:
        file.write(write_bytes(trace))


def _header(line):
    try:
        header = json.loads(line)
        hz, count, lost, damage = (header[k] for k in ("hz", "records", "lost", "damage"))
        if not isinstance(hz, int) or not isinstance(count, int) or not 0 <= count <= RECORDS_MAX:
            raise ValueError("a number is none")
        return hz, count, {what: int(lost[what]) for what in ("events", "exits")}, [str(d) for d in damage]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TraceError(f"its header cannot be read: {error}") from error


def _unpack(compressed, count):
    """No more memory than the records take, whatever the compressed data would swell to."""
    size = count * RECORD.size
    inflate = zlib.decompressobj()
    try:
        packed = inflate.decompress(compressed, size + 1)
    except zlib.error as error:
        raise TraceError(f"its records cannot be unpacked: {error}") from error
    if len(packed) != size or not inflate.eof:
        raise TraceError(f"it does not hold the {count} records that its header promises")
    return [Record._make(fields) for fields in RECORD.iter_unpack(packed)]


def read_bytes(data):
    """The Trace in a trace file, or in a serial log that holds a dump."""
    if not data.startswith(MAGIC):
        return dump.read_log(data)
    if len(data) < len(MAGIC) + 4 or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise TraceError("it is cut off or damaged: the checksum is wrong")
    line, newline, compressed = data[len(MAGIC):-4].partition(b"\n")
    if not newline or len(line) > HEADER_MAX:
        raise TraceError("it has no header")
    hz, count, lost, damage = _header(line)
    return records.make_trace(hz, _unpack(compressed, count), lost, damage)


def read(path):
    try:
        with open(path, "rb") as file:
            return read_bytes(file.read())
    except OSError as error:
        raise TraceError(error.strerror) from error
