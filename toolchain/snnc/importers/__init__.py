"""From the files of other tools to a `Network`: one file an importer, found by name. Beside training, before quantising."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Protocol, cast

from snnc.base import registry
from snnc.base.config import config_of
from snnc.base.files import sha256_of
from snnc.base.public import public
from snnc.errors import FileError, UsageError
from snnc.importers._settings import ENCODING_FIELDS, ImportConfig, Imported, Part
from snnc.network.stage import Stage
from snnc.passes.encode_inputs import with_encoding

__all__ = ["ImportConfig", "Imported", "Importer", "Part", "guess", "import_network", "load", "names", "read"]

MAX_SOURCE_BYTES = 4 << 30
MODULES = "snntorch"  # the importer of torch modules


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
    return registry.IMPORTERS.names()


def load(name: str) -> Importer:
    """An importer by its name. Raises UnsupportedError for an unknown one."""
    return cast(Importer, registry.IMPORTERS.module(name))


def guess(source: str) -> str:
    """The importer that a source's name suggests. Raises UsageError if none does."""
    file = _path(source).name.lower()
    found = [name for name in registry.IMPORTERS.working() if file.endswith(load(name).SUFFIXES)]
    if len(found) != 1:
        raise UsageError("its name does not say what it is", where=source, fix=f"add --from: {', '.join(names())}")
    return found[0]


def _path(source: str) -> Path:
    """The file of a source, which is a path, or FILE.py:FACTORY."""
    file, _, _ = source.rpartition(":")
    return Path(file if file.endswith(".py") else source)


@public
def import_network(source: Any, format: str | None = None, *, config: ImportConfig | None = None, **settings: Any) -> Imported:
    """Turn what another tool made into a network: a NIR or netx file, or a torch module with snnTorch's neurons.

    A TOML file describes populations and the rules that join them.

    Args:
        source: Path of a file; FILE.py:FACTORY, whose function makes a torch module (the file is executed); or the module.
        format: "nir", "netx", "rules" or "snntorch" (default: guessed from the name of the file).
        config: All settings at once, instead of keywords.
        **settings: Fields of `ImportConfig`: ``input_shape`` ("1x28x28" or a tuple), ``time_axis``, ``dt_s``, ``discretise``,
            ``weights``, and the encoding: ``encoding``, ``steps``, ``seed``.

    Returns:
        The network (``network``), what became of each part of the source (``parts``), and ``notes``.

    Raises:
        FileError: The file cannot be read, or is damaged.
        UnsupportedError: A network cannot express the source; the message lists everything in one go.
        UsageError: The name does not say what the source is, or a setting is not for this format.
        ConfigError: A setting is unknown or impossible, or the module fails on its input.
        MissingDependencyError: A package that reads the format is not installed.

    Examples:
        >>> import snnc, snntorch, torch
        >>> class Net(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc, self.out = torch.nn.Linear(4, 2, bias=False), snntorch.Leaky(0.9, reset_mechanism="zero")
        ...     def forward(self, steps):
        ...         v, spikes = self.out.init_leaky(), []
        ...         for frame in steps:
        ...             fired, v = self.out(self.fc(frame), v)
        ...             spikes.append(fired)
        ...         return torch.stack(spikes)
        >>> imported = snnc.read(Net(), time_axis="first")
        >>> [p.size for p in imported.network.populations]
        [4, 2]
    """
    if isinstance(shape := settings.get("input_shape"), tuple):
        settings["input_shape"] = "x".join(map(str, shape))
    config = config_of(ImportConfig, config, settings)
    if isinstance(source, str | Path):
        return read(str(source), config, format)
    if format not in (None, MODULES):
        raise UsageError(f"is no file but {type(source).__name__}", where=f"import from {format!r}", fix="pass a path")
    return _read_module(source, config)


def _read_module(module: Any, config: ImportConfig) -> Imported:
    """Import a torch module."""
    from snnc.importers.snntorch import read_module

    _must_take(load(MODULES), MODULES, config)
    name = type(module).__name__
    return _remembered(read_module(module, config, name), {"from": MODULES, "module": name}, config)


def read(source: str, config: ImportConfig = ImportConfig(), importer: str | None = None) -> Imported:
    """Import a network; it remembers where it came from (stage "import") and takes the encoding of ``config``.

    ``importer`` is one of `names` (default: guessed). Raises what `Importer.read` raises, UsageError for an option that
    the importer does not take.
    """
    name = importer or guess(source)
    chosen = load(name)
    _must_take(chosen, name, config)
    return _remembered(chosen.read(source, config), {"from": name, **_origin(source)}, config)


def _remembered(found: Imported, origin: Mapping[str, Any], config: ImportConfig) -> Imported:
    """Return what was imported with its encoding, and the stage "import"."""
    network = with_encoding(found.network, config.encoding_of(found.network))
    stage = Stage("import", {**origin, **_given(config), **found.settings})
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
        return {"file": path.name, "sha256": sha256_of(path)}
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
