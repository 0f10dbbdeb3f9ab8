"""One boot test: what to run, and what must and must not be seen."""
import os
import re
from dataclasses import dataclass, field
from typing import Callable, Optional

PLATFORMS = ("bochs", "qemu")  # VMX and SVM

# Never in any log, whatever the case.
ALWAYS_FORBIDDEN = [r"^escapement: panic", r"^escapement: memory: leak", r"^escapement: vm .*balance=BROKEN", r"assert"]


class Broken(Exception):
    """The test itself is at fault: outcome `error`."""


@dataclass
class Case:
    """`args` are tools/run's; {guests}, {debian}, {inputs} stand for directories. `expect` are regular expressions that
    must match lines in this order; `anywhere` in any; `forbid` none."""
    name: str
    args: list
    expect: list = field(default_factory=list)
    anywhere: list = field(default_factory=list)
    forbid: list = field(default_factory=list)
    status: int = 0
    timeout: float = 120
    runs: int = 1                       # more than one: the serial output must be the same to the byte
    needs: list = field(default_factory=list)  # files; skipped where one is missing
    check: Optional[Callable] = None    # given the log's text; returns a complaint or None
    slow: bool = False                  # started first
    scene: Optional[Callable] = None    # what a person at the console does (tests/boot/scenes.py)
    shift: Optional[int] = 3            # tools/run's --shift on qemu; None: its default
    debug: bool = False                 # the debug kernel (make debug), which takes inject=
    panic: Optional[str] = None         # the panic that must come, as a regular expression
    only: Optional[str] = None          # the one of PLATFORMS on which it can run ...
    why: str = ""                       # ... and why it cannot on the other


def fill(text, folders):
    try:
        return text.format(**folders)
    except (KeyError, IndexError, ValueError) as error:
        raise Broken(f"cannot fill in {text!r}: {error!r}") from error


def compiled(pattern):
    try:
        return re.compile(pattern, re.IGNORECASE if pattern in ALWAYS_FORBIDDEN else 0)
    except re.error as error:
        raise Broken(f"no regular expression: {pattern!r}: {error}") from error


def validate(case):
    """Raises Broken for a case that could not fail, or that cannot be run."""
    for pattern in [*case.expect, *case.anywhere, *case.forbid, *([case.panic] if case.panic else [])]:
        compiled(pattern)
    if case.only is not None and (case.only not in PLATFORMS or not case.why):
        raise Broken("it does not say on which platform it runs, and why not on the other")
    if not case.expect and not case.anywhere and case.check is None and case.scene is None and \
            case.panic is None:
        raise Broken("it expects nothing: silence would pass")


def missing(case, folders):
    """Why the case is skipped, or None."""
    if case.only not in (None, folders["on"]):
        return case.why
    for need in case.needs:
        if not os.path.exists(fill(need, folders)):
            return f"no {fill(need, folders)}"
    return None


def judge_log(case, text):
    """The first complaint about a log, or None."""
    lines = text.replace("\r", "").split("\n")
    if case.panic and not any(compiled(rf"^escapement: panic: .*{case.panic}").search(line) for line in lines):
        return f"expected a panic /{case.panic}/"
    for pattern in [*([] if case.panic else ALWAYS_FORBIDDEN), *case.forbid]:
        regex = compiled(pattern)
        for line in lines:
            if regex.search(line):
                return f"forbidden /{pattern}/: {line}"
    rest = iter(lines)
    for pattern in case.expect:
        regex = compiled(pattern)
        if not any(regex.search(line) for line in rest):
            elsewhere = any(regex.search(line) for line in lines)
            return f"expected /{pattern}/{' (it came too early)' if elsewhere else ''}"
    for pattern in case.anywhere:
        if not any(compiled(pattern).search(line) for line in lines):
            return f"expected /{pattern}/"
    return case.check(text) if case.check else None
