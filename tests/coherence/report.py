"""Tables, JSON and a picture of the records that figures.py makes."""
import json
from xml.sax.saxutils import escape

DOCS, PICTURE = "docs/coherence.md", "docs/coherence.svg"
# (name in a record, heading, how it is shown); a machine without a ledger has no figures of one.
COLUMNS = [
    ("machine", "machine", "{}"), ("mode", "time", "{}"), ("vms", "VMs", "{}"), ("due", "ticks due", "{:,}"),
    ("lost", "lost", "{:,}"), ("extra", "extra", "{:,}"), ("inversions", "inversions", "{:,}"), ("backward", "backward", "{:,}"),
    ("disagreement_ns", "disagree us", "{:.1f}"), ("past_ns", "past us", "{:.1f}"), ("shortest", "shortest %", "{:.1f}"),
    ("longest", "longest %", "{:.1f}"), ("rate_ppm", "ticks ppm", "{:.2f}"), ("clock_ppm", "AT/RT ppm", "{:.2f}"),
    ("max_lag_ms", "lag ms", "{:.1f}"), ("catch_up_ms", "catch-up ms", "{}"),
]
SCALES = {"disagreement_ns": 1000, "past_ns": 1000}
RATE_PPM, RATE_SECONDS = 1, 60  # how near the rates must be, and what it takes to tell
SLACK_NS = 20000  # what the clock guest lets two clocks differ by (its word limit=)
COLOURS = {"coordinated": "#1f5fa8", "naive": "#c4561b", "-": "#889"}
NAMES = {"coordinated": "Escapement", "naive": "Escapement, time=naive", "-": "plain QEMU"}
LINES = {1: "#889", 2: "#4f9d69", 4: "#c4561b", 8: "#1f5fa8"}


def shown(record, name, how):
    value = record.get(name)
    return "-" if value is None else how.format(value / SCALES[name] if name in SCALES else value)


def faults(record, seconds=0):
    """What a guest could see that a PC would not show it, in a run of so many seconds."""
    rates = ("rate_ppm", "clock_ppm") if seconds >= RATE_SECONDS else ()
    return [f"{name} {record[name]}" for name in ("lost", "extra", "inversions", "backward") if record[name]] + \
        [f"{name} {record[name]}" for name in ("disagreement_ns", "past_ns") if record[name] > SLACK_NS] + \
        [f"{name} {record[name]:.2f}" for name in rates if abs(record.get(name, 0)) > RATE_PPM] + \
        ([] if record.get("balanced", True) else ["the ledger does not balance"])


def table(records):
    rows = [[heading for _, heading, _ in COLUMNS]] + [[shown(r, name, how) for name, _, how in COLUMNS] for r in records]
    widths = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def markdown(records):
    lines = ["| " + " | ".join(heading for _, heading, _ in COLUMNS) + " |",
             "| --- | --- |" + " ---: |" * (len(COLUMNS) - 2)]
    return "\n".join(lines + ["| " + " | ".join(shown(r, name, how) for name, _, how in COLUMNS) + " |" for r in records])


def tsv(records):
    rows = [[name for name, _, _ in COLUMNS]] + [[str(r.get(name, "")) for name, _, _ in COLUMNS] for r in records]
    return "\n".join("\t".join(row) for row in rows) + "\n"


# ---- the picture: lag over time above, ticks lost below

WIDTH, LEFT, RIGHT, TOP, PLOT, GAP = 1000, 90, 40, 60, 220, 90


def text(x, y, content, what=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"{what and f" class={chr(34)}{what}{chr(34)}"}>{escape(content)}</text>'


def rule(x1, y1, x2, y2, what):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{what}"/>'


def nice_step(most, parts):
    """A round distance of grid lines: at most `parts` of them up to `most`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if most / (step * factor) <= parts:
                return step * factor
        step *= 10


def axes(x_most, y_most, top, x_unit, y_unit):
    right, bottom = WIDTH - RIGHT, top + PLOT
    lines = []
    for value in range(0, int(y_most) + 1, nice_step(y_most, 5)):
        y = bottom - value / y_most * PLOT
        lines += [rule(LEFT, y, right, y, "grid"), text(LEFT - 6, y + 4, f"{value} {y_unit}", "ytick")]
    for value in range(0, int(x_most) + 1, nice_step(x_most, 12)):
        x = LEFT + value / x_most * (right - LEFT)
        lines += [rule(x, top, x, bottom, "grid"), text(x, bottom + 14, f"{value} {x_unit}", "tick")]
    return lines + [rule(LEFT, bottom, right, bottom, "axis")]


def lags(records, top):
    chosen = [r for r in records if r["mode"] == "coordinated" and r["lag"]]
    x_most = max((r["lag"][-1][0] for r in chosen), default=1)
    y_most = max((us for r in chosen for _, us in r["lag"]), default=0) / 1000 * 1.1 + 1
    lines = [text(10, top - 14, "How far a VM's apparent time is behind, over real time", "name")]
    lines += axes(x_most, y_most, top, "s", "ms")
    for number, record in enumerate(chosen):
        points = " ".join(f"{LEFT + at / x_most * (WIDTH - RIGHT - LEFT):.1f},{top + PLOT - max(us, 0) / 1000 / y_most * PLOT:.1f}"
                          for at, us in record["lag"])
        colour = LINES.get(record["vms"], "#222")
        x = WIDTH - RIGHT - 90 * (len(chosen) - number)
        lines += [f'<polyline points="{points}" stroke="{colour}" class="lag"/>',
                  f'<rect x="{x}" y="{top - 24}" width="12" height="12" fill="{colour}"/>',
                  text(x + 18, top - 14, f"{record['vms']} VM{'s' if record['vms'] > 1 else ''}", "note")]
    return lines


def losses(records, top):
    sizes = sorted({r["vms"] for r in records})
    most = max((100 * r["lost"] / r["due"] for r in records), default=0) * 1.15 + 1
    lines = [text(10, top - 14, "Ticks lost, of those due", "name")]
    bottom, room = top + PLOT, (WIDTH - RIGHT - LEFT) / max(len(sizes), 1)
    for value in range(0, int(most) + 1, nice_step(most, 5)):
        y = bottom - value / most * PLOT
        lines += [rule(LEFT, y, WIDTH - RIGHT, y, "grid"), text(LEFT - 6, y + 4, f"{value} %", "ytick")]
    for number, (mode, colour) in enumerate(COLOURS.items()):
        x = WIDTH - RIGHT - 190 * (len(COLOURS) - number) + 20
        lines += [f'<rect x="{x}" y="{top - 24}" width="12" height="12" fill="{colour}"/>', text(x + 18, top - 14, NAMES[mode], "note")]
    for place, vms in enumerate(sizes):
        x = LEFT + (place + 0.5) * room
        lines.append(text(x, bottom + 14, f"{vms} VM{'s' if vms > 1 else ''}", "tick"))
        for number, (mode, colour) in enumerate(COLOURS.items()):
            for record in (r for r in records if r["vms"] == vms and r["mode"] == mode):
                share, left = 100 * record["lost"] / record["due"], x + (number - 1.5) * 60
                height = share / most * PLOT
                lines += [f'<rect x="{left:.1f}" y="{bottom - height:.1f}" width="54" height="{max(height, 1):.1f}" fill="{colour}"/>',
                          text(left + 27, bottom - height - 5, f"{share:.1f} %" if record["lost"] else "0", "tick")]
    return lines + [rule(LEFT, bottom, WIDTH - RIGHT, bottom, "axis")]


def svg(records, seconds):
    height = TOP + 2 * PLOT + GAP + 50
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
            "<style>text{font:11px sans-serif;fill:#222}.name{font-weight:bold}.note,.tick{font-size:10px;fill:#667}",
            ".tick{text-anchor:middle}.ytick{font-size:10px;text-anchor:end;fill:#667}.title{font-size:15px}",
            "line{stroke:#222}.grid{stroke:#e4e6ea}.axis{stroke:#889}.lag{fill:none;stroke-width:1.6}</style>",
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            text(10, 22, f"Busy clock guests on one processor, {seconds} s of their time", "title")]
    return "\n".join([*head, *lags(records, TOP), *losses(records, TOP + PLOT + GAP), "</svg>", ""])


# ---- files

def put(path, content):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def write(folder, records, seconds):
    put(f"{folder}/table.txt", table(records) + "\n")
    put(f"{folder}/coherence.tsv", tsv(records))
    put(f"{folder}/coherence.json", json.dumps(records, indent=1) + "\n")
    put(f"{folder}/coherence.svg", svg(records, seconds))


def into_docs(records, seconds, on):
    """Replaces what stands between the comments `<!-- figures -->` and `<!-- end figures -->`; a run of a minute or more
    goes between those of `minute-qemu` or `minute-bochs`, and has no picture."""
    place = "figures" if seconds < RATE_SECONDS else f"minute-{on}"
    first, last = f"<!-- {place} -->\n", f"<!-- end {place} -->"
    with open(DOCS, encoding="utf-8") as file:
        head, _, rest = file.read().partition(first)
    put(DOCS, head + first + "\n" + markdown(records) + "\n\n" + last + rest.partition(last)[2])
    if place == "figures":
        put(PICTURE, svg(records, seconds))
