#!/usr/bin/env python3
"""An independent timesim: DESIGN.md section 2, in exact fractions, read as literally as it can be.

It shares nothing with timers/ or tools/timesim/: it was written from the text, and the fuzz compares the two row by
row. Usage: reference_timesim.py FILE|-   (prints the TSV; it expects a scenario without errors)."""

import sys
from fractions import Fraction
from math import ceil, floor

AT_LIMIT = 1 << 63  # an event from here on is never reached


class Timer:
    def __init__(self, name):
        self.name = name
        self.at = None  # the AT of the next event; None: not in the queue
        self.period = None
        self.rest = []  # one-shots that the guest still has to arm

    def program(self, plan):
        self.period, self.rest = plan["period"], list(plan["at"][1:])
        return plan["at"][0]


class Reference:
    def __init__(self, scenario):
        self.s = scenario
        self.p = scenario["policy"]
        self.rows = []
        self.timers = {name: Timer(name) for name in scenario["timers"]}
        self.queue = []
        # "RT and AT start together at 0"
        self.rt = 0
        self.at_p = self.nrt_p = self.art_p = 0
        self.at_l = self.rt_l = 0
        self.mode = "normal"
        self.c = Fraction(1)
        self.rt_n = None
        self.any_event = False
        self.running_since = None
        self.executed = 0  # before running_since
        self.executed_at_p = 0
        self.decided_head = None
        self.leapt = 0
        self.ticks = {name: {"delivered": 0, "dropped": 0} for name in scenario["timers"]}

    # -- 2.4 and 2.6: the line that AT is on

    def executed_now(self):
        if self.running_since is None:
            return self.executed
        return self.executed + self.rt - self.running_since

    def gate(self):
        """When the VM will have executed M since ART_P, if it keeps running."""
        if not self.any_event:
            return 0
        return self.rt + max(0, self.p["progress"] - (self.executed_now() - self.executed_at_p))

    def gated_rt_n(self):
        return max(self.rt_n, self.gate())

    def present(self):
        return self.at_p + (self.rt - self.nrt_p)

    def lag(self):
        return self.present() - self.at_l

    def at_c(self):
        if self.running_since is None and self.p["gap"] == "smooth":
            return self.at_l
        if not self.queue:
            at = min(self.at_l + self.c * (self.rt - self.rt_l), Fraction(self.present()))
            return max(self.at_l, floor(at))
        at_n, rt_n = self.queue[0].at, self.gated_rt_n()
        if self.rt == self.rt_l:
            return self.at_l
        if self.rt >= rt_n:
            return at_n
        at = self.at_l + Fraction(self.rt - self.rt_l) / (rt_n - self.rt_l) * (at_n - self.at_l)
        return min(max(floor(at), self.at_l), at_n)

    def incident(self):
        self.at_l = self.at_c()
        self.rt_l = self.rt

    # -- 2.3: figure 5C

    def rate(self):
        if self.p["rate"] == "fixed":
            return self.p["C"]
        # 2.8 leaves the formula open; this is the one of timers/rate.c
        return min(self.p["C"], Fraction(16 + floor(Fraction(16 * max(0, self.lag()), 64)) + 1, 16))

    def decide(self, without_event):
        p = self.p
        if not self.queue or self.decided_head is None:
            self.mode = "catchup" if self.lag() > 0 else "normal"
        self.c = self.rate()
        self.decided_head = (self.queue[0], self.queue[0].at) if self.queue else None
        if not self.queue:
            return
        at_n = self.queue[0].at
        nrt_n = self.nrt_p + (at_n - self.at_p)
        fast = self.rt_l + (at_n - self.at_l) / self.c
        if self.mode == "normal":
            if p["hyst"] == "artp":
                behind = self.art_p > self.nrt_p + p["K1"]
            else:
                behind = self.rt > nrt_n + p["K1"]
            if behind or (without_event and self.lag() > p["K1"]):
                self.mode = "catchup"
        if self.mode == "catchup":
            caught_up = {
                "5c": nrt_n - p["K2"] >= fast,
                "rtc": self.rt <= nrt_n - p["K2"],
                "artp": self.art_p <= self.nrt_p - p["K2"],
            }[p["hyst"]]
            if caught_up:
                self.mode = "normal"
        self.rt_n = Fraction(nrt_n) if self.mode == "normal" else fast
        if at_n <= self.at_l:  # programmed for the past: "due at once in any mode"
            self.rt_n = Fraction(self.rt)

    def head_changed(self):
        head = (self.queue[0], self.queue[0].at) if self.queue else None
        if head != self.decided_head:
            self.decide(without_event=True)

    # -- 2.2: the queue

    def sort(self):
        self.queue = [t for t in self.queue if t.at is not None and t.at < AT_LIMIT]
        self.queue.sort(key=lambda t: t.at)  # stable: nobody moves further than it must

    def set(self, name, plan):
        timer = self.timers[name]
        self.incident()
        timer.at = max(timer.program(plan), self.at_l)
        if timer not in self.queue:
            self.queue.append(timer)
        self.sort()
        self.head_changed()

    def clear(self, name):
        self.incident()
        self.timers[name].at = None
        self.sort()
        self.head_changed()

    # -- events

    def instant(self, at, mode):
        """Everything at or before `at`, in queue order, now."""
        self.nrt_p += at - self.at_p
        self.at_p = self.at_l = at
        self.art_p = self.rt_l = self.rt
        self.any_event = True
        self.executed_at_p = self.executed_now()
        for timer in [t for t in self.queue if t.at <= at]:
            self.rows.append((self.rt, at, "event", timer.name, mode))
            self.ticks[timer.name]["delivered"] += 1
            if timer.period is not None:
                due = (at - timer.at) // timer.period + 1
                timer.at += due * timer.period
                if due > 1:
                    self.rows.append((self.rt, at, "drop", timer.name, str(due - 1)))
                    self.ticks[timer.name]["dropped"] += due - 1
            elif timer.rest:
                timer.at = max(timer.rest.pop(0), at)
            else:
                timer.at = None
        self.sort()
        self.decide(without_event=False)

    def leap(self):
        present = self.present()
        self.leapt += present - self.at_c()
        self.mode = "normal"
        self.instant(present, "leap")

    def event(self):
        at_n = self.queue[0].at
        nrt_n = self.nrt_p + (at_n - self.at_p)
        if self.p["leap"] is not None and self.rt > nrt_n + self.p["leap"]:
            self.leap()
        else:
            self.instant(at_n, self.mode)

    # -- real time

    def deliver_until(self, upto):
        """Events at every whole unit up to and including `upto`."""
        while self.queue:
            due = max(ceil(self.gated_rt_n()), self.rt)
            if due > upto:
                break
            self.rt = due
            self.event()

    def resume(self, rt):
        self.rt = rt
        self.running_since = rt
        if self.p["gap"] == "jump":
            return
        self.rt_l = rt
        if self.queue and self.rt_n <= rt:
            return  # overdue: delivered at once, item 6's gate permitting
        if self.p["leap"] is not None and self.lag() > self.p["leap"]:
            self.leap()
        else:
            self.decide(without_event=True)

    def lose(self, rt):
        self.rt = rt
        if self.p["gap"] == "smooth":
            self.incident()
        self.executed = self.executed_now()
        self.running_since = None

    def run(self):
        for name, plan in self.s["timers"].items():
            self.set(name, plan)
        directives = sorted(self.s["directives"], key=lambda d: d["rt"])
        for start, end in windows(self.s["run"]):
            self.resume(start)
            for d in [d for d in directives if start <= d["rt"] < end]:
                self.deliver_until(d["rt"])
                self.rt = d["rt"]
                if d["kind"] == "read":
                    self.incident()
                    if not self.queue:
                        self.mode = "catchup" if self.lag() > 0 else "normal"
                    self.rows.append((self.rt, self.at_l, "read", "-", self.mode))
                elif d["kind"] == "set":
                    self.set(d["name"], d["plan"])
                else:
                    self.clear(d["name"])
            self.deliver_until(end - 1)
            self.lose(end)
        return self.rows


def windows(runs):
    """Windows that touch are one."""
    joined = []
    for start, end in sorted(runs):
        if joined and joined[-1][1] == start:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return joined


def parse_plan(words):
    values = dict(w.split("=") for w in words)
    if "at" in values:
        return {"period": None, "at": [int(a) for a in values["at"].split(",")]}
    return {"period": int(values["period"]), "at": [int(values["first"])]}


def parse(text):
    policy = {"C": Fraction(2), "K1": 0, "K2": 0, "leap": None, "progress": 0}
    policy.update({"gap": "smooth", "hyst": "5c", "rate": "fixed"})
    s = {"policy": policy, "timers": {}, "run": [], "directives": []}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        verb = words[0]
        if verb == "policy":
            for key, value in (w.split("=") for w in words[1:]):
                if key == "C":
                    policy[key] = Fraction(value)
                else:
                    policy[key] = value if key in ("gap", "hyst", "rate") else int(value)
        elif verb == "timer":
            s["timers"][words[1]] = parse_plan(words[3:])
        elif verb == "run":
            s["run"].append((int(words[1]), int(words[2])))
        else:
            d = {"kind": verb, "rt": int(words[1]), "name": words[2] if len(words) > 2 else None}
            if verb == "set":
                d["plan"] = parse_plan(words[3:])
            s["directives"].append(d)
    return s


def tsv(rows):
    return "".join("\t".join(map(str, row)) + "\n" for row in [("rt", "at", "kind", "timer", "mode")] + rows)


def main():
    with sys.stdin if sys.argv[1] == "-" else open(sys.argv[1], encoding="utf-8") as f:
        sys.stdout.write(tsv(Reference(parse(f.read())).run()))


if __name__ == "__main__":
    main()
