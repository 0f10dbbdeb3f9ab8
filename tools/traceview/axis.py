"""A scale of time: where a moment lies, and what it is called."""
from dataclasses import dataclass
from fractions import Fraction

UNITS = ((Fraction(1), "s"), (Fraction(1, 1000), "ms"), (Fraction(1, 10**6), "µs"), (Fraction(1, 10**9), "ns"))


def unit_for(ticks, hz):
    """(ticks of a unit, its name) for a length of time; abstract units (hz None) have no name."""
    if hz is None:
        return Fraction(1), ""
    for seconds, name in UNITS:
        if ticks >= 2 * seconds * hz or name == "ns":
            return seconds * hz, name
    raise AssertionError


@dataclass
class Edges:
    moments: list
    label: str


class Axis:
    """From `since` to `until`, in ticks; numbers count from `zero` in `unit` ticks each."""

    def __init__(self, since, until, zero, unit=Fraction(1), unit_name="", hz=None):
        self.since, self.until, self.zero = since, max(until, since + 1), zero
        self.unit, self.unit_name, self.hz = Fraction(unit), unit_name, hz

    def part(self, moment):
        return float((moment - self.since) / (self.until - self.since))

    def holds(self, moment):
        return self.since <= moment <= self.until

    def in_unit(self):
        return f", {self.unit_name}" if self.unit_name else ""

    def unit_for(self, ticks):
        """For another scale beside this one: its own unit if a person has chosen it, else what fits."""
        return (self.unit, self.unit_name) if self.hz is None else unit_for(ticks, self.hz)

    def step(self, most):
        """1, 2, 5, 10, 20 ... units: the least of which there are at most so many."""
        length = (self.until - self.since) / self.unit
        step = Fraction(1, 10**9)
        while True:
            for factor in (1, 2, 5):
                if length / (step * factor) <= most:
                    return step * factor
            step *= 10

    def _multiples(self, step):
        first = -((self.zero - self.since) / (step * self.unit) // 1)
        moment = self.zero + first * step * self.unit
        while moment <= self.until:
            if moment >= self.since:
                yield moment
            moment += step * self.unit

    def ticks(self, most):
        """(moment, label) of round numbers, at most so many."""
        step = self.step(most)
        digits = max(0, len(str(step.denominator)) - 1)
        return [(m, f"{float((m - self.zero) / self.unit):.{digits}f}") for m in self._multiples(step)]

    def edges(self, most):
        """The hardware clock's: a whole number of units, where they are someone's choice."""
        step = self.step(most)
        step = step if self.hz else max(step, Fraction(1))
        return Edges(list(self._multiples(step)), f"{float(step):g}{' ' + self.unit_name if self.unit_name else ''}")

    def number(self, moment):
        """A moment in units, as precise as a thousandth of the axis."""
        value = Fraction(moment - self.zero) / self.unit
        if value.denominator == 1 and self.hz is None:
            return str(int(value))
        length = float((self.until - self.since) / self.unit)
        digits = 0
        while length / 1000 * 10**digits < 1 and digits < 6:
            digits += 1
        return f"{float(value):.{digits}f}"
