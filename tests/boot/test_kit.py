#!/usr/bin/env python3
"""Tests of tools/run's boot-test kit: scripts, FILE.vms, cases, reports. No emulator."""
import contextlib
import io
import os
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tools")]
sys.dont_write_bytecode = True

from launch import aftermath, arguments, attendant, grubentry, keyboard, process, report, script, settings, suite, trace, vmsfile  # noqa: E402
from launch.unusable import Unusable  # noqa: E402
import person  # noqa: E402


class Keys:
    """In the place of the machine's input, and of the machine."""

    def __init__(self):
        self.sent = b""
        self.terminated = False

    def send(self, data):
        self.sent += data

    def terminate(self):
        self.terminated = True


def follow(steps, pieces, fail_on=(), stop=False):
    """A script that has seen these pieces; its keys."""
    keys = Keys()
    one = script.Script([script.Step(*s) for s in steps], fail_on, stop)
    one.start(keys, keys)
    for piece in pieces:
        one.feed(piece)
    return one, keys


class Scripts(unittest.TestCase):
    def test_in_order(self):
        steps = [("expect", "login:"), ("send", "root\n"), ("expect", "# "), ("send", "halt\n")]
        one, keys = follow(steps, [b"boot log", b"in: lo", b"gin:"])
        self.assertEqual((keys.sent, one.waiting_for()), (b"root\n", "# "))
        one.feed(b"\r\n# login: # ")
        self.assertEqual((keys.sent, one.complaint()), (b"root\nhalt\n", None))

    def test_what_came_before_does_not_count(self):
        one, _ = follow([("expect", "b"), ("expect", "a")], [b"a b"])
        self.assertEqual(one.complaint(), "never seen: a")
        one, _ = follow([("expect", "ab"), ("expect", "ba")], [b"aba"])
        self.assertEqual(one.complaint(), "never seen: ba")

    def test_byte_by_byte(self):
        text = b"xx one yy two zz"
        one, _ = follow([("expect", "one"), ("expect", "two")], [text[i:i + 1] for i in range(len(text))])
        self.assertTrue(one.finished)

    def test_fail_on_across_pieces(self):
        one, keys = follow([("expect", "done")], [b"kernel pa", b"nic: x", b"done"], ["panic"])
        self.assertEqual((one.complaint(), keys.terminated), ("seen: panic", True))
        one, keys = follow([("expect", "done")], [b"pa", b"xnic", b"done"], ["panic"])
        self.assertEqual((one.complaint(), keys.terminated), (None, False))

    def test_sends_first_and_carriage_returns(self):
        _, keys = follow([("send", "a\x01m")], [])
        self.assertEqual(keys.sent, b"a\x01m")
        self.assertTrue(follow([("expect", "a\nb")], [b"a\r\nb"])[0].finished)

    def test_stop(self):
        one, keys = follow([("expect", "x")], [b"ax"], stop=True)
        self.assertTrue(one.stopped and keys.terminated)
        output = process.Output(None)
        output.script = one
        self.assertEqual(process.judge(output, False, False, "test"), process.OK)
        self.assertFalse(follow([("expect", "x")], [b"a"], stop=True)[1].terminated)

    def test_escapes(self):
        self.assertEqual(script.unescape(r"a\r\n\x41\\n\e[m\q"), "a\r\nA\\n\x1b[m\\q")

    def test_shown(self):
        self.assertEqual(script.shown("\u00fc \x1b\n\\"), r"\u00fc \x1b\n\\".replace(r"\u00fc", "\u00fc"))
        self.assertEqual(script.shown("x" * 61), "x" * 60 + "...")

    def test_verdict_in_its_light(self):
        def concluded(status, seen):
            one, _ = follow([("expect", "x")], [seen])
            with contextlib.redirect_stderr(io.StringIO()) as said:
                return attendant.Attendant(script=one).conclude(status), said.getvalue()

        self.assertEqual(concluded(0, b"x"), (0, ""))
        self.assertEqual(concluded(0, b"y"), (1, "tools/run: never seen: x\n"))
        self.assertEqual(concluded(124, b"y")[0], 124)
        self.assertEqual(concluded(1, b"x")[0], 1)


class Aftermaths(unittest.TestCase):
    """What becomes of a run's trace."""
    MONITOR = b"\x01a\x01m\x15"
    LINES = [b"trace: begin 1 hz=1000 rings=0", b"trace: end blocks=0"]

    def start(self, steps=(), fail_on=(), words=b"", always=False, stop=False):
        """(the output of a machine that starts so, its keys)."""
        keys = Keys()
        output = process.Output(None, trace.Filter())
        output.echo = False
        output.script = script.Script([script.Step(*s) for s in steps], fail_on, stop)
        output.aftermath = aftermath.Aftermath("none", output.trace, output.script, always)
        output.aftermath.start(keys, keys)
        output.script.start(keys, keys, output.aftermath)
        output.write(b"escapement: hello\n" + words)
        return output, keys

    def dump(self, output):
        for line in self.LINES:
            output.write(b"escapement: " + line + b" %08x\n" % zlib.crc32(line.removeprefix(b"trace: ")))

    def test_a_run_that_passes_leaves_at_once(self):
        output, keys = self.start([("expect", "hello")], words=b"escapement: all VMs ended, 2 ok, 0 failed\nescapement: halted\n")
        self.assertEqual((keys.sent, keys.terminated), (self.MONITOR + b"quit\r", False))
        output.write(b"escapement: nothing left to run\n(escapement) quit\n")
        self.assertEqual(bytes(output.kept), b"escapement: hello\nescapement: all VMs ended, 2 ok, 0 failed\n")
        self.assertEqual((output.verdict, output.aftermath.asked), ((2, 0), False))

    def test_a_vm_that_failed_or_a_text_that_was_not_seen(self):
        for steps, ok in (([], 0), ([("expect", "never")], 1)):
            output, keys = self.start(steps, words=b"escapement: all VMs ended, %d ok, %d failed\n" % (ok, 1 - ok))
            self.assertEqual(keys.sent, self.MONITOR + b"trace dump\r")
            self.dump(output)
            self.assertEqual(keys.sent, self.MONITOR + b"trace dump\rquit\r")
            self.assertEqual((keys.terminated, output.panic), (False, False))

    def test_what_must_not_be_seen(self):
        output, keys = self.start([("expect", "x")], ["PANIC"], b"oh, PANIC!\n")
        self.assertEqual((keys.sent, keys.terminated), (self.MONITOR + b"trace dump\r", False))
        output.write(b"x\n")
        self.dump(output)
        self.assertEqual((keys.terminated, output.script.complaint()), (True, "seen: PANIC"))

    def test_a_trace_that_is_always_wanted(self):
        """--trace: at its end the machine brings it out itself; where the run is stopped before, it is asked."""
        output, keys = self.start(words=b"escapement: all VMs ended, 0 ok, 1 failed\n", always=True)
        self.assertEqual((keys.sent, keys.terminated), (b"", False))
        output, keys = self.start([("expect", "hello")], always=True, stop=True)
        self.assertEqual((keys.sent, keys.terminated), (self.MONITOR + b"trace dump\r", False))
        self.dump(output)
        self.assertTrue(keys.terminated)
        self.assertEqual(process.judge(output, False, False, "test"), process.OK)

    def test_past_its_time_out(self):
        shell = "cat >/dev/null & echo waiting; sleep 1.2; " + "; ".join(
            f"echo escapement: {line.decode()} {zlib.crc32(line.removeprefix(b'trace: ')):08x}" for line in self.LINES) + "; sleep 20"
        with subprocess.Popen(["/bin/sh", "-c", shell], stdout=subprocess.PIPE, stdin=subprocess.PIPE) as child:
            output, keys = self.start()
            output.aftermath.child = child
            start = time.monotonic()
            self.assertIsNone(process.follow(child, process.Pipe(child.stdout), output, 0.5))
        self.assertEqual(keys.sent, self.MONITOR + b"trace dump\r")
        self.assertTrue(1 < time.monotonic() - start < 10)
        self.assertEqual(bytes(output.kept), b"escapement: hello\nwaiting\n")

    def test_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace")
            with open(path, "wb"):
                pass
            output, _ = self.start(words=b"escapement: all VMs ended, 1 ok, 0 failed\n")
            output.aftermath.path = path
            output.aftermath.conclude(process.OK)
            self.assertEqual(os.listdir(folder), [])    # no empty one is left
            output, _ = self.start(words=b"escapement: all VMs ended, 0 ok, 1 failed\n")
            output.aftermath.path = path
            self.dump(output)
            output.aftermath.conclude(process.FAILED)
            self.assertGreater(os.path.getsize(path), 0)
            os.remove(path)
            output, _ = self.start([("expect", "hello")], always=True, stop=True)
            output.aftermath.path = path
            self.dump(output)
            output.aftermath.conclude(process.OK)
            self.assertGreater(os.path.getsize(path), 0)

    def test_its_settings(self):
        args = ["--empty", "--kernel", __file__, "--trace-failed", "x"]
        self.assertEqual(arguments.parse(args, None).append, "on-empty=halt")
        self.assertEqual(arguments.parse([*args, "--append", "slice=1ms on-empty=end"], None).append, "slice=1ms on-empty=end")
        self.assertRaises(Unusable, arguments.parse, [*args, "--trace", "y"], None)
        args = ["--empty", "--kernel", __file__, "--trace", "x"]
        self.assertEqual(arguments.parse(args, None).append, "trace=dump")
        self.assertEqual(arguments.parse([*args, "--append", "trace=dump slice=1ms"], None).append, "trace=dump slice=1ms")
        self.assertRaises(Unusable, arguments.parse, [*args, "--append", "trace=on"], None)


class Folder(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name, text="", mode=0o644):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def wrong(self, function, text, message):
        """`function` of a file of this text is unusable; the message has its line."""
        path = self.path("f.vms", text)
        with self.assertRaises(Unusable) as caught:
            function(path)
        self.assertIn(message.replace("FILE", path), str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))


class VmsFiles(Folder):
    def test_the_same_as_the_command_line(self):
        kernel, initrd = self.path("k"), self.path("i")
        self.path("escapement.elf")
        path = self.path("two.vms", "# two\nappend slice=5ms boost=off\ntimeout 7\n\n[alpha]\nk mem=32M  # comment\n"
                                    " maxrate=3\ninitrd=i\n-- console=ttyS0,115200 mem=x\nquiet\n[b-2]\nk\n")
        args = arguments.parse([path, "--timeout", "9"], self.directory + "/escapement.elf")
        same = arguments.parse(["--append", "slice=5ms boost=off", "--vm",
                                f"alpha {kernel} mem=32M maxrate=3 initrd={initrd} -- console=ttyS0,115200 mem=x quiet",
                                "--vm", f"b-2 {kernel}"], self.directory + "/escapement.elf")
        self.assertEqual((args.modules, args.append, args.megabytes), (same.modules, same.append, same.megabytes))
        self.assertEqual(args.timeout, 9)  # the command line overrules

    def test_the_kernels_own_table(self):
        table = settings.known(settings.VM)
        self.assertEqual(table["mem="], "mem= takes a size from 2M to 1024G, a multiple of 4K")
        self.assertIn("on-reset=", table)
        self.assertNotIn("slice=", table)
        self.assertIn("slice=", settings.known(settings.GLOBAL))
        self.assertNotIn("mem=", settings.known(settings.GLOBAL))

    def test_values(self):
        tables = {**settings.known(settings.VM), **settings.known(settings.GLOBAL)}
        for word in ("mem=2M", "mem=8g", "mem=4194304", "cpus=8", "k1=0", "k1=3us", "leap=off", "hyst=5c", "slice=100us",
                     "poll=off", "poll=1ms", "catchup=7/2", "rtc=5", "missed=pit:skip", "monitor=each"):
            name, _, value = word.partition("=")
            self.assertTrue(settings.fits(tables[name + "="], value), word)
        for word in ("mem=1M", "mem=4194305", "mem=-5", "mem=٣G", "cpus=0", "cpus=9", "k1=5", "k1=off", "leap=soon",
                     "hyst=", "slice=11s", "poll=1us", "monitor=all", "time=Fast"):
            name, _, value = word.partition("=")
            self.assertFalse(settings.fits(tables[name + "="], value), word)

    def test_wrong_lines(self):
        self.path("k")
        for text, message in (
                ("[a]\nk\nmemm=3M\n", "FILE:3: unknown setting 'memm=3M' (did you mean mem=?)"),
                ("[a]\nk\n[b]\nnone\n", "FILE:4: no such file: "),
                ("[a]\nk initrd=none\n", "FILE:2: no such file: "),
                ("[a]\nk\n\n[a]\nk\n", "FILE:4: a second [a]; the first is in line 1"),
                ("[a b]\nk\n", "FILE:1: no name of a VM: [a b]"),
                ("[a]\n[b]\nk\n", "FILE:1: [a] has no image"),
                ("[a]\n-- words\n", "FILE:2: [a] has no image before '--'"),
                ("[a]\nk mem=2M mem=3M\n", "FILE:2: mem= is given twice"),
                ("[a]\nk mem=\n", "FILE:2: 'mem=' has no value"),
                ("[a]\nk\nmem=1M\n", "FILE:3: wrong value in 'mem=1M' (mem= takes a size from 2M to 1024G, a multiple of 4K)"),
                ("[a]\nk vm=b\n", "FILE:2: unknown setting 'vm=b'"),
                ("[a]\nk initrd\n", "FILE:2: unknown setting 'initrd'"),
                ("[a]\nk initrd=\n", "FILE:2: no file is named"),
                ("[a]\nk\n-- it's\n", "FILE:3: quotes and backslashes cannot be passed on: it's"),
                ("append slice=1h\n[a]\nk\n", "FILE:1: wrong value in 'slice=1h' (slice= takes a time"),
                ("append slyce=1ms\n[a]\nk\n", "FILE:1: unknown setting 'slyce=1ms' (did you mean slice=?)"),
                ("apend x\n[a]\nk\n", "FILE:1: unknown option 'apend' (did you mean append?)"),
                ("append\n[a]\nk\n", "FILE:1: append has no value"),
                ("stop now\n[a]\nk\n", "FILE:1: stop takes no value"),
                ("# nothing\n", "FILE: no VM")):
            self.wrong(vmsfile.arguments, text, message)

    def test_options_values_have_their_line(self):
        self.path("k")
        for text, message in (("timeout soon\n[a]\nk\n", "FILE:1: argument --timeout: a number of seconds, more than 0: soon"),
                              ("\non vmware\n[a]\nk\n", "FILE:2: argument --on: invalid choice: 'vmware'"),
                              ("cpus 65\n[a]\nk\n", "FILE:1: argument --cpus: 1 to 64: 65")):
            self.wrong(lambda path: arguments.parse([path], path), text, message)

    def test_blanks_and_marks_of_editors(self):
        self.path("k")
        path = self.path("f.vms", "\ufefftimeout\t7\r\n[a]\r\nk\tmem=8M\r\n")
        self.assertEqual(vmsfile.arguments(path), ["--timeout=7", "--vm", f"a {self.directory}/k mem=8M"])

    def test_no_text(self):
        path = self.path("f.vms")
        with open(path, "wb") as file:
            file.write(b"\xff\xfe\0")
        self.assertRaises(Unusable, vmsfile.arguments, path)
        self.assertRaises(Unusable, vmsfile.arguments, path + ".none")

    def test_grub(self):
        self.path("k")
        self.path("i x")
        self.path("escapement.elf")
        args = arguments.parse(["--append", "slice=1ms", "--vm", f"a {self.directory}/k mem=8M -- a;b console=ttyS0"],
                               self.directory + "/escapement.elf")
        self.assertEqual(grubentry.entry(args), "menuentry 'Escapement: a' {\n    multiboot2 /boot/escapement.elf slice=1ms\n"
                                                "    module2 /boot/k vm=a mem=8M -- 'a;b' console=ttyS0\n}\n")

    def test_grub_names_each_file_once(self):
        os.mkdir(os.path.join(self.directory, "other"))
        kernel, other = self.path("k"), self.path("other/k")
        self.path("escapement.elf")
        args = arguments.parse(["--vm", f"a {kernel} -- initrd vm=x", "--vm", f"b {other}", "--vm", f"c {kernel}"],
                               self.directory + "/escapement.elf")
        self.assertEqual(grubentry.entry(args),
                         f"# {other} is /boot/k-2 here\nmenuentry 'Escapement: a, b, c' {{\n    multiboot2 /boot/escapement.elf\n"
                         "    module2 /boot/k vm=a -- initrd vm=x\n    module2 /boot/k-2 vm=b\n    module2 /boot/k vm=c\n}\n")


class Suites(Folder):
    CASES = ("timeout 60\n[good]\nvm t k mem=64M -- a\nexpect all passed\nfail-on PANIC\n\n"
             "[two]\nstatus 1\nstop\n[slow]\nvm x\n[broken]\nvm y\n")
    # In the place of tools/run: what it was given, then a status by the case.
    FAKE = ("import sys\nopen(sys.argv[1].removeprefix('--trace-failed='), 'w').write('a trace')\nprint('args', sys.argv[1:])\nprint('\\x1b[2Jodd\\x00', sys.argv[-1])\n"
            "last = sys.argv[-1]\nprint('tools/run: because', file=sys.stderr)\n"
            "sys.exit({'--fail-on=PANIC': 0, '--stop': 1, '--vm=x': 124, '--vm=y': 2}[last])\n")

    def test_reading(self):
        cases = suite.read(self.path("c", self.CASES))
        self.assertEqual([(c.name, c.expected) for c in cases], [("good", 0), ("two", 1), ("slow", 0), ("broken", 0)])
        self.assertEqual(cases[0].arguments, ["--timeout=60", "--vm=t k mem=64M -- a", "--expect=all passed",
                                              "--fail-on=PANIC"])
        self.assertEqual(cases[1].arguments, ["--timeout=60", "--stop"])

    def test_wrong_lines(self):
        for text, message in (("[a]\nexpct x\n", "FILE:2: unknown option 'expct' (did you mean expect?)"),
                              ("[a]\nexpect\n", "FILE:2: expect has no value"),
                              ("[a]\nstatus bad\n", "FILE:2: status is a number"),
                              ("[a]\n[a]\n", "FILE:2: a second [a]"), ("[a/b]\n", "FILE:1: no name of a case"),
                              ("[a]\njunit x\n", "FILE:2: unknown option 'junit'"), ("", "FILE: no case")):
            self.wrong(suite.read, text, message)

    def run_suite(self, *more):
        cases = self.path("c.cases", self.CASES)
        keep = os.path.join(self.directory, "failed")
        args = arguments.parse(["--cases", cases, "--keep", keep, *more], "none")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            status = suite.run(args, self.path("fake", self.FAKE, stat.S_IRWXU))
        return status, said.getvalue(), keep

    def test_results(self):
        status, said, keep = self.run_suite()
        self.assertEqual(status, process.UNUSABLE)  # one of them is no test at all
        self.assertRegex(said, r"(?s)PASS  good .*PASS  two .*FAIL  slow .*: because \(log: .*slow\.log, trace: .*slow\.trace\)\nERROR broken .*"
                               r"2 passed, 2 failed\n$")
        self.assertEqual(sorted(os.listdir(keep)), ["broken.log", "broken.trace", "slow.log", "slow.trace"])
        with open(os.path.join(keep, "slow.trace"), encoding="ascii") as file:
            self.assertEqual(file.read(), "a trace")
        self.assertEqual(self.run_suite("--only", "^slow")[0], process.FAILED)
        self.assertEqual(self.run_suite("--only", "good|two")[0], process.OK)
        with self.assertRaisesRegex(Unusable, "--only nothing: no case of .* has such a name"):
            self.run_suite("--only", "nothing")

    def test_tap(self):
        lines = self.run_suite("--tap")[1].splitlines()
        self.assertEqual(lines[:4], ["TAP version 13", "1..4", "ok 1 - good", "ok 2 - two"])
        self.assertIn("not ok 3 - slow", lines)
        self.assertIn('  message: "because"', lines)

    def test_junit(self):
        path = os.path.join(self.directory, "out/j.xml")
        self.run_suite("--junit", path)
        top = ElementTree.parse(path).getroot()[0]
        self.assertEqual([top.get(k) for k in ("name", "tests", "failures", "errors")], ["c.cases", "4", "1", "1"])
        slow = top[2]
        self.assertEqual((slow.get("name"), slow.find("failure").get("message")), ("slow", "because"))
        self.assertIn("odd", slow.find("system-out").text)
        self.assertIsNone(top[0].find("failure"))
        self.assertEqual(top[3].find("error").get("message"), "because")

    def test_a_pass_that_was_not_to_be(self):
        result = report.Result("x", 0, 1, 0.0)
        self.assertFalse(result.passed)
        self.assertEqual(result.why(), "ended with 0, not 1")

    def test_which_vm_failed(self):
        serial = "escapement: vm a ended exit 3\r\nescapement: vm b ended poweroff\nescapement: vm c ended crash triple fault\nx"
        self.assertEqual(report.Result("x", 1, 0, 0.0, serial=serial).why(), "vm a ended exit 3, vm c ended crash triple fault")
        self.assertEqual(report.Result("x", 1, 0, 0.0, "never seen: y", serial).why(), "never seen: y")
        self.assertEqual(report.Result("x", 124, 0, 0.0, serial=serial).why(), "past the time-out")


class Ports(unittest.TestCase):
    def test_keyboard(self):
        read, write = os.pipe()
        keys = keyboard.Keyboard(write)
        keys.send(b"one")
        keys.send(b"two" * 100000)  # more than a pipe holds: the sender does not wait
        got = b""
        while len(got) < 300003:
            got += os.read(read, 65536)
        self.assertEqual(got, b"one" + b"two" * 100000)
        os.close(read)
        os.close(write)

    def test_terminal_both_ways(self):
        port = process.Terminal()
        far = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        os.write(far, b"a\r\nb\x00\x03")
        self.assertEqual(port.read(), b"a\r\nb\x00\x03")
        os.write(port.descriptor, b"\x01\x03\r")
        self.assertEqual(os.read(far, 10), b"\x01\x03\r")
        for descriptor in (far, port.far, port.descriptor):
            os.close(descriptor)

    def test_who_is_there(self):
        args = arguments.parse(["--interactive", "--empty", "--kernel", __file__], None)
        self.assertTrue(args.attendant.interactive and args.attendant.types)
        self.assertEqual(args.timeout, float("inf"))
        args = arguments.parse(["--expect", "x", "--send", "y", "--empty", "--kernel", __file__], None)
        self.assertEqual([(s.kind, s.text) for s in args.attendant.script.steps], [("expect", "x"), ("send", "y")])
        self.assertEqual((args.attendant.interactive, args.timeout), (False, 120))


class Persons(Folder):
    def drive(self, shell, scene, timeout=10):
        log = os.path.join(self.directory, "log")
        return person.drive(["/bin/sh", "-c", shell], scene, log, timeout)

    def test_types_and_sees(self):
        def scene(p):
            p.expect("name")
            p.type("you\n")
            self.assertEqual(p.expect("hello (.*)")[1], "you")

        self.assertEqual(self.drive("echo name; read n; echo hello $n; exit 3", scene), (3, None))

    def test_complains(self):
        start = time.monotonic()
        self.assertEqual(self.drive("echo x; sleep 20", lambda p: p.expect("y"), 0.5), (None, "the time is up, without /y/"))
        self.assertEqual(self.drive("echo x", lambda p: p.expect("y")), (None, "the run has ended without /y/"))
        status, complaint = self.drive("sleep 20", lambda p: self.fail(""))
        self.assertEqual((status, complaint is not None), (None, True))
        self.assertLess(time.monotonic() - start, 8)


class Command(Folder):
    def test_says_it_in_one_line(self):
        for argv in ([self.path("x.vms", "[a]\nnone\n")], ["--cases", self.path("c", "[a]\nexpct x\n")],
                     ["--cases", "c", "--only", "("], ["--only", "x", "--empty"], ["--expect", "", "--empty"],
                     ["--fail-on", "", "--empty"], ["--stop", "--empty"], ["--send", "x", "--stop", "--empty"],
                     ["--vm", f"a {self.directory}"], ["--empty", "--junit", "/proc/no/j.xml"]):
            done = subprocess.run([os.path.join(ROOT, "tools/run"), *argv], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), argv)


if __name__ == "__main__":
    unittest.main()
