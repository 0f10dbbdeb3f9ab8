"""FILE.vms: a machine and its VMs, one a section, in the words of the command line.

    # options of tools/run first, one a line, without the dashes
    append slice=5ms
    timeout 60

    [alpha]
    vmlinuz mem=192M        # the image first, then settings, over as many lines as you like
    initrd=initrd.img
    -- console=ttyS0,115200 quiet

Files are sought beside FILE.vms. Everything wrong is an error with its line number."""
import difflib
import os
import re

from launch import settings
from launch.unusable import Unusable

SECTION = re.compile(r"\[([A-Za-z0-9_-]{1,16})\]$")
OPTIONS = ("on", "realtime", "cpus", "cpu", "memory", "timeout", "serial", "append", "kernel", "interactive", "virtual-time",
           "expect", "send", "fail-on", "stop", "junit", "tap", "boot", "firmware", "shift")
FLAGS = ("realtime", "interactive", "virtual-time", "stop", "tap")
FILES = ("serial", "kernel", "junit")
PARTS = ("initrd", "module")
# GRUB and QEMU take a module's words apart in ways of their own; none of them carries these unchanged.
FORBIDDEN = re.compile(r"""["'\\\n\r\0]""")
OF_THE_FILE = ("vm=", *PARTS)  # words of a module's line that a section stands for


def meant(word, names):
    near = difflib.get_close_matches(word, names, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def printable(text):
    """A line of a serial log for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)[:100]


class File:
    """One file while it is read: turns lines into arguments."""

    def __init__(self, path, check):
        self.path = path
        self.folder = os.path.dirname(path)
        self.check = check
        self.settings = {k: v for k, v in settings.known(settings.VM).items() if k not in OF_THE_FILE}
        self.globals = settings.known(settings.GLOBAL)
        self.result = []
        self.vms = {}        # name: line of its section
        self.name = None     # the section's
        self.words = []
        self.given = set()
        self.tail = False    # behind "--": the guest's own words

    def wrong(self, number, message):
        raise Unusable(f"{self.path}:{number}: {message}")

    def beside(self, path):
        return os.path.join(self.folder, path)

    def end_section(self):
        if self.name is None:
            return
        if not self.words:
            self.wrong(self.vms[self.name], f"[{self.name}] has no image")
        self.result += ["--vm", " ".join([self.name, *self.words])]

    def begin_section(self, number, name):
        self.end_section()
        if name in self.vms:
            self.wrong(number, f"a second [{name}]; the first is in line {self.vms[name]}")
        self.vms[name] = number
        self.name, self.words, self.given, self.tail = name, [], set(), False

    def file(self, number, path):
        if not path:
            self.wrong(number, "no file is named")
        path = self.beside(path)
        if not os.path.isfile(path):
            self.wrong(number, f"no such file: {path}")
        if re.search(r"\s", path):
            self.wrong(number, f"a blank in a file's name cannot be passed on: {path}")
        return path

    def setting(self, number, word):
        """One word before the '--', checked."""
        if not self.words:
            return self.file(number, word)
        name, equals, value = word.partition("=")
        if equals and name in PARTS:
            return f"{name}={self.file(number, value)}"
        if name in self.given:
            self.wrong(number, f"{name}= is given twice")
        self.given.add(name)
        self.known(number, word, self.settings)
        return word

    def known(self, number, word, table):
        """A setting of the kernel's table, with a value that it takes."""
        name, equals, value = word.partition("=")
        if table and name + equals not in table:
            self.wrong(number, f"unknown setting '{word}'" + meant(name + "=", table))
        takes = table.get(name + equals, name + equals)
        if equals and not value:
            self.wrong(number, f"'{word}' has no value ({takes})")
        if not settings.fits(takes, value):
            self.wrong(number, f"wrong value in '{word}' ({takes})")

    def vm_line(self, number, words):
        for word in words:
            self.passable(number, word)
            if self.tail:
                self.words.append(word)
            elif word == "--":
                if not self.words:
                    self.wrong(number, f"[{self.name}] has no image before '--'")
                self.tail = True
                self.words.append(word)
            else:
                self.words.append(self.setting(number, word))

    def passable(self, number, word):
        if FORBIDDEN.search(word):
            self.wrong(number, f"quotes and backslashes cannot be passed on: {word}")

    def option_line(self, number, line):
        name, value = (*line.split(None, 1), "")[:2]
        if name not in OPTIONS:
            self.wrong(number, f"unknown option '{name}'" + meant(name, OPTIONS))
        if (name in FLAGS) == bool(value):
            self.wrong(number, f"{name} takes no value" if value else f"{name} has no value")
        if name in FILES:
            value = self.beside(value)
        for word in value.split() if name == "append" else ():
            self.passable(number, word)
            self.known(number, word, self.globals)
        words = [f"--{name}"] if name in FLAGS else [f"--{name}={value}"]
        try:
            self.check(words)
        except Unusable as error:
            self.wrong(number, error)
        self.result += words

    def line(self, number, text):
        text = re.sub(r"(^|\s)#.*", "", text).strip()
        section = SECTION.match(text)
        if section:
            self.begin_section(number, section[1])
        elif text.startswith("["):
            self.wrong(number, f"no name of a VM: {text} (1 to 16 letters, digits, '-' and '_')")
        elif text and self.name is None:
            self.option_line(number, text)
        elif text:
            self.vm_line(number, text.split())


def lines_of(path):
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: {getattr(error, 'strerror', None) or 'no text'}") from error


def arguments(path, check=lambda words: None):
    """What the command line would be. Raises Unusable, with the line; `check` raises it for an option's value."""
    file = File(path, check)
    for number, text in enumerate(lines_of(path), 1):
        file.line(number, text)
    file.end_section()
    if not file.vms:
        raise Unusable(f"{path}: no VM: a section [NAME] for each")
    return file.result
