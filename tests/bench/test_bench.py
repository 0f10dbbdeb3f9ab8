#!/usr/bin/env python3
"""Tests of the measuring tools, and of the budgets that are held: one quick run on QEMU.

    tests/bench/test_bench.py [--build DIR]

Closes with a line of counts. Where there is no QEMU that takes plug-ins, the budgets are skipped."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import boot  # noqa: E402
import counts  # noqa: E402
import figures  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
from counts import DONE, READY, TICK, Counts, Mark, Result  # noqa: E402
from machine import Failed, results  # noqa: E402

BUILD = "build"
ZERO = Counts(0, 0, 0)
TRIES = 51


def mark(number, times):
    return Mark(number, times, ZERO, ZERO)


class Logs(unittest.TestCase):
    def read(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".counts") as file:
            file.write(text)
            file.flush()
            return counts.read(file.name)

    def test_a_log_is_read(self):
        log = self.read("result 3 10 20 30\nat 4096 7\nmark 5 2 1 2 3 4 5 6\nend 7 8 9\n")
        self.assertEqual(log.results, [Result(3, Counts(10, 20, 30), {4096: 7})])
        self.assertEqual(log.marks, [Mark(5, 2, Counts(1, 2, 3), Counts(4, 5, 6))])
        self.assertEqual(log.end.total, 24)

    def test_a_log_without_an_end_is_refused(self):
        with self.assertRaises(OSError):
            self.read("result 3 10 20 30\n")

    def test_results_of_guests_and_of_the_peer(self):
        text = "b| bench: cpuid median=7 min=-1 max=9 tries=1\nescapement: x\nb| bench: hpet-read absent\n"
        self.assertEqual(results(text), {"cpuid": (7, -1, 9)})


class Windows(unittest.TestCase):
    def test_ticks_count_from_the_last_ready_to_the_first_done(self):
        marks = [mark(READY, 1), mark(TICK, 5), mark(READY, 1), mark(TICK, 70), mark(DONE, 1), mark(TICK, 3), mark(DONE, 1)]
        rest = iter([*marks, mark(READY, 1)])
        self.assertEqual(measure.ticks_in_window(rest, 2), 70)
        self.assertEqual(next(rest).number, READY)

    def test_a_guest_that_ends_early_or_never_is_told(self):
        with self.assertRaises(Failed):
            measure.ticks_in_window(iter([mark(READY, 1), mark(DONE, 1), mark(READY, 1), mark(DONE, 1)]), 2)
        with self.assertRaises(Failed):
            measure.ticks_in_window(iter([mark(READY, 2), mark(DONE, 1)]), 2)

    def test_share_and_cost_of_a_tick(self):
        result = Result(1, Counts(30, 960, 10))
        found = measure.share_figures(1, result, iter([mark(READY, 1), mark(TICK, 8), mark(DONE, 1)]))
        self.assertEqual(found, {"share-1": 4.0, "tick-1": 5.0})

    def test_a_peer_that_failed_is_told(self):
        log = counts.Log()
        for text in ("peer: FAIL no KVM\npeer: done\n", "peer: trips\n", "peer_vmm: /dev/kvm: no\npeer: done\n"):
            with self.assertRaises(Failed):
                peers.values_of(text, log)


class Reports(unittest.TestCase):
    COLUMNS = [("ours", {"cpuid": 251, "share-1": 0.3}), ("<peer>", {"cpuid": 2794})]

    def test_marks(self):
        cpuid = figures.TRIPS[0]
        self.assertEqual([figures.mark(cpuid, v) for v in (250, 251, None)], ["OK", "over", ""])

    def test_table(self):
        lines = report.table(self.COLUMNS).splitlines()
        self.assertRegex(lines[1], r"^CPUID +251 +2,794 +250 over$")
        self.assertRegex(lines[2], r"1 busy VM +0\.300 % +- +0\.3 % OK$")

    def test_picture_is_xml(self):
        import xml.dom.minidom
        self.assertIn("&lt;peer&gt;", report.svg(self.COLUMNS))
        xml.dom.minidom.parseString(report.svg(self.COLUMNS))

    def test_no_budget_runs_through_a_figure(self):
        self.assertEqual(report.label_at(10, 20, "343"), 24)
        self.assertEqual([report.label_at(10, line, "343") for line in (None, 8, 60)], [14, 14, 14])

    def test_a_place_in_a_document(self):
        with tempfile.NamedTemporaryFile("w+", suffix=".md") as file:
            file.write("a\n<!-- t -->\nold\n<!-- end t -->\nb\n")
            file.flush()
            report.put_into(file.name, "t", "new")
            with open(file.name, encoding="utf-8") as again:
                self.assertEqual(again.read(), "a\n<!-- t -->\n\nnew\n\n<!-- end t -->\nb\n")
            with self.assertRaises(OSError):
                report.put_into(file.name, "u", "new")


def missing():
    """Why nothing can be measured here, or None."""
    qemu = shutil.which("qemu-system-x86_64")
    if not qemu:
        return "no qemu-system-x86_64"
    said = subprocess.run([qemu, "-plugin", "none.so", "-display", "none", "-machine", "none"], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=30, check=False).stderr
    return None if re.search("plugin none.so|none.so: cannot open", said) else "this QEMU takes no plug-ins"


class Budgets(unittest.TestCase):
    """The figures whose budget is held, and the two clocks against each other."""

    @classmethod
    def setUpClass(cls):
        reason = missing()
        if reason:
            raise unittest.SkipTest(reason)
        cls.trips = {name: (value, result) for name, value, result in measure.trips(BUILD, tries=TRIES)}

    def test_budgets_are_held(self):
        for figure in [*figures.TRIPS, *figures.DELIVERY]:
            if figure.held:
                with self.subTest(figure.name):
                    self.assertLessEqual(self.trips[figure.name][0], figure.budget)

    def test_switch_and_shares(self):
        if figures.SWITCH.held:
            self.assertLessEqual(measure.switch(BUILD).median.host, figures.SWITCH.budget)
        for guests, figure in zip(figures.BUSY, figures.SHARES):
            if figure.held:
                with self.subTest(figure.name):
                    result, log = measure.share(BUILD, guests)
                    found = measure.share_figures(guests, result, iter(log.marks))
                    self.assertLessEqual(found[figure.name], figure.budget)

    def test_the_guest_clock_and_the_plug_in_agree(self):
        """A round trip by the guest's TSC is what the hypervisor executed, and the guest's few instructions."""
        for name in ("cpuid", "pic-out", "pm-timer", "pit-read", "ioapic", "eoi-lapic"):
            with self.subTest(name):
                value, result = self.trips[name]
                self.assertLessEqual(abs(value - result.median.host), 10)


class Boot(unittest.TestCase):
    """A guest executes at most 1.1 times the instructions to its first user process that the kernel executes alone."""

    def test_a_debian_boot(self):
        reason = missing()
        if reason or not os.path.exists(f"{BUILD}/debian/vmlinuz"):
            raise unittest.SkipTest(reason or f"no {BUILD}/debian/vmlinuz")
        alone, result, exits = boot.measure(BUILD)
        self.assertLessEqual(result.median.total / alone, boot.BUDGET)
        self.assertGreater(exits["io"], 100)


def main(argv):
    global BUILD
    if len(argv) == 3 and argv[1] == "--build":
        BUILD = argv[2]
    program = unittest.main(argv=argv[:1], exit=False, verbosity=1)
    result = program.result
    failed = {test.id().split(" ")[0] for test, _ in [*result.failures, *result.errors]}  # a sub-test's test, once
    skipped = len(result.skipped)
    print(f"{result.testsRun - len(failed)} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
