"""What the share guests (guests/share) report, judged: who had how much of the processor."""
import re

LINE = re.compile(r"^(\w+)\| share: second=(\d+) rounds=(\d+)", re.MULTILINE)
CROWDED = range(1, 5)  # seconds in which all of them run
ALONE = range(9, 12)   # seconds in which only the longest runs


def rounds_of(text):
    """{name: {second: rounds}}"""
    found = {}
    for name, second, rounds in LINE.findall(text):
        found.setdefault(name, {})[int(second)] = int(rounds)
    return found


def mean(seconds, rounds):
    return sum(rounds[s] for s in seconds) / len(seconds)


def thirds(text, busy, waker=None, long="a"):
    """A complaint if one of the busy guests is more than 1 % away from another or from a third of what `long` does alone,
    or if the one that wakes often gets more than its third (it pays for the switches that it causes)."""
    rounds = rounds_of(text)
    names = [*busy, *([waker] if waker else [])]
    for name in names:
        lacking = [s for s in CROWDED if s not in rounds.get(name, {})]
        if lacking:
            return f"guest {name} did not report second {lacking[0]}"
    if any(s not in rounds[long] for s in ALONE):
        return f"guest {long} did not report the seconds alone"
    third = mean(ALONE, rounds[long]) / 3
    shares = {name: mean(CROWDED, rounds[name]) / third for name in names}
    shown = ", ".join(f"{name} {share / 3:.4f}" for name, share in shares.items())
    busy_shares = [shares[name] for name in busy]
    if max(busy_shares) > min(busy_shares) * 1.01:
        return f"the busy guests' shares differ by more than 1 %: {shown}"
    if any(not 0.99 <= share <= 1.01 for share in busy_shares):
        return f"a busy guest's share is not a third: {shown}"
    if waker and shares[waker] > 1.01:
        return f"the waking guest takes more than its share: {shown}"
    return None
