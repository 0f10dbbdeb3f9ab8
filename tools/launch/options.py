"""The options of tools/run that are about tests and files: expectations, reports, FILE.vms."""
import argparse
import re

from launch import script, vmsfile
from launch.unusable import Unusable


def _text(text):
    """What is sought or sent."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text")
    return script.unescape(text)


def _regex(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {text} ({error})") from error


class _Step(argparse.Action):
    """--expect and --send keep their order among each other."""

    def __call__(self, parser, namespace, values, option_string=None):
        kind = script.SEND if option_string == "--send" else script.EXPECT
        namespace.steps = [*namespace.steps, script.Step(kind, values)]


def add(parser):
    parser.add_argument("config", nargs="?", metavar="FILE.vms", help="options and VMs from a file (docs/ci.md)")
    parser.add_argument("--print-grub", action="store_true", help="show the GRUB entry that this stands for, and stop")
    test = parser.add_argument_group("tests of your own kernel (docs/ci.md)")
    test.add_argument("--expect", action=_Step, type=_text, dest="steps", default=[], metavar="TEXT", help="must be seen on the serial "
                      "line; repeatable, in this order with --send")
    test.add_argument("--send", action=_Step, type=_text, dest="steps", metavar="TEXT", help="typed when what stands before it has been "
                      "seen; \\n \\r \\t \\e \\xNN")
    test.add_argument("--fail-on", action="append", default=[], type=_text, metavar="TEXT",
                      help="must never be seen: ends the run")
    test.add_argument("--stop", action="store_true", help="end the run, as passed, when all of it has been seen: for kernels "
                      "that do not end")
    test.add_argument("--cases", metavar="FILE", help="several runs, each a section of FILE")
    test.add_argument("--only", metavar="REGEX", type=_regex, help="of --cases those whose names match")
    test.add_argument("--keep", metavar="DIR", help="with --cases: serial logs of those that failed "
                      "(default failed)")
    test.add_argument("--junit", metavar="FILE", help="the result as JUnit XML")
    test.add_argument("--tap", action="store_true", help="the result as TAP, on standard output in the serial line's place")


def parse(parser, argv):
    """The arguments; those of a FILE.vms come before those of the command line, which may so overrule them."""
    args = parser.parse_args(argv)
    if args.config is not None:
        args = parser.parse_args([*vmsfile.arguments(args.config, parser.parse_args), *argv])
    if not args.cases and (args.only or args.keep):
        raise Unusable("--only and --keep: with --cases FILE")
    if args.stop and not any(step.kind == script.EXPECT for step in args.steps):
        raise Unusable("--stop: with --expect TEXT, which it ends the run behind")
    args.keep = args.keep or "failed"
    return args


def script_of(args):
    """What follows the output, or None."""
    if not args.steps and not args.fail_on:
        return None
    return script.Script(args.steps, args.fail_on, args.stop)
