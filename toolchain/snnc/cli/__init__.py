"""The command line: one file per verb, thin over the library. Nothing imports it."""

import importlib
import json
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any, NoReturn, TextIO

import click

from snnc.base.version import __version__
from snnc.errors import SnncError, UsageError, nearest, of_memory, sentence

VERBS = tuple(sorted(m.name.removesuffix("_") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


INTERRUPTED = 130
ENDING = {number: 128 + number for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")) if number}
EXPLAINED = SnncError, click.ClickException, click.Abort, OSError
MORE_MEMORY = "free some, raise its limit (ulimit -v), or take a smaller network or fewer samples"
AGAIN_S = 0.02  # until a signal that was swallowed comes again


class _Ended(BaseException):
    """A signal asked the process to end. It is an exception, so that unfinished work is cleaned up on the way out."""


_interrupts: list[int] = []  # of the verb that runs


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within, Ctrl-C raises KeyboardInterrupt, and SIGTERM and SIGHUP raise `_Ended`, once. A signal that is already ignored
    (nohup) stays ignored. No signal is lost: one that a callback of a compiler or a finaliser swallows is raised again.
    """
    heard = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    ended: list[int] = []

    def end(number: int, _: object) -> None:
        if not ended:  # `timeout` sends its signal twice: the second must not break off the tidying up
            ended.append(number)
            raise _Ended(number)

    def swallowed(what: Any) -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt | _Ended):
            sys.__unraisablehook__(what)
            return
        number = ended.pop() if ended else signal.SIGINT
        main_thread = threading.main_thread().ident
        threading.Timer(AGAIN_S, signal.pthread_kill, [main_thread, number]).start()  # here it would be swallowed, too

    before = sys.unraisablehook
    _interrupts.clear()
    try:
        sys.unraisablehook = swallowed
        for number in heard:
            signal.signal(number, end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
        yield
    except Exception as error:  # what C++ (matplotlib's, say) makes of an interrupt that is raised in it
        if isinstance(error, EXPLAINED) or not _interrupts:
            raise
        raise click.Abort from None
    finally:
        sys.unraisablehook = before
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(*_: object) -> None:
    """Handle Ctrl-C. While torch is loaded, before anything else starts, an exception would abort the process in C++."""
    if getattr(getattr(sys.modules.get("torch"), "__spec__", None), "_initializing", False):
        _leave(_fail(sys.argv[1:], "interrupted", INTERRUPTED))
    _interrupts.append(signal.SIGINT)
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """End the process at once: Python's own exit would wait for threads that still compile, and may fail in half-made code."""
    for file in (sys.stdout, sys.stderr):
        _print(file, "")
    os._exit(code)


class _Verbs(click.Group):
    """Finds verbs by file, and turns every failure that snnc can explain into one message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        file = f"{name}_" if iskeyword(name) else name
        command: click.Command = importlib.import_module(f"snnc.cli.{file}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS:
            ctx.fail(f"no command {args[0]!r}; {nearest(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SystemExit as end:
            if isinstance(end.__context__, BrokenPipeError):  # rich ends the process where nobody reads on
                raise
            what = f"a file that was executed ended snnc by sys.exit({end.code!r})"
            raise UsageError(what, fix="let its function return") from end

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        words = list(args[0] if args else extra.get("args") or sys.argv[1:])
        _open_streams()
        try:
            with _ended_by_signals():
                result = super().main(*args, **extra)
                sys.stdout.flush()
            code = result if isinstance(result, int) else 0
        except SnncError as error:
            what, where, fix = error.as_options or (error.what, error.where, error.fix)
            code = _fail(words, sentence(what, where, fix), error.exit_code, what=what, where=where, fix=fix)
        except click.ClickException as error:
            code = _fail(words, error.format_message(), error.exit_code)
        except click.Abort as abort:
            ended = isinstance(abort.__cause__, EOFError)  # click takes it for Ctrl-D, but nothing here asks the user
            code = (
                _fail(words, f"a file ends too early: {abort.__cause__}", 1)
                if ended
                else _fail(words, "interrupted", INTERRUPTED)
            )
        except _Ended as ended:
            number = signal.Signals(ended.args[0])
            code = _fail(words, f"ended by {number.name}", ENDING[number])
        except (MemoryError, ImportError, RuntimeError) as error:
            if not of_memory(error):
                raise
            code = _fail(words, f"the memory is exhausted{_how_much(error)}; {MORE_MEMORY}", 1)
        except OSError as error:
            code = _fail(words, f"{error.filename or 'the system'}: {error.strerror or error}", 1)
        sys.exit(code)


def _open_streams() -> None:
    """Give Python's None, where the shell has closed stdout or stderr, a place to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - as long as the process lives


def _how_much(error: BaseException) -> str:
    said = " ".join(str(error).split())[:200]
    return f" ({said})" if said else ""


def _fail(words: list[str], message: str, code: int, **detail: str) -> int:
    """Write one sentence to stderr, and one JSON object to stdout for scripts. Either may be full or closed; the exit code
    stays.
    """
    body = {"schema": "snnc.error/1", "ok": False, "exit_code": code, "message": message, **detail}
    _print(sys.stderr, f"error: {message}\n")
    _print(sys.stdout, json.dumps(body) + "\n" if "--json" in words else "")
    return code


def _print(file: TextIO, text: str) -> None:
    try:
        click.echo(text, file=file, nl=False)
        file.flush()
    except OSError:  # else Python fails once more when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snnc")
def main() -> None:
    """Take a trained spiking network to a neuromorphic chip, and prove every step spike for spike.

    train -> prune -> quantise -> check -> export -> verify; `snnc run CONFIG.toml` does all of it.
    """


def start() -> None:
    """Run the command line as a program. After a signal has ended the verb, which has cleaned up, do not wait for anything."""
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code in (INTERRUPTED, *ENDING.values()):
            _leave(end.code)
        raise
