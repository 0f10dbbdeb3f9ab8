#!/usr/bin/env python3
"""The coherence report's reading and drawing (tests/coherence, issue 4, item 7), on a log that was made by hand."""
import sys
import unittest
from pathlib import Path
from xml.dom import minidom

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "coherence"))
import figures  # noqa: E402
import report  # noqa: E402

GUEST = """\
{p}clock: rtc intervals shortest=7616 longest=11625 of 10000 rate_ppb=-27
{p}clock: pit intervals shortest={short} longest=12076 of 10000 rate_ppb=31
{p}clock: ticks pit=10/{pit} rtc=20/20 lapic=5/5 lost={lost} extra=0 inversions={inv} backward=0 disagreement_ns=12 past_ns=1623 late_ns=250658 hpet=0/0
{p}clock: {verdict}
"""
LEDGER = """\
escapement: vm {vm} time rt=3002000000 at=3000000000 run=3000000000 leapt=0 lag={lag} paused=2000000 catchups=41 leaps=0 maxlag=70000000 latency=1 overshoot=0 rdtsc=7 balance={balance}
escapement: vm {vm} lag from=0 step=10000000 us: 0 70000 69000
escapement: vm {vm} lag from=30000000 step=10000000 us: 36000 20000 900 -3
"""
HEAD = "escapement: time source TSC, 1000000000 Hz; it is 2026-01-01 00:00:00 UTC\n"


def guest(vm, **changes):
    values = {"p": f"{vm}| " if vm else "", "short": 8379, "pit": 10, "lost": 0, "inv": 0, "verdict": "PASS", **changes}
    return GUEST.format(**values)


def two(**changes):
    return HEAD + guest("v1") + guest("v2", **changes) + LEDGER.format(vm="v1", lag=0, balance="ok") + \
        LEDGER.format(vm="v2", lag=-3000, balance="ok")


class Reading(unittest.TestCase):
    def test_sums_and_worst(self):
        record = figures.read(two(lost=3, pit=13, inv=2, short=4000), "escapement", "coordinated", 2)
        self.assertEqual((record["due"], record["lost"], record["inversions"], record["passed"]), (73, 3, 2, 2))
        self.assertEqual((record["shortest"], record["longest"], record["rate_ppm"]), (40.0, 120.76, 0.031))
        self.assertEqual((record["disagreement_ns"], record["past_ns"]), (12, 1623))

    def test_ledger(self):
        record = figures.read(two(), "escapement", "coordinated", 2)
        self.assertEqual(record["clock_ppm"], 0)
        self.assertEqual((record["max_lag_ms"], record["rdtsc_exits"], record["balanced"]), (70.0, 14, True))
        self.assertEqual(record["lag"][:2], [(0.01, 0), (0.02, 70000)])
        self.assertEqual(record["catch_up_ms"], 20)

    def test_drift_is_of_the_rest(self):
        account = ("v1", "61000000000", "0", "30000000", "1000000000")  # 30 ms behind when it ends, after 60 s
        busy = [(60 - k, 100000) for k in range(40)]
        self.assertAlmostEqual(figures.drift_ppm(account, busy, 10**9), -500)
        self.assertAlmostEqual(figures.drift_ppm(account, [(1, 0), *busy], 10**9), -500)  # a start on time says nothing
        self.assertAlmostEqual(figures.drift_ppm(account, [*busy, (61, 90), (62, 20000)], 10**9), -1.5)
        self.assertAlmostEqual(figures.drift_ppm(account, [*busy, (61, -60)], 10**9), 1)  # ahead

    def test_never_level(self):
        self.assertIsNone(figures.catch_up_ms([(1, 500), (2, 9000), (3, 8000)]))
        self.assertEqual(figures.catch_up_ms([(1, 500), (2, 900)]), 0)

    def test_plain_has_no_ledger(self):
        record = figures.read(guest(""), "plain QEMU", "-", 1)
        self.assertNotIn("lag", record)

    def test_silence_is_an_error(self):
        with self.assertRaises(ValueError):
            figures.read(HEAD + guest("v1"), "escapement", "coordinated", 2)


class Showing(unittest.TestCase):
    def records(self):
        return [figures.read(two(), "escapement", "coordinated", 2), figures.read(two(lost=9), "escapement", "naive", 2),
                figures.read(guest(""), "plain QEMU", "-", 1)]

    def test_table(self):
        lines = report.table(self.records()).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[2], r"^escapement +naive +2 +70 +9 ")
        self.assertRegex(lines[3], r"^plain QEMU .* - +- +-$")

    def test_every_fault_is_named(self):
        good, bad, _ = self.records()
        self.assertEqual(report.faults(good), [])
        self.assertEqual(report.faults(bad), ["lost 9"])
        self.assertEqual(report.faults({**good, "past_ns": 20001, "balanced": False}),
                         ["past_ns 20001", "the ledger does not balance"])

    def test_rates_of_a_minute(self):
        good = {**self.records()[0], "clock_ppm": -0.9}
        self.assertEqual(report.faults({**good, "rate_ppm": -1.01, "clock_ppm": 1.5}, 60), ["rate_ppm -1.01", "clock_ppm 1.50"])
        self.assertEqual(report.faults({**good, "rate_ppm": 1.0}, 60), [])
        self.assertEqual(report.faults({**good, "rate_ppm": 4.4}, 10), [])  # too short to tell

    def test_picture_is_xml_and_shows_each_run(self):
        drawn = minidom.parseString(report.svg(self.records(), 10))
        self.assertEqual(len(drawn.getElementsByTagName("polyline")), 1)
        texts = [t.firstChild.data for t in drawn.getElementsByTagName("text")]
        self.assertIn("12.9 %", texts)
        self.assertIn("Escapement, time=naive", texts)

    def test_grid(self):
        self.assertEqual([report.nice_step(most, 5) for most in (1, 4, 12, 70, 116, 999)], [1, 1, 5, 20, 50, 200])


if __name__ == "__main__":
    unittest.main()
