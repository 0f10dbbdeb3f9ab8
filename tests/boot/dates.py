"""The date that each guest tells, held against the host's: the hypervisor's at the start, and the real time since."""
import re

START = re.compile(r"^escapement: time source TSC, (\d+) Hz.*; it is (\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+) UTC", re.MULTILINE)
TOLERANCE = 1.0  # seconds; the guest says its date shortly before it ends


def days(year, month, day):
    """Since 1970, in the Gregorian calendar."""
    year, month = (year, month) if month > 2 else (year - 1, month + 12)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469


def dates(text, names):
    """A complaint if the date or the RTC of one of the guests is more than a second away from the host's."""
    start = START.search(text)
    if not start:
        return "the hypervisor told no date"
    hz, year, month, day, hour, minute, second = (int(n) for n in start.groups())
    began = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second
    for name in names:
        told = re.search(rf"^{name}\| init: date (\d+) rtc (\d+) after a minute", text, re.MULTILINE)
        account = re.search(rf"^escapement: vm {name} time rt=(\d+) .* paused=(\d+) ", text, re.MULTILINE)
        if not told or not account:
            return f"guest {name} told no date, or has no account"
        # A VM's time begins with its first entry: until then it is paused, and the date does not go on (docs/design.md).
        host = began + (int(account.group(1)) - int(account.group(2))) / hz
        for what, value in zip(("date", "RTC"), told.groups()):
            # Whole seconds were cut off on both sides.
            if not -1 - TOLERANCE <= int(value) - host <= TOLERANCE:
                return f"guest {name}'s {what} is {value}, the host's {host:.1f}"
    return None
