"""Every failure that a user can meet: what happened, where, and what to do. Used by all stages."""

from collections.abc import Sequence


class SnncError(Exception):
    """A failure that snnc can explain in one sentence.

    ``what`` holds the numbers, ``where`` the place (file, population, connection, core), ``fix`` the remedy.
    ``exit_code`` is what the command line returns; the codes are documented in README.md. ``as_options`` is ``what``, ``where``
    and ``fix`` in the words of the command line, where a function of the API has put its own arguments in place of options.

    Examples:
        >>> import snnc
        >>> snnc.SnncError.exit_code
        1
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix
        self.as_options: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return sentence(self.what, self.where, self.fix)


class RunError(SnncError):
    """A program that we ran for the user (Lava, say) failed or took too long.

    Examples:
        >>> import snnc
        >>> snnc.RunError.exit_code
        1
    """

    exit_code = 1


class AlteredError(SnncError):
    """An artifact is not what an export of its network writes.

    Examples:
        >>> import snnc
        >>> snnc.AlteredError.exit_code
        1
    """

    exit_code = 1


class UsageError(SnncError):
    """A wrong option, configuration, file, network or data set.

    Examples:
        >>> import snnc
        >>> snnc.UsageError.exit_code
        2
    """

    exit_code = 2


class ConfigError(UsageError):
    """A configuration has an unknown key or a value that cannot be.

    Examples:
        >>> import snnc
        >>> snnc.ConfigError.exit_code
        2
    """


class FileError(UsageError):
    """A file is missing, truncated, foreign, or would be overwritten.

    Examples:
        >>> import snnc
        >>> snnc.FileError.exit_code
        2
    """


class WriteError(FileError):
    """A file could not be written, though nothing that the user said is wrong: the disk is full, say.

    Examples:
        >>> import snnc
        >>> snnc.WriteError.exit_code
        1
    """

    exit_code = 1


class NetworkError(UsageError):
    """A network contradicts itself: shapes, names, ranges, NaN.

    Examples:
        >>> import snnc
        >>> snnc.NetworkError.exit_code
        2
    """


class DataError(UsageError):
    """A data set is missing, damaged or of the wrong shape.

    Examples:
        >>> import snnc
        >>> snnc.DataError.exit_code
        2
    """


class ProfileError(UsageError):
    """A hardware profile is missing, or says something impossible. What the file says is repeated up to a length only.

    Examples:
        >>> import snnc
        >>> snnc.ProfileError.exit_code
        2
    """

    longest = 300

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what if len(what) <= self.longest else f"{what[: self.longest]} ...", where=where, fix=fix)


class DoesNotFitError(SnncError):
    """The network exceeds a limit of the chip.

    Examples:
        >>> import snnc
        >>> snnc.DoesNotFitError.exit_code
        3
    """

    exit_code = 3


class UnsupportedError(SnncError):
    """A target or a chip cannot express what the network says.

    Examples:
        >>> import snnc
        >>> snnc.UnsupportedError.exit_code
        4
    """

    exit_code = 4


class MissingDependencyError(SnncError):
    """An optional package is not installed; ``fix`` holds the line that installs it.

    Examples:
        >>> import snnc
        >>> snnc.MissingDependencyError.exit_code
        5
    """

    exit_code = 5


class PluginError(MissingDependencyError):
    """A plug-in of another distribution does not work, or has a name that is taken; the message names the distribution."""


def of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, also in a library that could not be loaded, because there was no room for a thread, or while
    an error was handled that said so: what a library then says of its half-written file is another.
    """
    signs = ("cannot allocate memory", "failed to map segment", "can't start new thread", "out of memory", "bad_alloc")
    if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in signs):
        return True
    return error.__context__ is not None and of_memory(error.__context__)


def sentence(what: str, where: str = "", fix: str = "") -> str:
    """Return an error as one sentence."""
    head = f"{where}: {what}" if where else what
    return f"{head}; {fix}" if fix else head


def refuse(problems: Sequence[str], where: str) -> None:
    """Raise UnsupportedError that lists every problem in one sentence; do nothing if there is none."""
    if problems:
        count = f"{len(problems)} things cannot be imported: " if len(problems) > 1 else ""
        raise UnsupportedError(count + "; ".join(problems), where=where)


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """A remedy for a misspelt name: the nearest known one, or all of them."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
