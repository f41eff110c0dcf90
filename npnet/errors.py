"""The exceptions that npnet raises for a user's mistake: one sentence that names what is wrong."""


class NpnetError(Exception):
    """Base of all errors of this package.

    The message is one sentence: the file or argument, what was found, what was expected.
    """


class DataError(NpnetError, ValueError):
    """A file of data, or an array read from it, is not what it should be."""


class ArgumentError(NpnetError, ValueError):
    """An argument is outside what the function accepts."""


class GradientError(NpnetError, AssertionError):
    """An analytic gradient disagrees with a numeric one."""
