"""Exports and artifacts that the tests share."""

import sys

import pytest

from cases.networks import fixed_chain
from snnc import chips, store, targets
from snnc.cli import main
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.verification.prove import from_noise, verify_artifact


def mapped(net, chip="loihi1"):
    profile = chips.load(chip)
    return place(net, split(net, profile), profile)


def export(target, net, out, **options):
    return targets.export(target, net, mapped(net) if targets.load(target).NEEDS_MAPPING else None, out, **options)


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def saved(net, folder):
    store.save(net, folder / "net.snnc")
    return folder / "net.snnc"


def proof(artifact, net=None):
    """A verdict on an artifact as it is, altered or not."""
    net = net or fixed_chain()
    return verify_artifact(targets.read_artifact(artifact), net, from_noise(net, 4, 0.5, 0), 1, timeout_s=20, as_it_is=True)


def said_by_export(capsys, path, *words):
    """The exit code of an export and its message."""
    with pytest.raises(SystemExit) as end:
        main(["export", str(path), "-o", str(path.parent / "exported"), *words])
    assert (path.parent / "exported").exists() == (end.value.code == 0)
    return end.value.code, capsys.readouterr().err


def without_packages(folder):
    """An interpreter that finds no installed package."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    script.chmod(0o755)
    return str(script)
