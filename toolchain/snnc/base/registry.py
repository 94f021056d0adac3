"""Plug-ins by name: files in a folder of snnc, and what other distributions offer as entry points. Used by all stages.

A neuron, an operator, a target ... is a new file in its folder, or a module of another distribution with the same content: an
entry point in the group of its kind, of the plug-in's name. Nothing is imported before it is asked for by its name.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType

from snnc.errors import ConfigError, DataError, PluginError, ProfileError, SnncError, UnsupportedError, UsageError, nearest

CHIPS = "snnc.chips"  # the group of chips, which are TOML files beside the module that the entry point names


@cache
def shipped(package: str) -> tuple[str, ...]:
    """Return the public modules of a package, sorted; none of them is imported."""
    path = importlib.import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))


@cache
def offered(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group by name, those of several distributions together; none of them is loaded."""
    by_name: dict[str, tuple[EntryPoint, ...]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, brought_by(point))) if group else ():
        by_name[point.name] = (*by_name.get(point.name, ()), point)
    return MappingProxyType(by_name)


def brought_by(point: EntryPoint) -> str:
    """Return the distribution of an entry point with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def load_offered(group: str, kind: str, name: str, own: Collection[str]) -> ModuleType:
    """Import the module that an entry point names.

    Raises PluginError, which names the distribution, if snnc (whose names are ``own``) or another distribution has a plug-in
    of that name, if the import fails, and if the entry point names no module.
    """
    first, *others = offered(group)[name]
    dist = brought_by(first)
    if rivals := [*(["snnc itself"] if name in own else []), *map(brought_by, others)]:
        raise PluginError(
            f"is offered by {dist} and by {' and by '.join(rivals)}",
            where=f"{kind} {name!r}",
            fix=f"rename it in {dist}, or uninstall that",
        )
    try:
        module = first.load()
    except (Exception, SystemExit) as error:
        what = f"of {dist} cannot be imported ({type(error).__name__}: {error})"
        raise PluginError(what, where=f"{kind} {name!r}", fix=f"update or uninstall {dist}") from error
    if not isinstance(module, ModuleType):
        raise PluginError(f"of {dist} is no module: {first.value}", where=f"{kind} {name!r}", fix='write "package.module"')
    return module


@dataclass(frozen=True)
class Registry:
    """Plug-ins of one kind. ``needs``: what the module of each has to hold. ``checks``: functions that return what is wrong with
    a module of another distribution, each as a sentence; the package of the kind adds them."""

    package: str  # in which those of snnc lie
    kind: str  # what one is called in messages
    unknown: type[SnncError]
    group: str = ""  # of the entry points
    needs: tuple[str, ...] = ()
    checks: list[Callable[[ModuleType], Sequence[str]]] = field(default_factory=list, compare=False)

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted; nothing is imported."""
        return tuple(sorted({*shipped(self.package), *offered(self.group)}))

    def module(self, name: str) -> ModuleType:
        """Import a plug-in. Raises ``unknown`` for a name that there is not, PluginError for one that does not work."""
        own = shipped(self.package)
        if name not in offered(self.group):
            if name not in own:
                raise self.unknown(f"no {self.kind} {name!r}", fix=nearest(str(name), self.names()))
            return importlib.import_module(f"{self.package}.{name}")
        module, dist = load_offered(self.group, self.kind, name, own), brought_by(offered(self.group)[name][0])
        if module.__name__.rpartition(".")[2] != name:
            what = f"of {dist} is the module {module.__name__!r}"
            raise PluginError(what, where=f"{self.kind} {name!r}", fix="give file and entry point one name")
        if lacking := [need for need in self.needs if not hasattr(module, need)]:
            raise PluginError(f"of {dist} has no {', '.join(lacking)}", where=f"{self.kind} {name!r}", fix="add it to the module")
        if wrong := [sentence for check in self.checks for sentence in check(module)]:
            what = f"of {dist} does not do what it says: {'; '.join(wrong)}"
            raise PluginError(what, where=f"{self.kind} {name!r}", fix=f"update or uninstall {dist}")
        return module

    def broken(self) -> dict[str, PluginError]:
        """Return why plug-ins of other distributions do not work, by name; all are imported."""
        broken: dict[str, PluginError] = {}
        for name in offered(self.group):
            try:
                self.module(name)
            except PluginError as error:
                broken[name] = error
        return broken

    def working(self) -> tuple[str, ...]:
        """Return the names of those that can be used; those of other distributions are imported."""
        broken = self.broken()
        return tuple(name for name in self.names() if name not in broken)


NEURONS = Registry("snnc.neurons", "neuron model", UnsupportedError, "snnc.neurons", ("MODEL",))
OPERATORS = Registry("snnc.ops", "operator", UnsupportedError, "snnc.ops", ("OP",))
TARGETS = Registry(
    "snnc.exporters",  # found by name: nothing imports an exporter
    "target",
    UsageError,
    "snnc.targets",
    ("SUMMARY", "NEEDS_MAPPING", "neuron_problem", "operator_problem", "problems", "export"),
)
IMPORTERS = Registry("snnc.importers", "importer", UnsupportedError, "snnc.importers", ("SUMMARY", "SUFFIXES", "OPTIONS", "read"))
DATA_SETS = Registry("snnc.data.sets", "data set", DataError, "snnc.datasets", ("load",))
METHODS = Registry("snnc.training.methods", "pruning method", ConfigError, "snnc.methods", ("METHOD",))
STRATEGIES = Registry("snnc.mapping.strategies", "strategy", UsageError, "snnc.strategies", ("SUMMARY", "cut"))
STORAGE_RULES = Registry("snnc.chips.memory", "storage model", ProfileError)
OPEN = (NEURONS, OPERATORS, TARGETS, IMPORTERS, DATA_SETS, METHODS, STRATEGIES)  # to other distributions
