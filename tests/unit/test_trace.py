#!/usr/bin/env python3
"""The trace's other end: the decoder against the C side's golden dump and against damage of all kinds, the file, the views."""
import contextlib
import io
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom
import zlib
from fractions import Fraction

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests/boot")]
sys.dont_write_bytecode = True

import traces  # noqa: E402
from launch import trace as launch_trace  # noqa: E402
from traceview import check, dump, file, perfetto, png, records as R, scenario, summary, svg, timeline, vcd  # noqa: E402
from traceview.axis import Axis  # noqa: E402
from traceview.records import Record, TraceError  # noqa: E402

GOLDEN = os.path.join(ROOT, "tests/golden/trace.dump")
TOOL = os.path.join(ROOT, "tools/trace")
TIMESIM = os.environ.get("TIMESIM", os.path.join(ROOT, "build/timesim"))
FIGURE7 = os.path.join(ROOT, "tests/golden/figure7.scenario")
HZ = 10**9
MASK64 = (1 << 64) - 1


def golden():
    with open(GOLDEN, "rb") as source:
        return source.read()


def expected(n):
    """Record n of tests/unit/test_trace_pack.c."""
    return Record(rt=(n * 1000 - 5 if n % 10 == 9 else n * 1000 + (n << 40)) & MASK64,
                  at=0 if n % 11 == 0 else (n << n % 60) & MASK64, value=MASK64 - n if n % 7 == 0 else n * n,
                  arg=n * 0x9E3779B1 & 0xFFFFFFFF, kind=1 + n % (len(R.KINDS) - 1), vm=n % 5, vcpu=n % 3,
                  timer=R.NO_TIMER if n % 4 == 0 else 2)


def sealed(words):
    return f"escapement: trace: {words} {zlib.crc32(words.encode()):08x}\n".encode()


def record(rt, kind, at=0, value=0, arg=0, vm=0, vcpu=0, timer=R.NO_TIMER):
    return Record(rt, at, value & MASK64, arg, kind, vm, vcpu, timer)


def name(rt, text, timer=R.NO_TIMER, vm=0, vcpu=0):
    raw = text.encode().ljust(16, b"\0")
    low, high = struct.unpack("<QQ", raw)
    return record(rt, R.NAME, low, high, vm=vm, vcpu=vcpu, timer=timer)


def a_run():
    """A VM with one timer: three events, one of them late by 500; a loss from 3000 to 4000."""
    ledger = [record(6000, R.LEDGER, 4, 3, 0, timer=0), record(6000, R.LEDGER, 0, 0, 1, timer=0),
              record(6000, R.LEDGER, 1, 0, 2, timer=0), record(6000, R.LEDGER, 5000, 5000, 3),
              record(6000, R.LEDGER, 5000, 0, 4), record(6000, R.LEDGER, 0, 0, 5), record(6000, R.LEDGER, 0, 1, 6)]
    return [record(1000, R.RUN), record(1000, R.RESUME, 0), record(1100, R.ARM, 1000, 1000, timer=0),
            record(2010, R.DELIVER, 1000, 0, 10, timer=0), record(2100, R.EXIT, 0x400000, 0x1000, 19),
            record(2100, R.READ, 1100), record(2110, R.ACK, 1, 0, 0x20), record(3000, R.STOP), record(3000, R.LOSE, 2000),
            record(3000, R.CANCEL, 2000, 1, timer=0), record(4000, R.RUN), record(4000, R.RESUME, 2000),
            record(4000, R.DELIVER, 2500, 500, 1 << 30, timer=0), record(4000, R.DECIDE, 2500, 5000, 1 << 30 | 8192),
            record(5000, R.DELIVER, 4000, 0, 0, timer=0), record(5000, R.DECIDE, 4000, 6000, 4096),
            record(6000, R.STOP), name(6000, "alpha"), name(6000, "pit", 0), *ledger]


def a_trace(lost=0):
    return R.make_trace(HZ, a_run(), {"events": lost, "exits": 0})


class Decoder(unittest.TestCase):
    def test_golden_dump_of_the_kernel(self):
        trace = dump.read_log(golden())
        want = sorted((expected(n) for n in range(36, 100)), key=lambda r: r.rt)
        self.assertEqual(trace.records, want)
        self.assertEqual((trace.hz, trace.lost, trace.damage), (HZ, {"events": 36, "exits": 0}, []))

    def test_among_other_lines(self):
        mixed = b"a| escapement: trace: end blocks=0 00000000\n" + golden().replace(b"\n", b"\r\nx| y\n")
        self.assertEqual(dump.read_log(mixed), dump.read_log(golden()))

    def test_the_last_dump_counts(self):
        self.assertEqual(dump.read_log(golden() + golden()), dump.read_log(golden()))

    def test_no_dump(self):
        with self.assertRaisesRegex(TraceError, "no trace in it"):
            dump.read_log(b"escapement: all VMs ended, 1 ok, 0 failed\n")

    def test_a_lost_line_costs_its_block_only(self):
        lines = golden().splitlines(keepends=True)
        trace = dump.read_log(b"".join(lines[:3] + lines[4:]))
        self.assertGreater(len(trace.records), 30)
        self.assertTrue(any("block 1 is missing" in d for d in trace.damage), trace.damage)
        self.assertTrue(any("records of 64" in d for d in trace.damage), trace.damage)

    def test_a_damaged_line_is_told(self):
        lines = golden().splitlines(keepends=True)
        lines[3] = lines[3].replace(b"A", b"B", 1)
        trace = dump.read_log(b"".join(lines))
        self.assertIn("a line has been damaged on its way", trace.damage[0])

    def test_no_end_is_told(self):
        trace = dump.read_log(b"".join(golden().splitlines(keepends=True)[:-1]))
        self.assertIn("the dump has no end", trace.damage)

    def test_every_byte_changed_is_an_answer(self):
        """No traceback, whatever is flipped, cut or doubled."""
        rng = random.Random(1)
        data = golden()
        for _ in range(150):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            if rng.random() < 0.3:
                del damaged[rng.randrange(len(damaged)):]
            try:
                dump.read_log(bytes(damaged))
            except TraceError as error:
                self.assertNotIn("\n", str(error))

    def test_blocks_that_lie(self):
        """Lines whose checksum is right and whose content is not."""
        rng = random.Random(2)
        bad = [b"", b"\x01", b"\x01\x40\x00", b"\x01\x10" + b"\xff" * 12, bytes(range(256)), b"\x01\x3f\x00\x01"]
        bad += [rng.randbytes(rng.randint(1, 330)) for _ in range(400)]
        for content in bad:
            import base64
            words = "data 0 0 " + base64.b64encode(content).decode()
            log = sealed("begin 1 hz=1000 rings=1") + sealed("ring 0 cpu=0 events records=1 lost=0")
            trace = dump.read_log(log + sealed(words) + sealed("end blocks=1"))
            self.assertIsInstance(trace.damage, list)

    def test_words_that_lie(self):
        for words in ("begin 2 hz=1000 rings=1", "begin 1 hz=0 rings=1", "begin 1 hz=999999999999999 rings=1", "data 0 0 !",
                      "nonsense", "ring 0 cpu=0 what records=1 lost=0", "end blocks=7"):
            with self.assertRaises(TraceError, msg=words):
                dump.read_log(sealed(words))


class Names(unittest.TestCase):
    def test_of_vm_and_timers(self):
        trace = a_trace()
        self.assertEqual((trace.vm_name(0), trace.timer_name(0, 0), trace.vm_name(7)), ("alpha", "pit", "vm7"))

    def test_same_names_are_told_apart_by_the_vcpu(self):
        trace = R.make_trace(HZ, [name(1, "lapic", 0, vcpu=0), name(1, "lapic", 1, vcpu=1)], {})
        self.assertEqual(sorted(trace.timers.values()), ["lapic0", "lapic1"])

    def test_cannot_control_a_terminal(self):
        trace = R.make_trace(HZ, [name(1, "\x1b[2Jx")], {})
        self.assertEqual(trace.vm_name(0), "?[2Jx")

    def test_tables_are_those_of_the_headers(self):
        for path, enum, prefix, table, first in (
                ("vmm/trace.h", "trace_kind", "TRACE_", R.KINDS, 1), ("vmm/exit.h", "exit_kind", "EXIT_", R.EXITS, 0),
                ("vmm/run.h", "run_stop", "RUN_", R.STOPS, 0), ("vmm/backend.h", "inject_result", "INJECT_", R.INJECTS, 0)):
            with open(os.path.join(ROOT, path), encoding="utf-8") as source:
                body = re.search(r"enum " + enum + r"\s*\{(.*?)\}", source.read(), re.S)[1]
            body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
            words = [w.strip().split("=")[0].strip() for w in body.split(",") if w.strip()]
            names = [w[len(prefix):].lower().replace("_", "-") for w in words if w != prefix + "KINDS"]
            want = [t.replace("cr", "cr-access") if t in ("cr", "dr") else t for t in table[first:]]
            want = ["dr-access" if t == "dr" else t for t in want]
            self.assertEqual(names, want, path)


class File(unittest.TestCase):
    def test_what_is_written_is_read(self):
        trace = a_trace(3)
        trace.damage.append("ring 0: block 1 is missing")
        self.assertEqual(file.read_bytes(file.write_bytes(trace)), trace)

    def test_corrupted(self):
        data = file.write_bytes(a_trace())
        rng = random.Random(3)
        for n in range(len(data)):
            with self.assertRaises(TraceError):
                file.read_bytes(data[:n])
        for _ in range(300):
            damaged = bytearray(data)
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            with self.assertRaises(TraceError):
                file.read_bytes(bytes(damaged))

    def test_lies_under_a_right_checksum(self):
        def with_sum(body):
            return body + struct.pack("<I", zlib.crc32(body))

        none = zlib.compress(b"")
        for header, rest in ((b"{}", none), (b"[]", none), (b"x", none), (b"[" * 100000, none),
                             (b'{"hz":1,"records":99999999999,"lost":{},"damage":[]}', none),
                             (b'{"hz":1,"records":5,"lost":{"events":0,"exits":0},"damage":[]}', none),
                             (b'{"hz":"x","records":5,"lost":{},"damage":[]}', none),
                             (b'{"hz":0,"records":0,"lost":{"events":0,"exits":0},"damage":[]}', none),
                             (b'{"hz":1,"records":0,"lost":{"events":0,"exits":0},"damage":[]}', b"no zlib"),
                             (b'{"hz":1,"records":1,"lost":{"events":0,"exits":0},"damage":[]}', zlib.compress(bytes(10**7)))):
            with self.assertRaises(TraceError, msg=header[:60]):
                file.read_bytes(with_sum(file.MAGIC + header + b"\n" + rest))
        with self.assertRaises(TraceError):
            file.read_bytes(with_sum(file.MAGIC + b"no newline"))


class Model(unittest.TestCase):
    def setUp(self):
        self.run_ = timeline.from_trace(a_trace())
        self.vm = self.run_.vm("alpha")

    def test_events(self):
        found = [(e.rt, e.at, e.mode, e.late, e.latency) for e in self.vm.timers[0].events]
        self.assertEqual(found, [(2000, 1000, "normal", 0, 10), (4000, 2500, "catchup", 500, 0), (5000, 4000, "normal", 0, 0)])

    def test_slices(self):
        self.assertEqual(self.vm.slices, [(1000, 3000), (4000, 6000)])

    def test_the_end_of_a_slice_with_nobody_else_is_none(self):
        records = [r._replace(kind=99) if r.kind == R.LOSE else r for r in a_run()]
        self.assertEqual(timeline.from_trace(R.make_trace(HZ, records, {})).vm("alpha").slices, [(1000, 6000)])

    def test_lag(self):
        lag = dict(self.vm.lag())
        self.assertEqual((lag[3000], lag[4000], lag[5000]), (0, 500, 0))

    def test_curve_never_goes_back(self):
        ats = [at for _, at in self.vm.curve]
        self.assertEqual(ats, sorted(ats))

    def test_a_slice_whose_begin_was_overwritten(self):
        run = timeline.from_trace(R.make_trace(HZ, a_run()[7:], {}))
        self.assertEqual(run.vm("alpha").slices[0], (3000, 3000))

    def test_a_vm_of_which_nothing_is_left_but_its_stop(self):
        run = timeline.from_trace(R.make_trace(HZ, [record(5, R.IDLE), record(9, R.STOP, vm=1)], {}))
        self.assertEqual([vm.slices for vm in run.vms], [[(5, 9)]])

    def test_kinds_of_the_future_are_left_out(self):
        run = timeline.from_trace(R.make_trace(HZ, [*a_run(), record(10, 99, vm=0)], {}))
        self.assertEqual(len(run.vm("alpha").timers[0].events), 3)

    def test_no_vm_of_that_name(self):
        with self.assertRaisesRegex(TraceError, "no VM beta; there are: alpha"):
            self.run_.vm("beta")


class Check(unittest.TestCase):
    def faults(self, records, lost=0):
        trace = R.make_trace(HZ, records, {"events": lost})
        return check.faults(trace, timeline.from_trace(trace))

    def test_ok(self):
        self.assertEqual(self.faults(a_run()), [])

    def test_a_missing_event_is_seen(self):
        without = [r for r in a_run() if not (r.kind == R.DELIVER and r.rt == 5000)]
        self.assertEqual(self.faults(without), ["vm alpha: pit: 2 delivered in the trace, 3 in the ledger"])

    def test_a_ledger_that_does_not_balance_is_seen(self):
        wrong = [r._replace(at=9) if r.kind == R.LEDGER and r.arg in (0, 3) else r for r in a_run()]
        found = "\n".join(self.faults(wrong))
        self.assertIn("its events do not balance", found)
        self.assertIn("its time does not balance", found)

    def test_overwritten_ones_forbid_a_verdict(self):
        self.assertIn("cannot be told", self.faults(a_run(), lost=5)[0])

    def test_no_ledger(self):
        self.assertEqual(self.faults([r for r in a_run() if r.kind != R.LEDGER]), ["there is no ledger in it"])

    def test_a_part_of_a_ledger(self):
        """Its later records may be what a damaged block took along."""
        part = [r for r in a_run() if r.kind != R.LEDGER or r.arg not in (1, 5)]
        self.assertEqual(self.faults(part), ["vm alpha: the ledger has no merged, dropped",
                                             "vm alpha: the ledger has no lag, paused"])

    def test_a_ledger_record_of_no_known_kind(self):
        unknown = [r._replace(arg=99) if r.kind == R.LEDGER else r for r in a_run()]
        self.assertTrue(all("the ledger has no" in fault for fault in self.faults(unknown)))


class Views(unittest.TestCase):
    def setUp(self):
        self.run_ = timeline.from_trace(a_trace())
        self.axis = Axis(self.run_.start, self.run_.end, self.run_.start, hz=HZ)

    def test_svg_is_xml(self):
        drawing = svg.draw(self.run_, self.run_.vms, self.axis, "<&>")
        text = xml.dom.minidom.parseString(drawing).documentElement.toxml()
        self.assertEqual(text.count('class="catchup"'), 2)      # the legend's and one event

    def test_marks_are_thinned_out_and_clipped(self):
        points = [(x / 100, x % 7) for x in range(10000)]
        kept = svg.thin_out(points, 0.5)
        self.assertLess(len(kept), 900)
        self.assertEqual((min(p[1] for p in kept), max(p[1] for p in kept)), (0, 6))
        self.assertEqual(svg.clip([(0, 0), (10, 20)], 4, 6), [(4, 8), (6, 12)])

    def test_perfetto(self):
        text = perfetto.document(self.run_, self.run_.vms, self.axis)
        self.assertIsNone(traces.perfetto_fault(text))
        events = json.loads(text)["traceEvents"]
        self.assertEqual(sum(e["ph"] == "X" and e["pid"] >= perfetto.FIRST_VM for e in events), 2)
        lags = [e["args"]["lag"] for e in events if e["name"] == "lag, us"]
        self.assertEqual(max(lags), 1.0)

    def test_vcd(self):
        text = vcd.document(self.run_, self.run_.vms, self.axis)
        self.assertIsNone(traces.vcd_fault(text))
        times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
        self.assertEqual(times, sorted(set(times)))

    @unittest.skipUnless(shutil.which("vcd2fst"), "gtkwave is not installed")
    def test_gtkwave_refuses_what_is_none(self):
        self.assertIsNotNone(traces.vcd_fault("$var event 1 ! x $end\n$enddefinitions $end\nnonsense\n"))

    def test_summary(self):
        text = summary.text(self.run_, self.run_.vms, self.axis)
        self.assertRegex(text, r"pit +1 +3 +0 +0 +1 ")
        self.assertIn("1 exits: io 1", text)

    def test_empty_window(self):
        axis = Axis(10**7, 10**7 + 10, 0, hz=HZ)
        svg.draw(self.run_, self.run_.vms, axis, "")
        summary.text(self.run_, self.run_.vms, axis)
        self.assertIsNone(traces.vcd_fault(vcd.document(self.run_, self.run_.vms, axis)))

    @unittest.skipUnless(shutil.which("rsvg-convert"), "no converter")
    def test_png(self):
        self.assertTrue(png.convert(svg.draw(self.run_, self.run_.vms, self.axis, "t")).startswith(b"\x89PNG"))


class Scales(unittest.TestCase):
    def test_round_numbers(self):
        axis = Axis(0, 177, 0)
        self.assertEqual([label for _, label in axis.ticks(22)][:3], ["0", "10", "20"])
        self.assertEqual(len(axis.edges(360).moments), 178)

    def test_units_of_a_part(self):
        axis = Axis(1000, 1000 + 10**9, 1000, Fraction(HZ, 2048))
        self.assertEqual(axis.number(1000 + HZ // 2), "1024")


class Scenarios(unittest.TestCase):
    def test_figure_7(self):
        with open(FIGURE7, encoding="ascii") as source:
            text = source.read()
        run = scenario.read(scenario.simulate(TIMESIM, text, ["--points"]), text)
        vm = run.vms[0]
        self.assertEqual([t.name for t in vm.timers.values()], ["VTIMER1", "VTIMER2", "VTIMER3"])
        self.assertEqual(vm.slices, [(0, 48), (113, 177)])
        self.assertEqual([(e.rt, e.at) for e in vm.timers[1].events], [(8, 8), (113, 56), (137, 104), (161, 152)])
        self.assertIn((113, 48), vm.curve)
        self.assertEqual(vm.reads, [(130, 90)])

    def test_a_leap_makes_a_new_line(self):
        with open(os.path.join(ROOT, "tests/golden/leap.tsv"), encoding="ascii") as source:
            run = scenario.read(source.read())
        vm = run.vms[0]
        self.assertTrue(vm.leaps)
        self.assertEqual(max(lag for rt, lag in vm.lag() if rt >= vm.leaps[-1][0]), 0)

    def test_tables_that_are_none(self):
        head = scenario.HEADER + "\n"
        for text in ("", "rt at\n", head + "1\t2\n", head + "x\t2\tevent\tT\tnormal\n", head + "1\t2\tevent\tT\tfast\n",
                     head + "1\t2\tdrop\tT\tnormal\n", head + "1\t2\tjump\tT\tnormal\n", head + "# point 1\n",
                     head + f"{1 << 63}\t2\tevent\tT\tnormal\n"):
            with self.assertRaises(TraceError, msg=text):
                scenario.read(text)


class Stream(unittest.TestCase):
    """tools/run --trace: what a person sees while a dump goes by."""

    def split(self, data, rng):
        while data:
            n = rng.randint(1, 60)
            yield data[:n]
            data = data[n:]

    def test_any_pieces(self):
        rng = random.Random(4)
        around = b"escapement: up\na| escapement: trace: x\nescapement: tr\n"
        for _ in range(50):
            stream = launch_trace.Filter()
            shown = b"".join(stream.take(p) for p in self.split(around + golden() + b"escapement: over\n$ ", rng))
            self.assertEqual(shown + stream.rest(), around + b"escapement: over\n$ ")
            self.assertEqual(stream.collector.trace(), dump.read_log(golden()))

    def test_a_prompt_is_shown_at_once(self):
        stream = launch_trace.Filter()
        self.assertEqual(stream.take(b"login: "), b"login: ")
        self.assertEqual(stream.take(b"root\n"), b"root\n")

    def test_the_file(self):
        stream = launch_trace.Filter()
        stream.take(golden())
        with tempfile.TemporaryDirectory() as folder:
            stream.write(folder + "/t")
            self.assertEqual(file.read(folder + "/t"), dump.read_log(golden()))

    def test_no_dump_is_told(self):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            launch_trace.Filter().write("/nonexistent/t")
        self.assertIn("no trace in it", said.getvalue())


class Tool(unittest.TestCase):
    def tool(self, *words, **options):
        return subprocess.run([sys.executable, TOOL, *words], capture_output=True, timeout=60, check=False, **options)

    def file(self, data):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(folder + "/t", "wb") as out:
            out.write(data)
        return folder + "/t"

    def test_errors_are_one_line(self):
        for path in (self.file(b""), self.file(b"nothing"), self.file(file.MAGIC), self.file(bytes(range(256))), "/nonexistent",
                     self.file(golden()[:200]), self.file(b"timer T\nrun\n")):
            done = self.tool(path, "--timesim", TIMESIM)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (1, b"", 1), done.stderr)
            self.assertTrue(done.stderr.startswith(b"tools/trace: "), done.stderr)

    def test_wrong_arguments(self):
        path = self.file(file.write_bytes(a_trace()))
        for words in (("--from", "x"), ("--from", "2s", "--to", "1s"), ("--unit", "0"), ("--unit", "1/0s"),
                      ("--unit", "-1ms"), ("--nonsense",)):
            done = self.tool(path, *words)
            self.assertEqual((done.returncode, done.stderr.count(b"\n")), (2, 1), done.stderr)
        self.assertEqual(self.tool(path, "--vm", "beta").returncode, 1)
        self.assertEqual(self.tool(path, "--vm", "alpha", "--timer", "hpet").returncode, 1)

    def test_a_trace_of_one_moment(self):
        """Of a run that was stopped before its first guest had done anything."""
        moment = [record(1000, R.RUN), name(1000, "alpha")]
        path = self.file(file.write_bytes(R.make_trace(HZ, moment, {"events": 0, "exits": 0})))
        done = self.tool(path, "--svg", path + ".svg", "--text")
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_all_outputs(self):
        path = self.file(file.write_bytes(a_trace()))
        done = self.tool(path, "--check", "--text", "--svg", path + ".svg", "--perfetto", path + ".json", "--vcd", path + ".vcd",
                         "--vm", "alpha", "--timer", "pit=PIT & co", "--zero", "500ns", "--unit", "100ns")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"check: ok: 3 events of 1 VMs", done.stdout)
        xml.dom.minidom.parse(path + ".svg")
        with open(path + ".json", encoding="utf-8") as source:
            self.assertIsNone(traces.perfetto_fault(source.read()))

    def test_a_failed_check_is_a_status(self):
        without = [r for r in a_run() if r.kind != R.DELIVER]
        path = self.file(file.write_bytes(R.make_trace(HZ, without, {"events": 0, "exits": 0})))
        self.assertEqual(self.tool(path, "--check").returncode, 1)

    def test_scenario_by_timesim(self):
        done = self.tool(FIGURE7, "--timesim", TIMESIM, "--svg", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("121 (72)", done.stdout.decode())
        with open(os.path.join(ROOT, "docs/figure7.svg"), encoding="utf-8") as source:
            drawn = self.tool(FIGURE7, "--timesim", TIMESIM, "--svg", "-", "--title", "Figure 7, by timesim").stdout.decode()
            self.assertEqual(source.read(), drawn, "docs/figure7.svg is not what tools/trace draws now")


if __name__ == "__main__":
    unittest.main()
