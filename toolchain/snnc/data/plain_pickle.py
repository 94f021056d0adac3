"""Reads the pickles of CIFAR-10 without the pickle module: nothing that such a file names is imported or called.

Of pickle's language only the operations are known that Python 2 and 3 write for dicts, lists, numbers, strings and
arrays of bytes. An array becomes `Bytes` whatever the file says that should be called; all else is refused. Source:
CPython's Lib/pickletools.py, which also cuts the file into operations here.
"""

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from snnc.errors import DataError

MAX_OPERATIONS = 200_000  # an original batch has about 42,000: two for each label and file name
_RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_ARRAY, _DTYPE = "numpy ndarray", "numpy dtype"
_CLASSES = (*_RECONSTRUCT, _ARRAY, _DTYPE)


@dataclass
class Bytes:
    """An array of uint8: shape, and its content in row-major order."""

    shape: tuple[int, ...] = ()
    content: bytes = b""


@dataclass(frozen=True)
class _Name:
    """What would be imported: here it is a word and stays one."""

    word: str


@dataclass(frozen=True)
class _ByteType:
    """numpy's dtype of unsigned bytes."""


def read(raw: bytes, where: str) -> Any:
    """Return the value in a pickle: dict, list, tuple, int, bool, None, bytes (strings, too) or `Bytes`.

    Raises DataError for a file that holds anything else, or that is truncated or no pickle.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # genops warns of odd escapes in strings that are refused anyway
            machine.run(raw)
    except _RefusedError as error:
        raise DataError(f"holds what no such data set holds: {error}", where=where, fix="get the original file") from error
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise DataError("is no pickle, or is truncated", where=where, fix="get the original file") from error
    return machine.result


class _RefusedError(Exception):
    """The file asks for more than plain data."""


@dataclass
class _Machine:
    """The stack and the memo of pickle's language; marks are heights of the stack."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    result: Any = None

    def run(self, raw: bytes) -> None:
        """Carry out a pickle."""
        for count, (operation, argument, _) in enumerate(pickletools.genops(raw)):
            if count == MAX_OPERATIONS:
                raise _RefusedError(f"more than {MAX_OPERATIONS} operations")
            self.do(operation.name, argument)

    def do(self, name: str, argument: Any) -> None:
        """Carry out one operation."""
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _STRINGS:
            self.stack.append(argument.encode(_STRINGS[name]))
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)
        elif name not in _IGNORED:
            raise _RefusedError(f"the operation {name}")

    def pop(self, kind: type) -> Any:
        """Pop the top of the stack, which has to be of that kind."""
        value = self.stack.pop()
        if not isinstance(value, kind):
            raise _RefusedError(f"{type(value).__name__} in place of {kind.__name__}")
        return value

    def above_mark(self) -> list[Any]:
        """Pop what was pushed since the last mark."""
        return self.last(len(self.stack) - self.marks.pop())

    def last(self, count: int) -> list[Any]:
        """Pop the last values pushed."""
        at = len(self.stack) - count
        if not 0 <= at <= len(self.stack):
            raise IndexError
        values = self.stack[at:]
        del self.stack[at:]
        return values


def _remember(machine: _Machine, at: int | None) -> None:
    machine.memo[len(machine.memo) if at is None else at] = machine.stack[-1]


def _extend(machine: _Machine, values: list[Any]) -> None:
    target = machine.pop(list)
    target.extend(values)
    machine.stack.append(target)


def _set_items(machine: _Machine, flat: list[Any]) -> None:
    target = machine.pop(dict)
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if not isinstance(key, bytes):
            raise _RefusedError(f"a key of type {type(key).__name__}")
        target[key] = value
    machine.stack.append(target)


def _tuple(machine: _Machine, values: list[Any]) -> None:
    machine.stack.append(tuple(values))


def _name(machine: _Machine, word: str) -> None:
    if word not in _CLASSES:
        raise _RefusedError(f"{word.replace(' ', '.')}, which would be imported")
    machine.stack.append(_Name(word))


def _name_from_stack(machine: _Machine) -> None:
    attribute, module = machine.pop(bytes), machine.pop(bytes)
    _name(machine, f"{module.decode('latin-1')} {attribute.decode('latin-1')}")


def _call(machine: _Machine) -> None:
    """Make an object in numpy's two ways; they give ours."""
    arguments, name = machine.pop(tuple), machine.pop(_Name)
    if name.word in _RECONSTRUCT and arguments[0] == _Name(_ARRAY):
        machine.stack.append(Bytes())
    elif name.word == _DTYPE and arguments[0] == b"u1":
        machine.stack.append(_ByteType())
    else:
        raise _RefusedError(f"a call of {name.word.replace(' ', '.')} with {arguments[:1]!r}"[:200])


def _set_state(machine: _Machine) -> None:
    state, target = machine.pop(tuple), machine.stack[-1]
    if isinstance(target, _ByteType):
        return
    if not isinstance(target, Bytes):
        raise _RefusedError(f"a state for {type(target).__name__}")
    _, shape, kind, by_column, content = state
    if kind != _ByteType() or not isinstance(content, bytes) or by_column or not _is_shape(shape):
        raise _RefusedError("an array other than rows of bytes")
    target.shape, target.content = shape, content


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(isinstance(n, int) for n in shape)


_IGNORED = {"PROTO", "FRAME"}
_PUSHED = {"BININT", "BININT1", "BININT2", "LONG1", "BINBYTES", "SHORT_BINBYTES"}
_STRINGS = {  # and how their bytes were decoded
    "BINSTRING": "latin-1",
    "SHORT_BINSTRING": "latin-1",
    "BINUNICODE": "utf-8",
    "SHORT_BINUNICODE": "utf-8",
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "BINPUT": _remember,
    "LONG_BINPUT": _remember,
    "MEMOIZE": _remember,
    "BINGET": lambda m, at: m.stack.append(m.memo[at]),
    "LONG_BINGET": lambda m, at: m.stack.append(m.memo[at]),
    "APPEND": lambda m, _: _extend(m, m.last(1)),
    "APPENDS": lambda m, _: _extend(m, m.above_mark()),
    "SETITEM": lambda m, _: _set_items(m, m.last(2)),
    "SETITEMS": lambda m, _: _set_items(m, m.above_mark()),
    "TUPLE": lambda m, _: _tuple(m, m.above_mark()),
    "TUPLE1": lambda m, _: _tuple(m, m.last(1)),
    "TUPLE2": lambda m, _: _tuple(m, m.last(2)),
    "TUPLE3": lambda m, _: _tuple(m, m.last(3)),
    "GLOBAL": _name,
    "STACK_GLOBAL": lambda m, _: _name_from_stack(m),
    "REDUCE": lambda m, _: _call(m),
    "BUILD": lambda m, _: _set_state(m),
    "STOP": lambda m, _: setattr(m, "result", m.stack.pop()),
}
