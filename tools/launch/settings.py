"""The kernel's settings as tools/run knows them: read from its own tables, with what each takes. Only what those say in
a form that is read here is checked; the rest is the hypervisor's to refuse."""
import os
import re

SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../vmm/settings.c")
VM, GLOBAL = "vm_settings", "global_settings"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
RANGE = re.compile(r"takes a (time|size|number) (?:from (\w+) to (\w+)|such as \w+)(?:, a multiple of (\w+))?(, or off)?$")
VALUES = {"time": re.compile(r"([0-9]+)(ns|us|ms|s)|(0)()"), "size": re.compile(r"([0-9]+)([KMG]?)"),
          "number": re.compile(r"([0-9]+)()")}


def known(which):
    """{name with its '=': what it takes}; empty where the kernel's source is not there."""
    try:
        with open(SOURCE, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return {}
    table = text[text.find(f"setting {which}[]"):]
    return dict(re.findall(r'\{"([a-z0-9-]+=?)",\s*"([^"]*)"', table[:table.find("};")]))


def amount(kind, text):
    """A time in ns, a size in bytes, a number; None if it is none."""
    match = VALUES[kind].fullmatch(text.upper() if kind == "size" else text)
    if not match:
        return None
    number, unit = (part for part in match.groups() if part is not None)
    return int(number) * UNITS[unit]


def fits(takes, value):
    """False if `value` is none of what a setting takes, which its table says in words."""
    _, _, choices = takes.partition("=")
    if re.fullmatch(r"[a-z0-9]+(\|[a-z0-9]+)*", choices):
        return value in choices.split("|")
    match = RANGE.search(takes)
    if not match:
        return True
    kind, low, high, multiple, off = match.groups()
    if off and value == "off":
        return True
    n = amount(kind, value)
    if n is None or (low and not amount(kind, low) <= n <= amount(kind, high)):
        return False
    return not multiple or n % amount("size", multiple) == 0
