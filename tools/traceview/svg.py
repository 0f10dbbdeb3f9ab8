"""The timing diagram, in the manner of the patent's figures 3 and 7: hardware clock, each virtual timer's events, when the VM
executes, apparent time over real time. One VM with all its timers, or several, each with its own rows, and their lags."""
from xml.sax.saxutils import escape

from traceview.axis import Axis

# The page, in pixels; timesim's own drawings have the same.
LEFT, WIDTH, RIGHT = 150, 1300, 50
CLOCK_H, TIMER_STEP, SMALL_STEP, SLICE_H, PLOT_H = 18, 74, 30, 26, 260
LABEL_GAP = 13          # the least distance between two labels
MARK_GAP = 0.4          # ... between two marks: more would be one block of ink
MAX_EDGES = 360
STYLE = """text{font:11px sans-serif;fill:#222}.name{font-weight:bold}.note,.event,.tick{font-size:10px}
.tick,.mid{text-anchor:middle}.ytick{font-size:10px;text-anchor:end;fill:#667}.title{font-size:15px}.note,.tick{fill:#667}
line,path{fill:none;stroke:#222;stroke-width:1}.grid{stroke:#e4e6ea}.axis{stroke:#889}.clock{stroke:#445;stroke-width:.8}
.normal{stroke-width:2}.catchup{stroke:#c4561b;stroke-width:2}.leap{stroke:#a3123c;stroke-width:2;stroke-dasharray:3 2}
.thin{stroke-width:1}.merged{stroke-dasharray:2 2}.slice{fill:#cfe0f3;stroke:#5b84b1}.away{fill:#f4f5f7;stroke:none}
.ideal{stroke:#aab;stroke-dasharray:4 4}.at{stroke:#1f5fa8;stroke-width:1.6}.read{fill:#fff;stroke:#1f5fa8}
.dot{stroke:none;fill:#222}.dot-catchup{stroke:none;fill:#c4561b}.dot-leap{stroke:none;fill:#a3123c}"""
# One VM's curve: none of the modes' colours, and to be told apart in print without colour, too.
LAG_COLOURS = ("#1f5fa8", "#2f7d4f", "#7a4a9c", "#8a6d1d", "#3a8c96", "#555")
LAG_DASHES = ("", "8 3", "2 2.5", "8 3 2 3")


class Drawing:
    """Elements in the order in which they are painted."""

    def __init__(self):
        self.parts = []

    def text(self, x, y, kind, content):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(content)}</text>')

    def slanted(self, x, y, content):
        self.parts.append(f'<text transform="translate({x:.1f} {y:.1f}) rotate(-60)" class="event">{escape(content)}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def rect(self, x, y, width, height, kind):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>')

    def path(self, points, kind, style=""):
        if len(points) > 1:
            d = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)
            style = f' style="{style}"' if style else ""
            self.parts.append(f'<path class="{kind}"{style} d="{d}"/>')

    def dot(self, x, y, radius, kind, title=""):
        inner = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}">{inner}</circle>')

    def document(self, height):
        width = LEFT + WIDTH + RIGHT
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
            f'viewBox="0 0 {width} {height:.0f}">', f"<style>{STYLE}</style>",
            f'<rect width="{width}" height="{height:.0f}" fill="#fff"/>', *self.parts, "</svg>", ""])


def clip(points, since, until):
    """The part of a polyline between two abscissas, cut exactly where it crosses them."""
    found = []
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        if x2 < since or x1 > until:
            continue
        for x, y in ((x1, y1), (x2, y2)):
            if x < since or x > until:
                edge = since if x < since else until
                y = y1 + (y2 - y1) * (edge - x1) / (x2 - x1)
                x = edge
            if not found or found[-1] != (x, y):
                found.append((x, y))
    return found


def thin_out(points, gap):
    """A polyline of which no more is kept than can be seen: of the points within `gap` the first, lowest, highest, last."""
    kept, group = [], []
    for point in points:
        if group and point[0] - group[0][0] > gap:
            kept += _ends(group)
            group = []
        group.append(point)
    return kept + _ends(group)


def _ends(group):
    if len(group) < 5:
        return group
    chosen = {0, len(group) - 1}
    chosen |= {min(range(len(group)), key=lambda i: group[i][1]), max(range(len(group)), key=lambda i: group[i][1])}
    return [group[i] for i in sorted(chosen)]


class Diagram:
    """window: an Axis over real time."""

    def __init__(self, run, axis, title, apparent=True):
        self.run, self.axis, self.title, self.apparent = run, axis, title, apparent
        self.d = Drawing()
        self.top = 60
        self.step = TIMER_STEP

    def x(self, rt):
        return LEFT + WIDTH * self.axis.part(rt)

    # ---- what all diagrams have

    def legend(self, numbers):
        self.d.text(10, 22, "title", self.title)
        x, y = LEFT + WIDTH - (330 if numbers else 150), 18
        for kind, words, width in (("normal", "on time", 70), ("catchup", "catching up", 90), ("leap", "leap", 55)):
            if kind == "leap" and not any(vm.leaps for vm in self.run.vms):
                continue
            self.d.line(x, y - 9, x, y + 3, kind)
            self.d.text(x + 6, y, "note", words)
            x += width
        if numbers:
            self.d.text(x, y, "note", "numbers: real (apparent) time")

    def scale(self, bottom):
        for rt, label in self.axis.ticks(22):
            self.d.line(self.x(rt), self.top + CLOCK_H + 4, self.x(rt), bottom, "grid")
            self.d.text(self.x(rt), self.top - 8, "tick", label)
        if self.axis.unit_name:
            self.d.text(LEFT + WIDTH + 18, self.top - 8, "note", self.axis.unit_name)

    def clock(self):
        """[0058]: each rising and each falling edge is one unit of time."""
        edges = self.axis.edges(MAX_EDGES)
        self.d.text(10, self.top + 8, "name", "hardware clock")
        self.d.text(10, self.top + 22, "note", f"edge = {edges.label}")
        y, points = self.top + CLOCK_H, [(LEFT, self.top + CLOCK_H)]
        for rt in edges.moments:
            points.append((self.x(rt), y))
            y = self.top if y > self.top else self.top + CLOCK_H
            points.append((self.x(rt), y))
        self.d.path(points + [(LEFT + WIDTH, y)], "clock")

    def visible(self, moments):
        return [m for m in moments if self.axis.holds(m[0])]

    # ---- rows

    def marks(self, vm, timer, y, height, labels):
        """One timer's events; a label where there is room for it."""
        last_mark, last_label = {}, -LABEL_GAP
        for event in timer.events:
            if not self.axis.holds(event.rt):
                continue
            x = self.x(event.rt)
            if x - last_mark.get(event.mode, -1) >= MARK_GAP:
                kind = event.mode + (" merged" if event.merged else "") + ("" if labels else " thin")
                self.d.line(x, y - height, x, y, kind)
                last_mark[event.mode] = x
            if labels and x - last_label >= LABEL_GAP:
                self.d.slanted(x + 3, y - height - 3, self.label(vm, event))
                last_label = x
        for rt, _, ticks in self.visible(timer.drops):
            self.d.text(self.x(rt) + 3, y + 12, "note", f"{ticks} dropped")

    def label(self, vm, event):
        real = self.axis.number(event.rt)
        apparent = self.axis.number(event.at + vm.normal[0][1] if vm.normal else event.at)
        return real if real == apparent else f"{real} ({apparent})"

    def slices(self, vm, y, height):
        self.d.line(LEFT, y + height, LEFT + WIDTH, y + height, "axis")
        for since, until in vm.slices:
            if until < self.axis.since or since > self.axis.until:
                continue
            x, end = self.x(max(since, self.axis.since)), self.x(min(until, self.axis.until))
            self.d.rect(x, y, max(end - x, 0.3), height, "slice")
            if end - x > 90 and height >= SLICE_H:
                self.d.text((x + end) / 2, y + 17, "mid", self.span(since, until))

    def span(self, since, until):
        """What of a slice the window shows."""
        return (f"{self.axis.number(max(since, self.axis.since))} – "
                f"{self.axis.number(min(until, self.axis.until))}")

    def away(self, vm, top, bottom):
        """A faint ground where the VM does not execute."""
        at = self.axis.since
        for since, until in [*sorted(vm.slices), (self.axis.until, self.axis.until)]:
            x, end = self.x(max(at, self.axis.since)), self.x(min(since, self.axis.until))
            if end - x > 1:
                self.d.rect(x, top, end - x, bottom - top, "away")
            at = max(at, until)

    # ---- one VM

    def one(self, vm):
        timers = [t for _, t in sorted(vm.timers.items()) if self.visible([(e.rt,) for e in t.events])
                  or self.run.hz is None]
        # A label is slanted by 60 degrees, a character some 5.6 pixels long.
        longest = max([len(self.label(vm, e)) for t in timers for e in t.events if self.axis.holds(e.rt)] + [0])
        self.step = max(TIMER_STEP, 22 + 8 + int(longest * 5.6 * 0.87))
        first = self.top + CLOCK_H + self.step + 6
        slices = first + (len(timers) - 1) * self.step + 24 if timers else self.top + CLOCK_H + 20
        plot = slices + SLICE_H + 30
        bottom = plot + PLOT_H if self.apparent else slices + SLICE_H
        if vm.slices:
            self.away(vm, self.top + CLOCK_H + 4, bottom)
        self.scale(bottom)
        self.clock()
        for number, timer in enumerate(timers):
            y = first + number * self.step
            self.d.text(10, y - 6, "name", timer.name)
            self.d.line(LEFT, y, LEFT + WIDTH, y, "axis")
            self.marks(vm, timer, y, 22, True)
        if vm.slices:
            self.d.text(10, slices + 17, "name", f"{vm.name} executes")
            self.slices(vm, slices, SLICE_H)
        if self.apparent:
            self.curve(vm, plot)
        return bottom + 34

    def curve(self, vm, top):
        """Apparent over real time, both on one scale: the dashed line is where nothing is late."""
        offset = vm.normal[0][1] if vm.normal else 0
        points = clip([(rt, at + offset) for rt, at in vm.curve], self.axis.since, self.axis.until)
        values = [y for _, y in points] + [self.axis.since, self.axis.until]
        scale = Axis(min(values), max(values), self.axis.zero, self.axis.unit, self.axis.unit_name)

        def y(at):
            return top + PLOT_H * (1 - scale.part(at))

        self.d.text(10, top + 14, "name", "apparent time")
        for at, label in scale.ticks(8):
            self.d.line(LEFT, y(at), LEFT + WIDTH, y(at), "grid")
            self.d.text(LEFT - 6, y(at) + 3.5, "ytick", label)
        self.d.line(LEFT, top + PLOT_H, LEFT + WIDTH, top + PLOT_H, "axis")
        self.d.line(LEFT, top, LEFT, top + PLOT_H, "axis")
        self.d.line(LEFT, y(self.axis.since), LEFT + WIDTH, y(self.axis.until), "ideal")
        self.d.path(thin_out([(self.x(rt), y(at)) for rt, at in points], 0.5), "at")
        self.dots(vm, offset, y)
        for rt, label in self.axis.ticks(22):
            self.d.text(self.x(rt), top + PLOT_H + 14, "tick", label)
        self.d.text(LEFT + WIDTH / 2, top + PLOT_H + 28, "mid", f"real time{self.axis.in_unit()}")

    def dots(self, vm, offset, y):
        """Events on the curve, and reads, as long as they can be told apart."""
        reads = self.visible(vm.reads)
        if len(reads) <= 60:
            for rt, at in reads:
                title = f"read at {self.axis.number(rt)}: {self.axis.number(at + offset)}"
                self.d.dot(self.x(rt), y(at + offset), 3.2, "read", title)
        events = self.visible(vm.events())
        if len(events) <= 120:
            for rt, _, event in events:
                kind = "dot" if event.mode == "normal" else f"dot-{event.mode}"
                self.d.dot(self.x(rt), y(event.at + offset), 2.2, kind)

    # ---- several VMs

    def many(self, vms):
        y = self.top + CLOCK_H + 18
        rows = []
        for vm in vms:
            timers = [t for _, t in sorted(vm.timers.items()) if self.visible([(e.rt,) for e in t.events])]
            rows.append((vm, y, timers))
            y += 24 + SMALL_STEP * len(timers) + 16
        plot = y + 10
        self.scale(plot + PLOT_H)
        self.clock()
        for vm, top, timers in rows:
            self.d.text(10, top + 11, "name", f"{vm.name} executes")
            self.slices(vm, top, 14)
            for number, timer in enumerate(timers):
                base = top + 20 + SMALL_STEP * (number + 1)
                self.d.text(22, base - 4, "note", timer.name)
                self.d.line(LEFT, base, LEFT + WIDTH, base, "axis")
                self.marks(vm, timer, base, 16, False)
        self.lags(vms, plot)
        return plot + PLOT_H + 34

    def lags(self, vms, top):
        """How far each VM's apparent time is behind."""
        curves = [clip(vm.lag(), self.axis.since, self.axis.until) for vm in vms]
        most = max([y for points in curves for _, y in points] + [1])
        least = min([y for points in curves for _, y in points] + [0])
        scale = Axis(least, most, 0, *self.axis.unit_for(most - least))

        def y(lag):
            return top + PLOT_H * (1 - scale.part(lag))

        self.d.text(10, top + 14, "name", "lag")
        self.d.text(10, top + 28, "note", scale.unit_name)
        for lag, label in scale.ticks(8):
            self.d.line(LEFT, y(lag), LEFT + WIDTH, y(lag), "grid")
            self.d.text(LEFT - 6, y(lag) + 3.5, "ytick", label)
        self.d.line(LEFT, y(0), LEFT + WIDTH, y(0), "axis")
        for number, (vm, points) in enumerate(zip(vms, curves)):
            colour, dashes = LAG_COLOURS[number % len(LAG_COLOURS)], LAG_DASHES[number % len(LAG_DASHES)]
            style = f"stroke:{colour}" + (f";stroke-dasharray:{dashes}" if dashes else "")
            self.d.path(thin_out([(self.x(rt), y(lag)) for rt, lag in points], 0.5), "at", style)
            line = top + 48 + 15 * number
            self.d.path([(10, line - 4), (34, line - 4)], "at", style)
            self.d.parts.append(f'<text x="40" y="{line:.1f}" style="fill:{colour}">{escape(vm.name)}</text>')
        for rt, label in self.axis.ticks(22):
            self.d.text(self.x(rt), top + PLOT_H + 14, "tick", label)
        self.d.text(LEFT + WIDTH / 2, top + PLOT_H + 28, "mid", f"real time{self.axis.in_unit()}")


def draw(run, vms, axis, title, apparent=True):
    """The SVG document of these VMs of a run, over the window that the axis is."""
    diagram = Diagram(run, axis, title, apparent)
    diagram.legend(len(vms) == 1)
    height = diagram.one(vms[0]) if len(vms) == 1 else diagram.many(vms)
    return diagram.d.document(height + 6)
