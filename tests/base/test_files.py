"""Folders are written whole or not at all, and nothing that is not ours is replaced."""

import errno
import os
from pathlib import Path

import pytest

from snnc.base.files import new_folder, write_bytes
from snnc.errors import FileError, WriteError


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path, ours = tmp_path / "out", lambda folder: (folder / "whole").exists()

    def fill_and_fail():
        with new_folder(path, ours=ours) as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_and_fail()
    assert list(tmp_path.iterdir()) == []
    with new_folder(path, ours=ours) as folder:
        (folder / "whole").write_text("x")
    with pytest.raises(FileError, match="exists already"), new_folder(path, ours=ours):
        pass
    with new_folder(path, ours=ours, force=True) as folder:
        (folder / "new").write_text("y")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "new"]


def test_only_our_folders_and_empty_ones_are_replaced(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    with new_folder(path, ours=lambda _: False, force=True) as folder:
        (folder / "precious").write_text("x")
    with pytest.raises(FileError, match="is not a folder that snnc wrote"), new_folder(path, ours=lambda _: False, force=True):
        pass
    assert (path / "precious").read_text() == "x"
    with pytest.raises(FileError, match="not a folder"), new_folder(path / "precious", ours=lambda _: True, force=True):
        pass


@pytest.mark.parametrize("failing", [1, 2])
def test_a_folder_that_cannot_be_replaced_stays(failing, tmp_path, monkeypatch):
    path, rename, calls = tmp_path / "out", Path.rename, []
    with new_folder(path, ours=lambda _: True) as folder:
        (folder / "old").write_text("x")

    def busy(self, target):
        calls.append(target)
        if len(calls) == failing:
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(FileError, match="busy"), new_folder(path, ours=lambda _: True, force=True):
        pass
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["out", "out/old"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EACCES, "get the right to write"), (errno.EFBIG, "pick another")],
)
def test_a_failed_write_names_its_cause_and_remedy(number, remedy, tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match=f"cannot write: {os.strerror(number)}; {remedy}") as caught:
        write_bytes(tmp_path / "a", b"x")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
