"""What is wrong with what was asked for."""


class Unusable(Exception):
    """Arguments that cannot be used: one line, exit status 2."""
