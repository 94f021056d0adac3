"""Writing so that nothing existing is lost: into a temporary name, synced, then renamed. Used wherever files are written,
and where JSON from outside is read.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snnc.errors import FileError, WriteError


def must_be_free(path: Path, force: bool, ours: Callable[[Path], bool] | None = None) -> None:
    """Raise FileError if ``path`` exists and may not be overwritten. Called before long work, too.

    ``ours`` is given for folders, which are replaced with all that they hold: only an empty one, or one of which it says
    that we wrote it.
    """
    if path.exists() and not force:
        raise FileError("exists already", where=str(path), fix="pick another --out or add --force to replace it")
    if path.exists() and ours and not _is_replaceable(path, ours):
        raise FileError("is not a folder that snnc wrote, so it is not replaced", where=str(path), fix="pick another --out")
    if not path.absolute().parent.is_dir():
        raise FileError("the folder does not exist", where=str(path.absolute().parent), fix="create it first")


def _is_replaceable(path: Path, ours: Callable[[Path], bool]) -> bool:
    with _file_errors(path):
        return path.is_dir() and (ours(path) or not any(path.iterdir()))


def read_json(path: Path, what: str, max_bytes: int, fix: str) -> Any:
    """Read a JSON file from outside. Raises FileError if it cannot be read, is larger, or is no JSON (with ``fix``)."""
    try:
        if (size := path.stat().st_size) > max_bytes:
            raise FileError(f"has {size:,} bytes, a {what} has at most {max_bytes:,}", where=str(path))
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", where=str(path), fix="check the path") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"is not JSON ({error})", where=str(path), fix=fix) from error


def write_bytes(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all. Raises FileError if it exists (without ``force``), WriteError if it cannot be written."""
    must_be_free(path, force)
    with _file_errors(path):
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.absolute().parent)


@contextmanager
def new_folder(path: Path, *, ours: Callable[[Path], bool], force: bool = False) -> Iterator[Path]:
    """Yield a folder to fill that appears under ``path`` when the block ends without an error, and not at all otherwise.

    Raises FileError as `must_be_free` does, and WriteError if it cannot be written; then what was there before is there again.
    """
    must_be_free(path, force, ours)
    with _file_errors(path):
        temporary = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
        try:
            temporary.chmod(0o777 & ~_umask())
            yield temporary
            for inside in [*temporary.rglob("*"), temporary]:
                _sync(inside)
            _swap(temporary, path)
            _sync(path.absolute().parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    """Put the folder ``new`` in the place of ``path``; the old content goes only after the new one stands."""
    if not path.exists():
        new.rename(path)
        return
    aside = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    old = aside / "old"
    try:
        path.rename(old)
        new.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside)


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot write: {error.strerror or error}", where=str(path), fix=write_remedy(error)) from error


def write_remedy(error: OSError) -> str:
    """Return what to do about an error of writing."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space or pick another place"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "get the right to write there or pick another place"
    return "pick another place"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
