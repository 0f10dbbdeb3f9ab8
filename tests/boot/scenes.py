"""What a person does at the console, as tests (issue 5, "What must be seen" and "Bad input")."""
import os
import random
import re
import time
import zlib

PROMPT = r"^(?:/|~) # "
MONITOR = r"\(escapement\) "
ESCAPE = "\x01"


def monitor(person, command=None):
    """Into the monitor, and one command there; what it answers."""
    person.type(ESCAPE + "m")
    person.expect(MONITOR)
    return ask(person, command) if command else ""


def ask(person, command):
    """One command in the open monitor; what it answers."""
    person.type(command + "\r")
    return person.expect(r"(?s)" + re.escape(command) + r"\n(.*?)" + MONITOR)[1]


def terminal(person, number, name):
    """A guest's terminal, at its prompt."""
    person.type(f"{ESCAPE}{number}")
    person.expect(f"terminal of {name}")
    person.type("\r")
    person.expect(PROMPT)


def shell(person, command):
    """One command in a guest's shell; what it prints."""
    person.type(command + "\r")
    return person.expect(r"(?s)" + re.escape(command) + r"\n(.*?)" + PROMPT[1:])[1]


# ---- two Debian guests

LEDGER = re.compile(r"RT (\S+) s = run (\S+) \+ leapt (\S+) \+ lag (\S+) ms \+ paused (\S+); .* it balances")


def ledger(person, name):
    """{rt, run, leapt, lag, paused} in seconds, from the open monitor."""
    answer = ask(person, f"time {name}")
    match = LEDGER.search(answer)
    assert match, f"no ledger that balances: {answer}"
    values = dict(zip(("rt", "run", "leapt", "lag", "paused"), map(float, match.groups())))
    values["lag"] /= 1000
    values["at"] = values["run"] + values["leapt"]
    return values


def clocks(person):
    """The guest's own word for the time: seconds since 1970 and since its start, in its terminal."""
    answer = shell(person, "date +%s; cat /proc/uptime").split()
    return int(answer[0]), float(answer[1])


class Line:
    """Holds a guest's clock against AT: its readings are between the AT before and the AT after, all by one offset."""

    def __init__(self):
        self.low, self.high = float("-inf"), float("inf")

    def reading(self, before, value, after, tick):
        self.low = max(self.low, before - value - tick)
        self.high = min(self.high, after - value + tick)
        assert self.low <= self.high, f"the guest's clock has left its apparent time: {value} in [{before}, {after}]"


def read_clocks(person, lines):
    """From and back to the open monitor: alpha's clocks between two looks at its ledger."""
    before = ledger(person, "alpha")
    terminal(person, 1, "alpha")
    date, uptime = clocks(person)
    monitor(person)
    after = ledger(person, "alpha")
    lines["date"].reading(before["at"], date, after["at"], 1.1)
    lines["uptime"].reading(before["at"], uptime, after["at"], 0.05)
    return after


def pause(person, meaning, seconds, lines):
    """alpha is paused so long in real time; (ledger before, ledger while paused, ledger after the resumption)."""
    before = read_clocks(person, lines)
    assert f"alpha is paused ({meaning})" in ask(person, f"pause alpha {meaning}")
    stopped = ledger(person, "alpha")
    during = stopped
    while during["rt"] < stopped["rt"] + seconds:
        during = ledger(person, "alpha")
    assert abs(during["at"] - stopped["at"]) < 1e-6, "its apparent time went on"
    assert "paused " + meaning in ask(person, "vms")
    assert "alpha goes on" in ask(person, "resume alpha")
    return before, during, ledger(person, "alpha")


def caught_up(person):
    """Waits for alpha's lag to be gone."""
    for _ in range(1000):
        now = ledger(person, "alpha")
        if now["lag"] < 0.05:
            return now
    raise AssertionError(f"the lag does not go: {now}")


def freeze(person, lines):
    before, _, _ = pause(person, "freeze", 5, lines)
    after = caught_up(person)
    assert after["paused"] - before["paused"] >= 5, f"the pause is not in the ledger: {before}, {after}"
    assert after["leapt"] == before["leapt"], "it leapt over a pause that was none of its time"
    read_clocks(person, lines)


def catch_up(person, lines):
    before, _, first = pause(person, "catchup", 5, lines)
    assert first["lag"] > 1 or first["run"] - before["run"] > 4, f"no lag after the pause: {first}"
    after = caught_up(person)
    assert after["leapt"] == before["leapt"], "it leapt instead of catching up"
    assert after["paused"] - before["paused"] < 0.1, "the pause counts as paused"
    assert after["run"] - before["run"] >= 5, f"the pause was not run through: {before}, {after}"
    read_clocks(person, lines)


def leap(person, lines):
    before, during, first = pause(person, "leap", 5, lines)
    assert first["leapt"] - before["leapt"] >= 4.9, f"no leap: {before}, {during}, {first}"
    assert first["paused"] - before["paused"] < 0.1, "the pause counts as paused"
    read_clocks(person, lines)


def log_in(person, number, name, password):
    """Through getty and login: a wrong password first."""
    person.type(f"{ESCAPE}{number}")
    person.expect(f"terminal of {name}")
    person.type("\r")
    for word, answer in (("wrong", "Login incorrect"), (password, PROMPT)):
        person.expect(r"guest login: ")
        person.type("root\r")
        person.expect(r"^Password: ")
        person.type(word + "\r")
        person.expect(answer)


def line_editing(person):
    """In a guest's shell all keys are the shell's, and the guest's terminal driver's."""
    for keys, seen in (
            ("echo wrogn\x7f\x7fng | tr a-z A-Z\r", "WRONG"),                # rub out
            ("echo cd\x1b[D\x1b[Dx\x1b[C-\r", "xc-d"),                       # cursor left and right
            ("\x1b[A\x1b[A\x1b[B\r", "xc-d"),                               # history up and down
            ("cho home\x01\x01e\r", "home"),                               # Ctrl-A for the shell
            ("cat /proc/versi\t | cut -c1-5\r", "Linux"),                   # completion
            ("echo on$((0))e\recho tw$((0))o\rfalse ||\recho on$((0))ly\r", "on0e\n(.*\n)*tw0o\n(.*\n)*on0ly")):  # a paste
        person.type(keys)
        person.expect(rf"^{seen}\n")
        person.expect(PROMPT)
    for command, keys, seen in (("while :; do :; done", "\x03echo st$((1))pped\r", "st1pped"),    # Ctrl-C
                                ("cat | tr a-z A-Z", "of a pipe\r\x04", "OF A PIPE")):           # Ctrl-D
        person.type(f"echo re''ady; {command}\r")
        person.expect("^ready\n")  # what comes earlier, the shell's own editor takes as it is
        person.type(keys)
        person.expect(rf"^{seen}\n")
        person.expect(PROMPT)


def two_debians(person):
    """Log in to one, run commands, switch, retune, pause with each meaning, kill one, quit."""
    for _ in range(2):
        person.expect(r"^(?:alpha\| init: a login|beta\| init: a shell) for you")
    log_in(person, 1, "alpha", "escapement")
    assert shell(person, "uname -s") == "Linux\n"
    line_editing(person)
    assert shell(person, "echo one-of-alpha > /tmp.txt; cat /tmp.txt") == "one-of-alpha\n"
    terminal(person, 2, "beta")
    assert "No such file" in shell(person, "cat /tmp.txt"), "the guests share a file"
    shell(person, "(while sleep 1; do echo tick-of-beta; done) &")
    terminal(person, 1, "alpha")
    assert "tick" not in shell(person, "sleep 3"), "another guest's output is in this one's terminal"
    person.type(ESCAPE + "a")
    for _ in range(3):
        person.expect(r"^beta\| tick-of-beta$")
    monitor(person)
    assert "alpha: from its next event on" in ask(person, "set alpha catchup=8 k1=1ms progress=100us")
    assert "catchup=8 maxrate=8 k1=1ms k2=0 leap=60s progress=100us" in ask(person, "time alpha")
    assert "alpha: from its next event on" in ask(person, "set alpha catchup=adaptive")
    lines = {"date": Line(), "uptime": Line()}
    freeze(person, lines)
    catch_up(person, lines)
    leap(person, lines)
    assert "beta has been killed" in ask(person, "kill beta")
    assert re.search(r"beta +ended killed", ask(person, "vms"))
    person.type("quit\r")
    person.expect(r"^escapement: vm alpha ended killed$")
    person.expect(r"^escapement: all VMs ended, 0 ok, 2 failed$")


# ---- 100 kB at once

def paste(person):
    """All bytes that there are into a guest's terminal; Ctrl-A twice is itself. The guest tells their CRC."""
    count = int(person.expect(r"^reader\| reader: waiting for (\d+) bytes")[1])
    text = random.Random(1).randbytes(count)
    person.type(ESCAPE + "1")
    person.expect("terminal of reader")
    person.type(text.replace(b"\x01", b"\x01\x01"))
    assert person.expect(rf"^reader: {count} bytes, crc ([0-9a-f]{{8}}), 0 errors")[1] == f"{zlib.crc32(text):08x}", \
        "what arrived is not what was pasted"
    person.expect(r"^escapement: all VMs ended, 1 ok, 0 failed$")


# ---- bad input, with our own guests

SANE = r"\x18\x1b\\\x1b\[!p"  # kernel/console.c: what puts the operator's terminal right


def no_controls(person):
    """Nothing in the guests' lines so far is a control character, but for the tabs."""
    for line in re.findall(r"^bad\| (.*)$", person.seen, re.MULTILINE):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line), f"a guest's control characters: {line!r}"


def views(person):
    """What a person does first: looks around, mistypes, opens the monitor, looks at a guest's terminal, which is raw."""
    person.expect(r"^bad\| hostile: all written")
    no_controls(person)
    person.type(ESCAPE + "?")
    person.expect(r"^escapement: guest 1 is clock: your input goes there\nescapement: guest 2 is bad$")
    person.type(ESCAPE + "z")
    person.expect(r"^escapement: Ctrl-A z has no meaning; Ctrl-A \? lists")
    person.type(ESCAPE + "7")
    person.expect(r"^escapement: Ctrl-A 7: no such guest")
    monitor(person)
    assert re.search(r"clock +(running|halted)", ask(person, "vms"))
    assert "no command 'vmss': did you mean vms?" in ask(person, "vmss")
    assert "no VM 'cluck': did you mean clock?" in ask(person, "exits cluck")
    person.type("ex\tcl\t\r")
    person.expect(r"^ *\d+ +all exits of clock")
    person.type(ESCAPE + "n" + ESCAPE + "2")
    person.expect("terminal of bad")
    person.expect(r"\x1b\[\?1049h\x1b\[\?25l")
    person.expect(r"hostile: all written")
    person.expect(SANE)  # here at the guest's end, else when another view is chosen
    person.expect(r"^escapement: vm bad has ended \(exit 0\); 1 goes on$")
    monitor(person, "resume clock")
    person.type("kill clock\r" + ESCAPE + "a")  # what was typed into the monitor is done, though it is left at once
    person.expect(r"^escapement: all VMs ended, 1 ok, 1 failed$")


def bad_input(person):
    """Garbage, a flood, over-long lines, unknown commands and VMs: a clear answer, and the clock guest does not notice."""
    person.expect(r"^clock\| clock: pit=")
    monitor(person)
    assert "no command 'xyzzy'; `help` lists them" in ask(person, "xyzzy")
    assert "usage: pause VM [freeze|catchup|leap]" in ask(person, "pause")
    assert "'frieze' is none of freeze, catchup, leap: did you mean freeze?" in ask(person, "pause clock frieze")
    assert "'dumb' is none of on, full, off, dump: did you mean dump?" in ask(person, "trace dumb")
    assert "unknown setting 'progres=1ms' (did you mean progress=?)" in ask(person, "set clock progres=1ms")
    assert "wrong value in 'k1=5' (k1= takes a time such as 10us)" in ask(person, "set clock catchup=2 k1=5")
    assert "'mem=1G' is for the start of a VM" in ask(person, "set clock mem=1G")
    assert "is not paused" in ask(person, "resume clock")
    person.type("x" * 1000 + "\x15\x1b[999;999R\x1b]0;title\x07\x1bPq\x1b\\")
    assert "screen" in ask(person, "help")
    person.type(bytes(b for b in random.Random(2).randbytes(3000) if b not in (1, 4, 13, 10)) + b"\x18\x03")
    assert re.search(r"clock +(running|halted)", ask(person, "vms"))
    person.type(ESCAPE + "a")
    person.type(b"flood" * 20000)  # for a guest that never reads
    person.expect(r"^clock\| clock: .*lost=0 extra=0 inversions=0 backward=0")
    person.expect(r"^clock\| clock: PASS")
    person.expect(r"^escapement: all VMs ended, 2 ok, 0 failed$")


# ---- the trace, brought out by hand

def trace_by_hand(person):
    """On, in full, off, on; brought out while the guests run; stopped by a key."""
    person.expect(r"^b\| share: second=0")
    monitor(person)
    assert re.search(r"trace: on; .*\n +events +[1-9]\d* records", ask(person, "trace"))
    assert "in full" in ask(person, "trace full")
    ask(person, "vms")
    off = ask(person, "trace off")
    assert re.search(r"trace: off.*\n.*\n +exits +[1-9]\d* records", off), off
    assert ask(person, "trace") == off.replace("trace off", "trace"), "something is recorded though it is off"
    ask(person, "trace on")
    person.type("trace dump\r")
    person.expect("any key stops it")
    person.type("x")
    person.expect(r"^trace dump: stopped after \d+ lines\n.*" + MONITOR)
    person.type("trace dump\r" + ESCAPE + "a")  # goes on in every view
    person.expect(r"^escapement: trace: end blocks=")
    monitor(person)
    person.type("quit\r")
    person.expect(r"^escapement: all VMs ended, 0 ok, 2 failed$")


# ---- a soak: nine VMs, and an operator who pauses, resets, retunes and kills them at random

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "2"))
SOAK_SEED = int(os.environ.get("SOAK_SEED", "1"))
SOAK_IDLE = SOAK_SECONDS >= 900
# The witness is left alone, and so is n1: were all the others paused, an emulator would pass idle time faster than anyone types.
SOAKED = ("c1", "c2", "c3", "l1", "l2", "h1") if SOAK_IDLE else ("c1", "c2", "s1", "w1", "w2", "b1", "p1")
SOAK_KILLS = 5
SOAK_REST = 0.2 if SOAK_IDLE else 0  # seconds of the operator's own: else the machine does little but answer
SOAK_ACTIONS = ("pause {} freeze", "pause {} catchup", "pause {} leap", "resume {}", "resume {}", "resume {}", "reset {}",
                "set {} catchup=4 progress=100us", "set {} catchup=adaptive", "time {}", "queue {}", "regs {}", "exits {}")


def soak(person):
    """For SOAK_SECONDS of the machine's time. Each answer must make sense, and each look at a ledger must balance."""
    dice = random.Random(SOAK_SEED)
    alive, done, killed, said = list(SOAKED), 0, 0, time.time()
    person.expect(r"^witness\| clock: pit=")
    monitor(person)
    while (now := ledger(person, "witness"))["rt"] < SOAK_SECONDS + 0.5:
        assert now["paused"] < 1 and now["leapt"] == 0, f"the witness was not left alone: {now}"
        name = dice.choice(alive)
        answer = ask(person, dice.choice(SOAK_ACTIONS).format(name))
        assert "DOES NOT BALANCE" not in answer and "panic" not in answer, answer
        if now["rt"] * SOAK_KILLS > SOAK_SECONDS * (killed + 1) and len(alive) > 3:
            alive.remove(name)
            killed += 1
            assert f"{name} has been killed" in ask(person, f"kill {name}")
        if SOAK_IDLE and time.time() > said + 60:
            said = time.time()
            print(f"soak: {now['rt']:.0f} of {SOAK_SECONDS:.0f} s, {done} commands, alive: {' '.join(alive)}", flush=True)
        done += 1
        time.sleep(SOAK_REST)
        table = ask(person, "vms")
        alive = [n for n in alive if not re.search(rf"^ *\d+ +{n} +ended", table, re.M)]
    for name in alive:
        ask(person, f"resume {name}")
        assert "it balances" in ask(person, f"time {name}")
    person.type(ESCAPE + "a")
    person.expect(r"^witness\| clock: ticks .*")
    verdict = person.expect(r"^witness\| clock: (PASS|FAIL.*)").group(1)
    monitor(person)
    if verdict != "PASS":  # the log then holds the trace of it, for tools/trace
        person.type("trace dump\r")
        person.expect(r"trace: end blocks=")
    assert verdict == "PASS", f"the witness says {verdict}"
    person.type("quit\r")
    person.expect(r"^escapement: all VMs ended, \d+ ok, \d+ failed$")
