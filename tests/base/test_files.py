"""Folders are written whole or not at all, and nothing that is not ours is replaced."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snnc.base.files import clear_leftovers, new_folder, write_bytes
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
    [(errno.ENOSPC, "free some space"), (errno.EACCES, "get the right to write"), (errno.EFBIG, "raise the limit")],
)
def test_a_failed_write_names_its_cause_and_remedy(number, remedy, tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match=f"cannot write: {os.strerror(number)}; {remedy}") as caught:
        write_bytes(tmp_path / "a", b"x")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_at_once_and_never_half(tmp_path, monkeypatch):
    """At no time does its name hold anything but the old content or the new; the old file itself is not written to."""
    path, held = tmp_path / "a", []
    write_bytes(path, b"old")
    before = path.stat().st_ino
    fsync = os.fsync

    def look(handle):
        held.append(path.read_bytes())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", look)
    write_bytes(path, b"new", force=True)
    assert held == [b"old", b"new"], "first the new content lies under another name, then the name is synced"
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before


def test_the_second_of_two_writers_is_refused(tmp_path, monkeypatch):
    """Though the name was free when it began."""
    path, fsync = tmp_path / "a", os.fsync

    def another_was_faster(handle):
        if not path.exists():
            path.write_bytes(b"first")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", another_was_faster)
    with pytest.raises(FileError, match="exists already"):
        write_bytes(path, b"second")
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_second_writer_is_refused_without_hard_links_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write_bytes(tmp_path / "a", b"first")
    assert (tmp_path / "a").read_bytes() == b"first"
    monkeypatch.setattr("snnc.base.files.must_be_free", lambda *_: None)
    with pytest.raises(FileError, match="exists already"):
        write_bytes(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"


def test_the_second_of_two_writers_of_a_folder_is_refused(tmp_path):
    path = tmp_path / "out"

    def second():
        with new_folder(path, ours=lambda _: True) as folder:
            (folder / "b").write_text("second")
            with new_folder(path, ours=lambda _: True) as other:
                (other / "a").write_text("first")

    with pytest.raises(FileError, match="exists already"):
        second()
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["out", "out/a"]


KILLED = """
import os, signal, sys
from pathlib import Path
from snnc.base.files import clear_leftovers, new_folder, write_bytes
path, what = Path(sys.argv[1]), sys.argv[2]
if what == "file":
    os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
    write_bytes(path, b"x" * 100)
with new_folder(path, ours=lambda _: True, force=True) as folder:
    (folder / "half").write_text("x")
    if what == "aside":
        rename = Path.rename
        def once(self, target):
            rename(self, target)
            os.kill(os.getpid(), signal.SIGKILL)
        Path.rename = once
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("what", ["file", "folder", "aside"])
def test_what_a_killed_process_left_is_taken_away_by_the_next(what, tmp_path):
    path = tmp_path / "out"
    (tmp_path / ".out.mine").write_text("a file of the user's")
    if what == "aside":
        with new_folder(path, ours=lambda _: True) as folder:
            (folder / "precious").write_text("x")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), what], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len([p for p in tmp_path.iterdir() if p.name.startswith(".out.snnc-")]) >= 1
    if what == "aside":
        clear_leftovers(path)
        assert (path / "precious").read_text() == "x", "what was being replaced is put back"
    elif what == "file":
        write_bytes(path, b"whole")
    else:
        with new_folder(path, ours=lambda _: True) as folder:
            (folder / "whole").write_text("x")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.mine", "out"]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    path = tmp_path / "out"
    with new_folder(path, ours=lambda _: True) as folder:
        (folder / "half").write_text("x")
        clear_leftovers(path)
        assert (folder / "half").exists()
    assert (path / "half").exists()
