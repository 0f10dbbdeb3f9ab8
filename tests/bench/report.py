"""Tables, JSON and a picture of what was measured. A column is a name and {figure's name: value}."""
import json
from xml.sax.saxutils import escape

from figures import ALL, mark, shown, shown_budget

DOCS = "docs/performance.md"
BAR, GAP, ROW, LEFT, WIDTH = 9, 14, 12, 270, 860
COLOURS = ("#2a6f97", "#c1666b", "#d9b8a4")


def measured(columns):
    """The figures that any column has."""
    return [f for f in ALL if any(f.name in values for _, values in columns)]


def table(columns):
    """The first column is ours, and has budgets."""
    width = max(12, *(len(name) for name, _ in columns)) + 2
    lines = [f"{'':34}" + "".join(f"{name:>{width}}" for name, _ in columns) + f"{'budget':>9}"]
    for figure in measured(columns):
        cells = "".join(f"{shown(figure, values.get(figure.name)):>{width}}" for _, values in columns)
        ours = columns[0][1].get(figure.name)
        lines.append(f"{figure.title:34}{cells}{shown_budget(figure):>9} {mark(figure, ours)}".rstrip())
    return "\n".join(lines)


def write_json(path, columns):
    data = {f.name: {"title": f.title, "unit": "%" if f.percent else "instructions", "budget": f.budget,
                     "mark": mark(f, columns[0][1].get(f.name)) or None,
                     **{name: values.get(f.name) for name, values in columns}} for f in measured(columns)}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def markdown(columns):
    """The table for docs/."""
    names = [name for name, _ in columns]
    lines = [f"| | {' | '.join(names)} | budget | |", f"| --- |{' ---: |' * (len(names) + 1)} --- |"]
    for figure in measured(columns):
        cells = [shown(figure, values.get(figure.name)) for _, values in columns]
        ours = columns[0][1].get(figure.name)
        lines.append(f"| {figure.title} | {' | '.join(cells)} | {shown_budget(figure)} | {mark(figure, ours)} |")
    return "\n".join(lines)


def put_into(path, name, text):
    """Replaces what stands between the comments `<!-- NAME -->` and `<!-- end NAME -->` of a document."""
    with open(path, encoding="utf-8") as file:
        document = file.read()
    first, last = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    head, found, rest = document.partition(first)
    _, ended, tail = rest.partition(last)
    if not found or not ended:
        raise OSError(f"{path} has no place for {name}: {first.strip()} ... {last}")
    write_text(path, head + first + "\n" + text + "\n\n" + last + tail)


def _text(x, y, text, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'


def label_at(end, line, text):
    """Where a bar's figure stands: behind it, and behind the budget's line where that would run through it."""
    return line + 4 if line is not None and end < line < end + 8 + 7 * len(text) else end + 4


def _group(figure, columns, y, scale):
    """One figure's bars, one below the other."""
    lines = [_text(LEFT - 10, y + len(columns) * ROW / 2 + 3, figure.title, 'text-anchor="end"')]
    budget = None if figure.budget is None else LEFT + figure.budget * scale
    for number, (_, values) in enumerate(columns):
        value = values.get(figure.name)
        top = y + number * ROW
        if value is None:
            lines.append(_text(LEFT + 4, top + BAR, "-"))
            continue
        lines.append(f'<rect x="{LEFT}" y="{top:.1f}" width="{value * scale:.1f}" height="{BAR}" '
                     f'fill="{COLOURS[number]}"/>')
        label = shown(figure, value)
        lines.append(_text(label_at(LEFT + value * scale, budget, label), top + BAR, label))
    if budget is not None:
        lines.append(f'<line x1="{budget:.1f}" x2="{budget:.1f}" y1="{y - 3}" y2="{y + len(columns) * ROW}" stroke="#222" '
                     'stroke-dasharray="3 2"/>')
    return lines


def svg(columns):
    """Bars: instructions, then shares, each with a scale of its own; a dashed line is a budget."""
    body, y = [], 64
    for percent in (False, True):
        chosen = [f for f in measured(columns) if f.percent == percent]
        largest = max([v for f in chosen for _, values in columns if (v := values.get(f.name)) is not None], default=1)
        body.append(_text(LEFT, y - 8, "% of all instructions" if percent else "instructions", 'font-style="italic"'))
        for figure in chosen:
            body += _group(figure, columns, y, (WIDTH - LEFT - 90) / largest)
            y += len(columns) * ROW + GAP
        y += 24
    legend = []
    for number, (name, _) in enumerate(columns):
        legend.append(f'<rect x="{LEFT + number * 170}" y="24" width="12" height="12" fill="{COLOURS[number]}"/>')
        legend.append(_text(LEFT + number * 170 + 18, 34, name))
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
            'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>')
    title = _text(10, 34, "Costs on QEMU's SVM", 'font-size="14" font-weight="bold"')
    return "\n".join([head, title, *legend, *body, "</svg>", ""])
