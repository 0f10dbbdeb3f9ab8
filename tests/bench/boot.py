#!/usr/bin/env python3
"""What a Debian kernel executes from its entry to its first user process: by itself on QEMU, and as Escapement's only guest
on the same QEMU. The hypervisor's instructions count as the guest's; halted time executes nothing and counts for nothing.

    tests/bench/boot.py [--build DIR] [--top N] [--words "the kernel's command line"] [--docs]"""
import argparse
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import linux  # noqa: E402
import profiles  # noqa: E402
import report  # noqa: E402
from machine import Failed, Machine  # noqa: E402

BUDGET = 1.1
WORDS = "console=ttyS0,115200 quiet"
MEGABYTES = 192
EXITS = re.compile(r"^escapement: vm linux: exits (\S+) (\d+)", re.MULTILINE)
# Where each loader enters the kernel: QEMU's at code32_start, ours at the 64-bit entry point of its preferred address
# (Documentation/arch/x86/boot.rst; vmm/load_linux.c). The instructions between the two are some dozens.
CODE32_START, PREF_ADDRESS, ENTRY_64 = 0x214, 0x258, 0x200


def entries(path):
    """(native, guest)"""
    with open(path, "rb") as file:
        header = file.read(0x300)
    at = lambda offset, size: int.from_bytes(header[offset:offset + size], "little")  # noqa: E731
    return at(CODE32_START, 4), at(PREF_ADDRESS, 8) + ENTRY_64


def only_result(log, where):
    """The one try: from the entry to the mark of the first user process."""
    if len(log.results) != 1 or log.results[0].tries != 1:
        raise Failed(f"{where}: the first user process did not come")
    return log.results[0]


def native(build, words, start):
    initrd = f"{build}/bench/first.img"
    _, log = linux.boot(build, "boot-native", initrd, words, MEGABYTES, start=start)
    return only_result(log, "natively").median.total


def guest(build, words, start):
    vm = f"linux {build}/debian/vmlinuz mem={MEGABYTES}M stats=exits initrd={build}/bench/first.img -- {words}"
    text, log = Machine(build, "boot-guest").boot([vm], profile=True, start=start)
    return only_result(log, "as a guest"), {kind: int(n) for kind, n in EXITS.findall(text)}


def report_rows(alone, result):
    both = result.median
    return [("natively", alone), ("under Escapement", both.total), ("... the guest's own", both.total - both.host),
            ("... the hypervisor's", both.host)]


def shown(rows, ratio, exits):
    lines = [f"{title:30} {count:>15,}" for title, count in rows]
    lines.append(f"{'ratio':30} {ratio:>15.4f}   budget {BUDGET} {'OK' if ratio <= BUDGET else 'over'}")
    return "\n".join([*lines, f"exits of the whole run: {exits}"])


def measure(build, words=WORDS):
    """(instructions natively, Result as a guest, exits by kind)"""
    linux.need(build)
    native_entry, guest_entry = entries(f"{build}/debian/vmlinuz")
    print("bench: Debian natively ...", file=sys.stderr, flush=True)
    alone = native(build, words, native_entry)
    print("bench: Debian as a guest ...", file=sys.stderr, flush=True)
    return alone, *guest(build, words, guest_entry)


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="so many functions (default 20)")
    parser.add_argument("--words", default=WORDS, help=f"the kernel's command line (default: {WORDS})")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/, too")
    args = parser.parse_args(argv)
    try:
        alone, result, exits = measure(args.build, args.words)
    except (Failed, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    ratio = result.median.total / alone
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(exits.items(), key=lambda e: (-e[1], e[0])))
    text = shown(report_rows(alone, result), ratio, kinds)
    print("Instructions of Debian's kernel to its first user process, on QEMU with -icount shift=0:")
    print(text)
    profiles.show(args.build, "the boot", result, args.top)
    with open(f"{args.build}/bench/boot.json", "w", encoding="utf-8") as file:
        json.dump({"native": alone, "guest": result.median.total, "hypervisor": result.median.host, "ratio": ratio,
                   "budget": BUDGET, "exits": exits}, file, indent=1)
        file.write("\n")
    if args.docs:
        report.put_into(report.DOCS, "boot", f"```\n{text}\n```")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
