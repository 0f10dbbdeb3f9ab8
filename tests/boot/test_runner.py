#!/usr/bin/env python3
"""Tests of the boot runner and of tools/run, with fakes in place of emulators: that each outcome can come about."""
import contextlib
import io
import os
import runpy
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tools")]
sys.dont_write_bytecode = True

import cases  # noqa: E402
import run as runner  # noqa: E402
import coherent  # noqa: E402
import dates  # noqa: E402
import shares  # noqa: E402
from case import Case, judge_log  # noqa: E402
from launch import arguments, bochs, image, process, qemu  # noqa: E402

tools_run = runpy.run_path(os.path.join(ROOT, "tools/run"))

VERDICT = "escapement: all VMs ended, 1 ok, 0 failed"


class Folder(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(subprocess.run, ["rm", "-rf", self.directory], check=True)

    def path(self, name, text="", mode=0o644):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path


class Outcomes(Folder):
    """run.py, with a shell script in the place of tools/run."""

    def outcome(self, script, **fields):
        folders = runner.folders_of(self.directory, fields.pop("on", "bochs"))
        folders["run"] = self.path("fake-run", "#!/bin/sh\n" + script, stat.S_IRWXU)
        os.makedirs(folders["logs"], exist_ok=True)
        fields.setdefault("expect", ["^escapement: all VMs ended, 1 ok, 0 failed$"])
        case = Case("fake", fields.pop("args", []), **fields)
        return runner.run_case(case, folders)

    def test_pass(self):
        self.assertEqual(self.outcome(f"echo '{VERDICT}'"), (runner.PASS, ""))

    def test_log_is_kept(self):
        self.outcome(f"echo '{VERDICT}'")
        self.assertEqual(runner.read(self.directory + "/boot-logs/fake.bochs").decode(), VERDICT + "\n")

    def test_silence_fails(self):
        self.assertEqual(self.outcome("exit 0")[0], runner.FAIL)

    def test_wrong_status_fails(self):
        self.assertEqual(self.outcome(f"echo '{VERDICT}'; exit 1")[0], runner.FAIL)

    def test_expected_failure_passes(self):
        self.assertEqual(self.outcome("echo sad; exit 1", expect=["sad"], status=1)[0], runner.PASS)

    def test_forbidden_line_fails(self):
        self.assertEqual(self.outcome(f"echo bad; echo '{VERDICT}'", forbid=["^bad"])[0], runner.FAIL)

    def test_the_panic_that_must_come(self):
        case = Case("x", [], panic="watchdog: ")
        self.assertIsNone(judge_log(case, "escapement: panic: watchdog: no progress\n"))
        self.assertIn("expected a panic", judge_log(case, "escapement: panic: something else\n"))
        self.assertIn("expected a panic", judge_log(case, "escapement: all VMs ended, 1 ok, 0 failed\n"))

    def test_a_leak_and_a_broken_ledger_fail_always(self):
        for line in ("escapement: memory: leak: 4096 bytes", "escapement: vm a time rt=1 at=2 balance=BROKEN"):
            self.assertIn("forbidden", judge_log(Case("x", [], expect=["^a$"]), f"a\n{line}\n"))

    def test_panic_fails_always(self):
        self.assertEqual(self.outcome(f"echo 'escapement: panic: x'; echo '{VERDICT}'")[0], runner.FAIL)

    def test_order_counts(self):
        self.assertEqual(self.outcome("echo two; echo one", expect=["one", "two"])[0], runner.FAIL)
        self.assertEqual(self.outcome("echo two; echo one", anywhere=["one", "two"], expect=[])[0], runner.PASS)

    def test_time_out_fails(self):
        outcome, reason = self.outcome(f"echo '{VERDICT}'; exit 124")
        self.assertEqual(outcome, runner.FAIL)
        self.assertIn("no end", reason)

    def test_hanging_run_fails(self):
        grace = runner.GRACE_SECONDS
        runner.GRACE_SECONDS = 0
        try:
            self.assertEqual(self.outcome("exec sleep 20", timeout=0.3)[0], runner.FAIL)
        finally:
            runner.GRACE_SECONDS = grace

    def test_skip_says_why(self):
        self.assertEqual(self.outcome("exit 0", needs=["/nonexistent"]), (runner.SKIP, "no /nonexistent"))

    def test_a_case_for_one_platform_says_why(self):
        for on, expected in (("bochs", (runner.SKIP, "no such thing")), ("qemu", (runner.PASS, ""))):
            self.assertEqual(self.outcome(f"echo '{VERDICT}'", on=on, only="qemu", why="no such thing"), expected)
        self.assertEqual(self.outcome("exit 0", only="qemu")[0], runner.ERROR)
        self.assertEqual(self.outcome("exit 0", only="vmware", why="x")[0], runner.ERROR)

    def test_errors_are_the_tests_own(self):
        self.assertEqual(self.outcome("exit 2")[0], runner.ERROR)
        self.assertEqual(self.outcome("exit 0", expect=["("])[0], runner.ERROR)
        self.assertEqual(self.outcome("exit 0", expect=[])[0], runner.ERROR)
        self.assertEqual(self.outcome("exit 0", args=["{nothing}"])[0], runner.ERROR)
        self.assertEqual(self.outcome("exit 0", expect=[], check=lambda text: 1 // 0)[0], runner.ERROR)

    def test_check(self):
        self.assertEqual(self.outcome("exit 0", expect=[], check=lambda text: "no good"), (runner.FAIL, "no good"))

    def test_runs_must_agree(self):
        self.assertEqual(self.outcome(f"echo '{VERDICT}'", runs=2)[0], runner.PASS)
        outcome, reason = self.outcome(f"echo $$; echo '{VERDICT}'", runs=2)
        self.assertEqual(outcome, runner.FAIL)
        self.assertIn("line 1", reason)

    def test_counts(self):
        """Each case on each platform; what cannot run on one is skipped there with its reason."""
        platforms = [runner.folders_of(self.directory, on) for on in runner.cases_of.PLATFORMS]
        fake = self.path("fake-run", f"#!/bin/sh\necho \"$2\"; echo '{VERDICT}'", stat.S_IRWXU)
        os.makedirs(platforms[0]["logs"], exist_ok=True)
        for folders in platforms:
            folders["run"] = fake
        chosen = [Case("a", [], expect=["ended"]), Case("b", [], expect=["nothing"]), Case("c", [], expect=["("]),
                  Case("d", [], expect=["x"], needs=["/nonexistent"]),
                  Case("e", [], expect=["^qemu$"], only="qemu", why="no reason")]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            counts = runner.run_all(chosen, platforms, 2)
        self.assertIn("SKIP  e: skipped on bochs: no reason\n", out.getvalue())
        self.assertIn("PASS  e on qemu (", out.getvalue())
        self.assertEqual(runner.closing_line(counts), "3 passed, 4 failed, 3 skipped")
        self.assertEqual(runner.exit_status(counts), 1)
        self.assertEqual(runner.exit_status({"pass": 0, "fail": 0, "skip": 3, "error": 0}), 2)


class Cases(unittest.TestCase):
    def test_all_are_sound(self):
        names = [c.name for c in cases.CASES]
        self.assertEqual(len(names), len(set(names)))
        folders = runner.folders_of("/b")
        for case in cases.CASES:
            runner.cases_of.validate(case)
            for text in [*case.args, *case.needs]:
                runner.cases_of.fill(text, folders)

    def test_carriage_returns_are_no_matter(self):
        self.assertIsNone(judge_log(Case("x", [], expect=["^a$", "^b$"]), "a\r\nb\r\n"))

    def shares_log(self, crowded, alone=300):
        lines = [f"{n}| share: second={s} rounds={r} wakes=0" for n, r in crowded.items() for s in range(6)]
        return "\n".join(lines + [f"a| share: second={s} rounds={alone} wakes=0" for s in range(6, 12)])

    def clock_log(self, name, lost, lag):
        return (f"{name}| clock: pit intervals shortest=9000 longest=11000 of 10000 rate_ppb=5\n"
                f"{name}| clock: ticks pit=9/9 rtc=9/9 lapic=9/9 lost={lost} extra=0 inversions=0 backward=0 "
                "disagreement_ns=0 past_ns=0 late_ns=0 hpet=0/0\n"
                f"escapement: vm {name} time rt=3000 at=3000 run=3000 leapt=0 lag=0 paused=0 catchups=1 leaps=0 maxlag=30 "
                "latency=0 overshoot=0 rdtsc=0 balance=ok\n"
                f"escapement: vm {name} lag from=0 step=10 us: 0 30000 {lag}\n")

    def test_coherent(self):
        head = "escapement: time source TSC, 1000 Hz; it is 2026-01-01 00:00:10 UTC\n"
        good, late, lossy = self.clock_log("a", 0, 0), self.clock_log("a", 0, 1001), self.clock_log("a", 1, 0)
        naive = self.clock_log("n", 4, 0)
        self.assertIsNone(coherent.coherent(head + good + naive, "a", "n"))
        self.assertIn("a: lost 1", coherent.coherent(head + lossy + naive, "a", "n"))
        self.assertIn("a ends 1001 us behind", coherent.coherent(head + late + naive, "a", "n"))
        self.assertIn("n shows no fault", coherent.coherent(head + good + self.clock_log("n", 0, 0), "a", "n"))
        self.assertIn("reported", coherent.coherent(head + naive, "a", "n"))

    def test_dates(self):
        self.assertEqual([dates.days(*d) for d in ((1970, 1, 1), (2000, 2, 29), (2026, 1, 1), (2100, 3, 1))],
                         [0, 11016, 20454, 47541])
        log = "escapement: time source TSC, 1000 Hz; it is 2026-01-01 00:00:10 UTC\n" \
              "a| init: date {} rtc {} after a minute\nescapement: vm a time rt=62200 at=1 lag=0 paused=700 catchups=0\n"
        began = 20454 * 86400 + 10
        self.assertIsNone(dates.dates(log.format(began + 61, began + 60), "a"))
        self.assertIn("date is", dates.dates(log.format(began + 63, began + 61), "a"))
        self.assertIn("RTC is", dates.dates(log.format(began + 61, began + 59), "a"))
        self.assertIn("guest b told no date", dates.dates(log.format(began + 61, began + 61), "ab"))
        self.assertIn("told no date", dates.dates("", "a"))

    def test_thirds(self):
        self.assertIsNone(shares.thirds(self.shares_log({"a": 100, "b": 100, "c": 100}), "abc"))
        self.assertIn("differ", shares.thirds(self.shares_log({"a": 100, "b": 100, "c": 97}), "abc"))
        self.assertIn("not a third", shares.thirds(self.shares_log({"a": 90, "b": 90, "c": 90}), "abc"))
        self.assertIn("more than", shares.thirds(self.shares_log({"a": 99, "b": 99, "w": 103}), "ab", "w"))
        self.assertIn("did not report", shares.thirds("", "abc"))


class Arguments(Folder):
    def parse(self, *argv):
        return arguments.parse(list(argv), self.path("escapement.elf"))

    def test_vm(self):
        kernel, initrd, text = self.path("k"), self.path("i"), self.path("t")
        args = self.parse("--vm", f"a {kernel} mem=192M initrd={initrd} module={text} -- console=ttyS0,115200 a=b -- c")
        self.assertEqual([(m.path, m.words) for m in args.modules],
                         [(kernel, ["vm=a", "mem=192M", "--", "console=ttyS0,115200", "a=b", "--", "c"]),
                          (initrd, ["vm=a", "initrd"]), (text, ["vm=a", "module"])])
        self.assertEqual(args.megabytes, 192 + 64)

    def test_memory(self):
        kernel = self.path("k")
        self.assertEqual(self.parse("--vm", f"a {kernel}", "--vm", f"b {kernel} mem=1g").megabytes, 64 + 1024 + 64)
        self.assertEqual(self.parse("--vm", f"a {kernel}", "--memory", "100M").megabytes, 100)
        # The second has no room in what the first leaves below 3 GiB.
        self.assertEqual(self.parse("--vm", f"a {kernel} mem=1900M", "--vm", f"b {kernel} mem=2G").megabytes, 3072 + 2048)
        self.assertEqual(self.parse("--vm", f"a {kernel} -- mem=3G").megabytes, 64 + 64)
        self.assertEqual(self.parse("--vm", f"a {kernel} mem=soup").megabytes, 64 + 64)
        self.assertEqual(self.parse("--vm", f"a {kernel}", "--append", "trace-buffer=16M", "--cpus", "2").megabytes, 64 + 64 + 32)

    def test_memory_holds_the_files_too(self):
        """Each module's for itself, by pages: four Debians of 16 MiB are as much as the hypervisor's own share."""
        kernel = self.path("k", "x" * (3 << 20))
        text = self.path("t", "x")
        self.assertEqual(self.parse("--vm", f"a {kernel}", "--vm", f"b {kernel}").megabytes, 2 * 64 + 2 * 3 + 64)
        self.assertEqual(self.parse("--vm", f"a {kernel} module={text}").megabytes, 64 + 3 + 1 + 64)

    def test_raw_module(self):
        kernel = self.path("k")
        self.assertEqual(self.parse("--module", f"{kernel} mem=1M x").modules[0].words, ["mem=1M", "x"])

    def test_unusable(self):
        kernel = self.path("k")
        for argv in ([], ["--vm", "a"], ["--vm", ""], ["--vm", "a /nonexistent"], ["--vm", f"a {kernel} initrd=/none"],
                     ["--vm", f"a {kernel} -- it's"], ["--nonsense"], ["--on", "vmware"], ["--cpus", "0", "--empty"],
                     ["--cpus", "two"], ["--timeout", "0", "--empty"], ["--timeout", "nan", "--empty"],
                     ["--memory", "much", "--empty"], ["--memory", "0", "--empty"], ["--memory", "3M", "--empty"], ["--append", 'a="b"', "--empty"],
                     ["--module", ""], ["--kernel", "/none", "--empty"]):
            with self.assertRaises(arguments.Unusable, msg=argv) as caught:
                self.parse(*argv)
            self.assertNotIn("\n", str(caught.exception))

    def test_command_says_it_in_one_line(self):
        for argv in (["--vm", "a"], ["--vm", "a /nonexistent"], ["--nonsense"], ["--on", "bochs", "--plugin", "x.so", "--empty"]):
            done = subprocess.run([os.path.join(ROOT, "tools/run"), *argv], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), argv)

    def test_an_image_is_made_and_not_run(self):
        hello, iso = os.path.join(ROOT, "build/guests/hello.elf"), os.path.join(self.directory, "i.iso")
        if not os.path.exists(hello) or not shutil.which("grub-mkrescue"):
            self.skipTest("no guests, or no grub-mkrescue")
        done = subprocess.run([os.path.join(ROOT, "tools/run"), "--image", iso, "--no-run", "--vm", f"h {hello}"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertGreater(os.path.getsize(iso), 1 << 20)


class Emulators(Folder):
    def test_qemu_doubles_commas_and_links_files(self):
        path, other = self.path("odd, name/vm linuz,1"), self.path("vm linuz,1")
        text = qemu.initrd_argument([arguments.Module(path, ["vm=a", "--", "console=ttyS0,115200"]),
                                     arguments.Module(path, ["vm=a", "initrd"]), arguments.Module(other, ["vm=b"])],
                                    self.directory)
        self.assertEqual(text, "vm_linuz_1 vm=a -- console=ttyS0,,115200,vm_linuz_1 vm=a initrd,vm_linuz_1-2 vm=b")
        for link, file in (("vm_linuz_1", path), ("vm_linuz_1-2", other)):
            self.assertEqual(os.path.realpath(os.path.join(self.directory, link)), os.path.realpath(file))

    def test_plugin_paths_stay_the_callers(self):
        here = os.getcwd()
        self.assertEqual(qemu.absolute("b/count.so,out=b/x.counts,host=0x1-0x2,guest=/g"),
                         f"{here}/b/count.so,out={here}/b/x.counts,host=0x1-0x2,guest=/g")

    def test_qemu_runs_in_its_own_directory(self):
        """No temporary name reaches a guest: two runs are the same to the byte."""
        kernel, image = self.path("escapement.elf"), self.path("k")
        old = os.getcwd()
        self.addCleanup(os.chdir, old)
        os.chdir(self.directory)
        args = arguments.parse(["--vm", "a k"], "escapement.elf")
        line = qemu.command(args, self.path("run/x").removesuffix("x"), False)
        self.assertEqual(os.path.realpath(line[line.index("-kernel") + 1]), os.path.realpath(kernel))
        self.assertEqual(line[line.index("-initrd") + 1], "k vm=a")
        self.assertEqual(os.path.realpath(self.directory + "/run/k"), os.path.realpath(image))

    def grub_config(self, menu, *argv):
        args = arguments.parse(list(argv), self.path("escapement.elf"))
        return image.grub_config(args, image.file_names(m.path for m in args.modules), menu)

    def test_grub_config(self):
        self.assertEqual(self.grub_config(False, "--append", "slice=1ms boost=off", "--vm", f"a {self.path('k')} -- x;y $z"),
                         "multiboot2 /escapement.elf 'slice=1ms' 'boost=off'\nmodule2 /k 'vm=a' '--' 'x;y' '$z'\nboot\n")

    def test_grub_menu(self):
        """One entry for all VMs, one for each alone, and ways out; screen and serial line both."""
        text = self.grub_config(True, "--vm", f"a {self.path('k')} initrd={self.path('i')}", "--vm", f"b {self.path('k')}")
        titles = [line.split('"')[1] for line in text.splitlines() if line.startswith("menuentry")]
        self.assertEqual(titles, ["Escapement: a, b", "Escapement: a alone", "Escapement: b alone", "Restart the machine",
                                  "Switch the machine off"])
        self.assertIn("terminal_output console serial\n", text)
        alone = text.split("menuentry")[2]
        self.assertIn("module2 /k 'vm=a'\n", alone)
        self.assertIn("module2 /i 'vm=a' 'initrd'\n", alone)
        self.assertNotIn("vm=b", alone)
        self.assertEqual(self.grub_config(True, "--empty").count("Escapement: no VM"), 1)

    def test_names_on_the_medium(self):
        paths = [self.path(n) for n in ("a/k", "b/k", "c/Odd näme,$", "d/escapement.elf", "e/boot")]
        names = image.file_names([*paths, paths[0]])
        self.assertEqual([names[os.path.realpath(p)] for p in paths],
                         ["k", "k-2", "Odd_n_me__", "escapement.elf-2", "boot-2"])

    def chosen(self, *argv, on="qemu"):
        args = arguments.parse(["--empty", "--on", on, *argv], self.path("escapement.elf"))
        tools_run["choose_boot"](args)
        return args.boot

    def test_ways_to_boot(self):
        self.assertEqual(self.chosen(), "kernel")
        self.assertEqual(self.chosen(on="bochs"), "cd")
        self.assertEqual(self.chosen("--firmware", "uefi"), "cd")
        self.assertEqual(self.chosen("--firmware", "uefi", "--boot", "disk"), "disk")
        self.assertEqual(self.chosen("--image", "x.iso"), "cd")
        for argv, on in ((["--boot", "kernel", "--firmware", "uefi"], "qemu"), (["--boot", "kernel", "--image", "x"], "qemu"),
                         (["--boot", "disk"], "bochs"), (["--firmware", "uefi"], "bochs"), (["--no-run"], "qemu")):
            with self.assertRaises(arguments.Unusable, msg=argv):
                self.chosen(*argv, on=on)

    def test_elf64_for_qemu(self):
        """QEMU refuses it itself; here the line says what to give (issue: bad input)."""
        kernel = self.path("k64")
        with open(kernel, "wb") as file:
            file.write(b"\x7fELF\x02\x01\x01")
        with self.assertRaisesRegex(arguments.Unusable, "ELF64.*escapement.elf"):
            self.chosen("--kernel", kernel)
        self.assertEqual(self.chosen("--kernel", kernel, "--boot", "cd"), "cd")

    def test_qemu_boots_images(self):
        args = arguments.parse(["--empty", "--firmware", "uefi", "--boot", "disk"], self.path("escapement.elf"))
        line = " ".join(qemu.command(args, self.directory, False, "/x,y.iso"))
        self.assertNotIn("-kernel", line)
        self.assertIn("media=disk,file=/x,,y.iso", line)
        self.assertIn("ide-hd", line)
        self.assertIn("-bios " + qemu.OVMF, line)

    def test_bochsrc_fills_in(self):
        args = arguments.parse(["--empty", "--cpus", "2"], self.path("escapement.elf"))
        args.cpu = None
        port = process.Tail("serial.txt")
        with open(bochs.write_config(args, self.directory, "x.iso", ROOT + "/boot/bochsrc.in", port), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("com1: enabled=1, mode=file, dev=serial.txt", text)
        self.assertIn("model=broadwell_ult, count=2, ips=100000000", text)
        self.assertIn("guest=64, host=64", text)

    def follow(self, script, timeout=10, tail=False):
        """(status, output) of a shell script in the place of an emulator."""
        serial, copy = os.path.join(self.directory, "serial"), os.path.join(self.directory, "copy")
        output = process.Output(copy)
        out = None if tail else subprocess.PIPE
        child = subprocess.Popen(["sh", "-c", script.replace("SERIAL", serial)], stdout=out)
        source = process.Tail(serial) if tail else process.Pipe(child.stdout)
        real = sys.stdout
        sys.stdout = io.TextIOWrapper(io.BytesIO())
        try:
            status = process.follow(child, source, output, timeout)
        finally:
            seen = sys.stdout.buffer.getvalue()
            sys.stdout = real
            if child.stdout:
                child.stdout.close()
        output.close()
        self.assertEqual(seen, runner.read(copy))
        return status, output

    def test_pipe_and_tail(self):
        for tail, to in ((False, ""), (True, ">> SERIAL")):
            status, output = self.follow(f"echo one {to}; sleep 0.2; echo '{VERDICT}' {to}; exit 33", tail=tail)
            self.assertEqual((status, output.verdict), (33, (1, 0)))

    def test_time_out_kills(self):
        start = time.monotonic()
        status, output = self.follow("trap '' TERM; echo begun; while :; do sleep 0.1; done", timeout=0.3)
        self.assertIsNone(status)
        self.assertLess(time.monotonic() - start, 8)
        self.assertIsNone(output.verdict)

    def judged(self, lines, ok, failed):
        output = process.Output(None)
        for line in lines:
            output._line(line)
        with contextlib.redirect_stderr(io.StringIO()):
            return process.judge(output, ok, failed, "test")

    def test_verdicts(self):
        good, bad = VERDICT.encode(), b"escapement: all VMs ended, 1 ok, 2 failed"
        self.assertEqual(self.judged([good], True, False), process.OK)
        self.assertEqual(self.judged([bad + b"\r"], False, True), process.FAILED)
        self.assertEqual(self.judged([bad], True, False), process.NO_VERDICT)
        self.assertEqual(self.judged([good], False, False), process.NO_VERDICT)
        self.assertEqual(self.judged([], True, True), process.NO_VERDICT)
        self.assertEqual(self.judged([b"a| " + good], True, True), process.NO_VERDICT)
        self.assertEqual(self.judged([b"escapement: panic: x", good], True, True), process.NO_VERDICT)
        self.assertEqual(self.judged([b"escapement: all VMs ended, 0 ok, 0 failed"], False, True), process.FAILED)


if __name__ == "__main__":
    unittest.main()
