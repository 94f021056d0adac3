"""From the files of other tools to a `Network`: one file an importer, found by name. Beside training, before quantising."""

import hashlib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Protocol, cast

from snnc.base import registry
from snnc.errors import FileError, UnsupportedError, UsageError
from snnc.importers._shared.encoding import with_encoding
from snnc.importers._shared.settings import ENCODING_FIELDS, ImportConfig, Imported
from snnc.network.model import Stage

MAX_SOURCE_BYTES = 4 << 30


class Importer(Protocol):
    """What a file in importers/ offers. Heavy packages are imported inside ``read``."""

    SUMMARY: str  # one line: what it reads
    SUFFIXES: tuple[str, ...]  # of file names by which it is guessed
    OPTIONS: tuple[str, ...]  # the fields of ImportConfig that it takes, those of the encoding apart

    def read(self, source: str, config: ImportConfig) -> Imported:
        """The network in ``source`` (a path, or FILE.py:FACTORY), float or fixed, without an encoding.

        Raises FileError for what it cannot read, UnsupportedError (`errors.refuse`) with all that a network cannot say.
        """


def names() -> tuple[str, ...]:
    """All importers, by file name."""
    return registry.names(__name__)


def load(name: str) -> Importer:
    """An importer by its name. Raises UnsupportedError for an unknown one."""
    return cast(Importer, registry.module(__name__, name, UnsupportedError, "importer"))


def guess(source: str) -> str:
    """The importer that a source's name suggests. Raises UsageError if none does."""
    file = _path(source).name.lower()
    found = [name for name in names() if file.endswith(load(name).SUFFIXES)]
    if len(found) != 1:
        raise UsageError("its name does not say what it is", where=source, fix=f"add --from: {', '.join(names())}")
    return found[0]


def _path(source: str) -> Path:
    """The file of a source, which is a path, or FILE.py:FACTORY."""
    file, _, _ = source.rpartition(":")
    return Path(file if file.endswith(".py") else source)


def read(source: str, config: ImportConfig = ImportConfig(), importer: str | None = None) -> Imported:
    """Import a network; it remembers where it came from (stage "import") and takes the encoding of ``config``.

    ``importer`` is one of `names` (default: guessed). Raises what `Importer.read` raises, UsageError for an option that
    the importer does not take.
    """
    name = importer or guess(source)
    chosen = load(name)
    _must_take(chosen, name, config)
    found = chosen.read(source, config)
    network = with_encoding(found.network, config.encoding_or_none)
    stage = Stage("import", {"from": name, **_origin(source), **_given(config), **found.settings})
    return Imported(network.after(stage), found.parts, found.notes, found.settings)


def _must_take(importer: Importer, name: str, config: ImportConfig) -> None:
    given = set(_given(config)) - set(ENCODING_FIELDS)
    if odd := sorted(given - set(importer.OPTIONS)):
        flags = ", ".join(f"--{field.replace('_', '-')}" for field in odd)
        raise UsageError(f"{flags}: not for imports from {name!r}", fix="leave it out")


def _given(config: ImportConfig) -> dict[str, Any]:
    """The settings that are not the default; of paths only the file name."""
    unlike = [f.name for f in fields(config) if getattr(config, f.name) != f.default]
    return {name: value.name if isinstance(value, Path) else value for name, value in asdict(config).items() if name in unlike}


def _origin(source: str) -> dict[str, Any]:
    path = _path(source)
    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise FileError(f"has {path.stat().st_size:,} bytes, at most {MAX_SOURCE_BYTES:,} are read", where=str(path))
        with path.open("rb") as file:
            return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
