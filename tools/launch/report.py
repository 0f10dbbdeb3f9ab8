"""Results for people and for CI: lines, TAP 13, JUnit XML."""
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from launch import process

TAIL_LINES = 100  # of a failed run's serial output, in the JUnit file
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ENDED_BADLY = re.compile(r"^escapement: (vm \S+ ended (?!exit 0\r?$|poweroff\r?$).*?)\r?$", re.MULTILINE)
WHY = {process.FAILED: "a VM failed, or what was expected was not seen", process.UNUSABLE: "unusable arguments",
       process.NO_VERDICT: "a panic, or the emulator died", process.TIMED_OUT: "past the time-out"}


@dataclass
class Result:
    """One run."""
    name: str
    status: int       # of tools/run
    expected: int     # the status that is a pass
    seconds: float
    message: str = ""  # what tools/run had to say
    serial: str = ""   # the serial output
    log: str = ""      # where that is kept
    trace: str = ""    # where its trace is, if there is one

    @property
    def passed(self):
        return self.status == self.expected

    @property
    def broken(self):
        """The test itself, not what it tests."""
        return not self.passed and self.status == process.UNUSABLE

    def why(self):
        if self.status == process.OK:
            return f"ended with 0, not {self.expected}"
        if self.message:
            return self.message
        ends = ENDED_BADLY.findall(self.serial) if self.status == process.FAILED else []
        return ", ".join(ends) or WHY.get(self.status, f"status {self.status}")


def kept(result):
    files = [f"{what}: {path}" for what, path in (("log", result.log), ("trace", result.trace)) if path]
    return f" ({', '.join(files)})" if files else ""


def line(result):
    word = "PASS" if result.passed else "ERROR" if result.broken else "FAIL"
    reason = "" if result.passed else f": {result.why()}" + kept(result)
    return f"{word:5} {result.name} ({result.seconds:.1f} s){reason}"


def tap(results):
    lines = ["TAP version 13", f"1..{len(results)}"]
    for number, result in enumerate(results, 1):
        lines.append(f"{'ok' if result.passed else 'not ok'} {number} - {result.name}")
        if not result.passed:
            lines += ["  ---", f"  message: {json.dumps(result.why(), ensure_ascii=False)}", f"  status: {result.status}"]
            lines += [f"  {what}: {path}" for what, path in (("log", result.log), ("trace", result.trace)) if path]
            lines.append("  ...")
    return "\n".join(lines) + "\n"


def clean(text):
    """What XML 1.0 can hold."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def junit(results, suite):
    failed = [r for r in results if not r.passed]
    top = ElementTree.Element("testsuites")
    numbers = {"tests": len(results), "failures": sum(not r.broken for r in failed), "errors": sum(r.broken for r in failed),
               "time": f"{sum(r.seconds for r in results):.3f}"}
    element = ElementTree.SubElement(top, "testsuite", name=suite, **{k: str(v) for k, v in numbers.items()})
    for result in results:
        case = ElementTree.SubElement(element, "testcase", classname=suite, name=result.name, time=f"{result.seconds:.3f}")
        if result.passed:
            continue
        kind = "error" if result.broken else "failure"
        ElementTree.SubElement(case, kind, message=clean(result.why())).text = clean(result.why())
        tail = result.serial.replace("\r", "").splitlines()[-TAIL_LINES:]
        ElementTree.SubElement(case, "system-out").text = clean("\n".join(tail))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def write_junit(path, results, suite):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(junit(results, suite))


def exit_status(results):
    if any(r.broken for r in results):
        return process.UNUSABLE
    return process.OK if results and all(r.passed for r in results) else process.FAILED
