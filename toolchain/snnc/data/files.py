"""What data sets in files share: the folder that the user named, and reading that never fills the memory."""

import gzip
import os
import zlib
from pathlib import Path

from snnc.data.dataset import FOLDER_VARIABLE
from snnc.errors import DataError


def named_folder(name: str, folder: Path | None, fix: str) -> Path:
    """Return ``folder``, or the one that SNNC_DATA names. Raises DataError if neither was given or it is not there."""
    named = folder or (Path(value) if (value := os.environ.get(FOLDER_VARIABLE)) else None)
    if named is None:
        raise DataError(f"{name} is read from a folder and none was given", fix=fix)
    if not named.is_dir():
        raise DataError("no such folder", where=str(named), fix=fix)
    return named


def read_at_most(path: Path, limit: int) -> bytes:
    """Read the first ``limit`` bytes of a file, unpacked if it ends in .gz: a file that swells never fills the memory."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return bytes(file.read(limit))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"is no whole gzip file ({error})", where=str(path), fix="get the file again") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the file") from error
