"""What a person does at the console, as tests (issue 5, "What must be seen" and "Bad input")."""
import hashlib
import random
import re

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


def two_debians(person):
    """Log in to one, run commands, switch, retune, pause with each meaning, kill one, quit."""
    for _ in range(2):
        person.expect(r"^(?:alpha|beta)\| init: a shell for you")
    terminal(person, 1, "alpha")
    assert shell(person, "uname -s") == "Linux\n"
    person.type("echo wrogn\x7f\x7fng | tr a-z A-Z\r")  # line editing is the guest's
    person.expect(r"^WRONG$")
    person.expect(PROMPT)
    assert shell(person, "echo one-of-alpha > /tmp.txt; cat /tmp.txt") == "one-of-alpha\n"
    terminal(person, 2, "beta")
    assert "No such file" in shell(person, "cat /tmp.txt"), "the guests share a file"
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
    person.expect(r"^alpha\| init: a shell for you")
    terminal(person, 1, "alpha")
    source = random.Random(1)
    text = bytes(source.choice(b"abcdefghijklmnopqrstuvwxyz0123456789 \n\t\x1b\x80\xff") for _ in range(100000))
    person.type("stty raw -echo; head -c 100000 | md5sum; stty sane\r")
    person.expect("stty sane\n?")
    person.type(text)
    assert person.expect(r"([0-9a-f]{32})  -")[1] == hashlib.md5(text).hexdigest(), "what arrived is not what was pasted"
    person.type("\rpoweroff -f\r")
    person.expect(all_ended := r"^escapement: all VMs ended, 1 ok, 0 failed$")
    assert all_ended


# ---- bad input, with our own guests

def bad_input(person):
    """Garbage, a flood, over-long lines, unknown commands and VMs: a clear answer, and the clock guest does not notice."""
    person.expect(r"^clock\| clock: pit=")
    person.type(ESCAPE + "z")
    person.expect(r"^escapement: Ctrl-A z has no meaning; Ctrl-A \? lists")
    person.type(ESCAPE + "7")
    person.expect(r"^escapement: Ctrl-A 7: no such guest")
    monitor(person)
    assert "no command 'vmss': did you mean vms?" in ask(person, "vmss")
    assert "no command 'xyzzy'; `help` lists them" in ask(person, "xyzzy")
    assert "no VM 'cluck': did you mean clock?" in ask(person, "exits cluck")
    assert "usage: pause VM [freeze|catchup|leap]" in ask(person, "pause")
    assert "'frieze' is none of freeze, catchup, leap: did you mean freeze?" in ask(person, "pause clock frieze")
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
