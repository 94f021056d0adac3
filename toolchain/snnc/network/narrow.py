"""Arrays held in a smaller type than the one in which they are read, in memory or mapped from a file."""

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 18  # elements that are widened together
_TYPES = (np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64)


@dataclass(frozen=True, eq=False)
class Narrow:
    """A row of numbers: element i is ``held[i] << shift`` in type ``dtype``, or ``held[i]`` where there is no shift.

    What is asked for is widened and copied. Of an array that is mapped from a file, the pages that were read are given back
    afterwards: they come again from the file, and do not add up in memory.

    Examples:
        >>> import numpy as np
        >>> narrow = Narrow(np.array([-3, 5], np.int8), np.dtype(np.int64), shift=1)
        >>> narrow[0:2].tolist(), narrow.nbytes
        ([-6, 10], 2)
    """

    held: NDArray[Any]  # (n,)
    dtype: np.dtype[Any]
    shift: int = 0
    file: mmap.mmap | None = None  # what ``held`` is mapped from
    offset: int = 0  # of its first byte in the file

    def __post_init__(self) -> None:
        self.held.setflags(write=False)

    def __reduce__(self) -> Any:
        """Leave the file behind where the array goes to another process."""
        return type(self), (np.array(self.held), self.dtype, self.shift)

    def __len__(self) -> int:
        return len(self.held)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.held.shape

    @property
    def nbytes(self) -> int:
        """The bytes that it takes, in memory or in the file."""
        return self.held.nbytes

    def __getitem__(self, at: slice | NDArray[Any]) -> NDArray[Any]:
        wide = self.held[at].astype(self.dtype)
        if self.shift:
            wide <<= self.shift
        if isinstance(at, slice):
            self._release(*at.indices(len(self))[:2])
        return wide

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)

    def only(self, at: NDArray[np.int64]) -> "Narrow":
        """Return the elements at these places, as narrow."""
        return Narrow(self.held[at], self.dtype, self.shift)

    def _release(self, first: int, last: int) -> None:
        """Give back the pages of elements ``first`` .. ``last - 1`` where they are mapped and the system can."""
        if self.file is None or last <= first or not hasattr(mmap, "MADV_DONTNEED"):
            return
        size = self.held.itemsize
        start = (self.offset + first * size) // mmap.PAGESIZE * mmap.PAGESIZE
        self.file.madvise(mmap.MADV_DONTNEED, start, self.offset + last * size - start)


def pieces(array: NDArray[Any] | Narrow) -> Iterator[NDArray[Any]]:
    """Yield an array, element after element, in pieces of at most `PIECE` elements in the type in which it is read."""
    if array.shape and len(array) > PIECE:
        yield from (array[start : start + PIECE] for start in range(0, len(array), PIECE))
    else:
        yield np.asarray(array)


def ends(array: NDArray[Any] | Narrow) -> tuple[Any, Any]:
    """Return the least and the largest element and 0."""
    both = [(piece.min(initial=0), piece.max(initial=0)) for piece in pieces(array)]
    return min(low for low, _ in both), max(high for _, high in both)


def smallest(array: NDArray[Any] | Narrow) -> tuple[np.dtype[Any], int]:
    """Return the smallest type that holds a row of integers or floats exactly, and by how many bits they are shifted down first.

    Only integers that then fit in 32 bits are shifted. Floats are held in 32 bits where none changes.
    """
    if array.dtype.kind == "f":
        return np.dtype(np.float32 if all(map(_in_single, pieces(array))) else np.float64), 0
    together = np.bitwise_or.reduce([np.bitwise_or.reduce(piece, initial=0) for piece in pieces(array)])
    shift = min((int(together) & -int(together)).bit_length() - 1, 8) if together else 0
    low, high = (int(end) for end in ends(array))
    dtype = type_for(low >> shift, high >> shift)
    return (dtype, shift) if dtype != np.int64 else (dtype, 0)


def type_for(low: int, high: int) -> np.dtype[Any]:
    """Return the smallest integer type that holds ``low`` .. ``high``, the largest there is if none does."""
    return np.dtype(next((t for t in _TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max), np.int64))


def _in_single(values: NDArray[np.float64]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((values.astype(np.float32) == values).all())


def pairwise(part: Callable[[int, int], Any], first: int, last: int) -> Any:
    """Return sums of floats, of which ``part`` sums those from ``first`` to ``last - 1`` with `numpy.sum`: piece by piece, and
    yet equal to the last bit to those of all at once.

    numpy halves what it sums, at a multiple of 8; so are the pieces made here.
    """
    if (n := last - first) <= PIECE:
        return part(first, last)
    middle = first + n // 2 - n // 2 % 8
    return pairwise(part, first, middle) + pairwise(part, middle, last)
