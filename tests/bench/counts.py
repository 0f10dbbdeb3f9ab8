"""What the counting plug-in (count.c) wrote down."""
from dataclasses import dataclass, field

# guests/lib/mark.h
READY, DONE, TICK = 5, 6, 9


@dataclass
class Counts:
    host: int
    guest: int
    other: int

    def __sub__(self, before):
        return Counts(self.host - before.host, self.guest - before.guest, self.other - before.other)

    @property
    def total(self):
        return self.host + self.guest + self.other


@dataclass
class Result:
    """The tries of one measurement: medians, and with a profile the sum over all tries at each address."""
    tries: int
    median: Counts
    at: dict = field(default_factory=dict)


@dataclass
class Mark:
    number: int
    times: int
    first: Counts
    last: Counts


@dataclass
class Log:
    results: list = field(default_factory=list)
    marks: list = field(default_factory=list)
    end: Counts = None


def read(path):
    log = Log()
    with open(path, encoding="ascii") as file:
        for line in file:
            word, *rest = line.split()
            n = [int(x) for x in rest]
            if word == "result":
                log.results.append(Result(n[0], Counts(*n[1:])))
            elif word == "at":
                log.results[-1].at[n[0]] = n[1]
            elif word == "mark":
                log.marks.append(Mark(n[0], n[1], Counts(*n[2:5]), Counts(*n[5:8])))
            elif word == "end":
                log.end = Counts(*n)
    if log.end is None:
        raise OSError(f"{path} has no end: QEMU died, or it has no plug-ins")
    return log
