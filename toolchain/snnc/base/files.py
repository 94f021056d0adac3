"""Writing so that nothing existing is lost: into a temporary name, synced, then renamed. Used wherever files are written,
and where JSON from outside is read.
"""

import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from snnc.errors import FileError, WriteError

ASIDE = "-aside"  # ends the names of folders that hold what is being replaced


def must_be_free(
    path: Path, force: bool, ours: Callable[[Path], bool] | None = None, *, option: str = "--out", replaceable: bool = True
) -> None:
    """Raise FileError if ``path`` exists and may not be overwritten, WriteError if nothing can be written there. Called before
    long work, too.

    ``ours`` is given for folders: an empty one is filled; one that holds anything is replaced with all that it holds, if it says
    that we wrote it. ``option`` names ``path`` at the command line, where ``replaceable`` says that there is --force.
    """
    with _file_errors(path):
        if ours is None and path.exists() and not path.is_file():  # a device would be replaced by a file
            what = "is a folder" if path.is_dir() else "is no regular file"
            raise FileError(what, where=str(path), fix=f"pick another {option}")
        if os.path.lexists(path) and not force and not (ours and _is_fillable(path)):
            raise taken(path, option, replaceable)
        if path.exists() and ours and not _is_replaceable(path, ours):
            what = "is not a folder that snnc wrote, so it is not replaced"
            raise FileError(what, where=str(path), fix=f"pick another {option}")
        if not (parent := path.absolute().parent).is_dir():
            raise FileError("the folder does not exist", where=str(parent), fix="create it first")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def is_empty_folder(path: Path) -> bool:
    """Return whether there is a folder with nothing in it. Raises OSError if it cannot be read."""
    return path.is_dir() and not any(path.iterdir())


def make_folder(path: Path, option: str = "--out") -> None:
    """Make a folder and those above it, if they are not there. Raises FileError for a file, WriteError if it cannot be made."""
    with _file_errors(path):
        if path.exists() and not path.is_dir():
            raise FileError("is no folder", where=str(path), fix=f"pick another {option}")
        path.mkdir(parents=True, exist_ok=True)


def _is_fillable(path: Path) -> bool:
    """Whether a new folder can take the place of an empty one: not that of a link, nor that in which the user stands."""
    return is_empty_folder(path) and not path.is_symlink() and not path.samefile(Path())


def _is_replaceable(path: Path, ours: Callable[[Path], bool]) -> bool:
    return path.is_dir() and (ours(path) or is_empty_folder(path))


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


def sha256_of(path: Path) -> str:
    """Return the hash of a file, in hexadecimal. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, content: bytes | Iterable[bytes], *, force: bool = False) -> None:
    """Write a file, whose content may come in pieces, whole or not at all.

    Raises FileError if it exists (without ``force``), even if it was written meanwhile, and WriteError if it cannot be written.
    """
    must_be_free(path, force)
    with _file_errors(path):
        clear_leftovers(path)
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=_prefix(path))
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _claim(file.fileno())
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o666 & ~_umask())
                _put(temporary, path, force)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.absolute().parent)


def _put(temporary: Path, path: Path, force: bool) -> None:
    """Give a file its name; without ``force`` only if nobody else has taken it."""
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise taken(path) from error
    except OSError:  # a file system without hard links: a name is taken by an empty file, which is then replaced
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError as error:
            raise taken(path) from error
        temporary.replace(path)


def taken(path: Path, option: str = "--out", replaceable: bool = True) -> FileError:
    """Return the error of a name that is taken."""
    or_replace = " or add --force to replace it" if replaceable else ""
    return FileError("exists already", where=str(path), fix=f"pick another {option}{or_replace}")


def _prefix(path: Path) -> str:
    """Return how the names of temporary files beside ``path`` begin."""
    return f".{path.name}.snnc-"


def _claim(handle: int) -> None:
    """Lock what is being written, for as long as this process lives: what nobody claims was left by one that was killed."""
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear_leftovers(path: Path) -> None:
    """Take away what processes that were killed left beside ``path``; a folder that was being replaced then is put back."""
    for leftover in path.absolute().parent.glob(f"{glob.escape(_prefix(path))}*"):
        with suppress(OSError):
            handle = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while it is being written
                if leftover.name.endswith(ASIDE) and not path.exists():
                    (leftover / "old").rename(path)
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            finally:
                os.close(handle)


@contextmanager
def new_folder(path: Path, *, ours: Callable[[Path], bool], force: bool = False) -> Iterator[Path]:
    """A folder to fill that appears under ``path`` when the block ends without an error, and not at all otherwise.

    Raises FileError as `must_be_free` does, also if ``path`` was written meanwhile, and WriteError if it cannot be written; then
    what was there before is there again.
    """
    must_be_free(path, force, ours)
    with _file_errors(path), ExitStack() as claims:
        clear_leftovers(path)
        temporary = _claimed_folder(path, claims)
        try:
            temporary.chmod(0o777 & ~_umask())
            yield temporary
            for inside in [*temporary.rglob("*"), temporary]:
                _sync(inside)
            _swap(temporary, path, force, claims)
            _sync(path.absolute().parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _claimed_folder(path: Path, claims: ExitStack, suffix: str = "") -> Path:
    folder = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=_prefix(path), suffix=suffix))
    handle = os.open(folder, os.O_RDONLY)
    claims.callback(os.close, handle)
    _claim(handle)
    return folder


def _swap(new: Path, path: Path, force: bool, claims: ExitStack) -> None:
    """Put the folder ``new`` in the place of ``path``; the old content goes only after the new one stands."""
    if not os.path.lexists(path) or not force:
        try:
            new.rename(path)
        except OSError as error:
            raise (taken(path) if path.exists() else error) from error
        return
    aside = _claimed_folder(path, claims, ASIDE)
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
    if error.errno == errno.EFBIG:
        return "raise the limit on the size of files (ulimit -f) or pick another place"
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
