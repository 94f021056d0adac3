"""A place for results that is taken, or cannot be written to, is told before anything is computed."""

import os
import shlex
import subprocess
import sys

import pytest
from cases.networks import fixed_chain, float_chain
from click.testing import CliRunner

from snnc import store
from snnc.cli import main


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "a net.snnc"
    store.save(fixed_chain(0, (12, 20, 5)), path)
    return str(path)


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_an_empty_folder_is_filled(model, tmp_path):
    out = tmp_path / "there"
    out.mkdir()
    assert run("export", model, "-t", "npz", "-o", out).exit_code == 0
    assert (out / "manifest.json").is_file()
    assert "exists already" in run("export", model, "-t", "npz", "-o", out).stderr


def test_the_folder_in_which_the_user_stands_is_not_replaced(model, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = run("export", model, "-t", "npz", "-o", tmp_path / "here")
    assert (done.exit_code, "exists already" in done.stderr) == (2, True)


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("words", [["simplify"], ["simulate"], ["map", "--hw", "loihi1"]])
def test_a_folder_is_never_replaced_by_a_file(words, force, model, tmp_path):
    done = run(words[0], model, *words[1:], "-o", tmp_path, *force)
    assert (done.exit_code, done.stderr) == (2, f"error: {tmp_path}: is a folder; pick another --out\n")


def test_a_device_is_never_replaced_by_a_file(model, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = run("simplify", model, "-o", tmp_path / "pipe", "--force")
    assert (done.exit_code, "is no regular file" in done.stderr) == (2, True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_to_nothing_is_taken(model, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    for words in (["simplify", model], ["export", model, "-t", "npz"]):
        done = run(*words, "-o", link)
        assert (done.exit_code, "exists already" in done.stderr) == (2, True)
    assert run("export", model, "-t", "npz", "-o", link, "--force").exit_code == 0
    assert (link / "manifest.json").is_file()


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(model, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    done = run("simulate", model, "-o", tmp_path / "r.npz")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'r.npz'}: cannot write: Permission denied; get the right to write there")


def test_two_outputs_are_two_files(model, tmp_path):
    out = tmp_path / "m.json"
    done = run("map", model, "--hw", "loihi1", "-o", out, "--picture", tmp_path / "x" / ".." / "m.json", "--force")
    assert (done.exit_code, "--out and --picture name the same file" in done.stderr) == (2, True)
    assert not out.exists()


@pytest.mark.parametrize(("words", "option"), [(["map", "--hw", "loihi1"], "--picture"), (["check", "--proof"], "--inputs")])
def test_the_option_that_is_named_is_the_one_that_was_given(words, option, model, tmp_path):
    (tmp_path / "there").touch()
    done = run(words[0], model, *words[1:], option, tmp_path / "there")
    assert f"pick another {option} or add --force" in done.stderr


def test_a_counterexample_names_no_option_that_verify_has_not(model, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "precious").touch()
    run("export", model, "-t", "npz", "-o", tmp_path / "program")
    done = run("verify", tmp_path / "program", "--against", model, "--random", "0.3", "--counterexample", tmp_path / "there")
    assert (done.exit_code, done.stderr) == (2, f"error: {tmp_path / 'there'}: exists already; pick another --counterexample\n")


def test_a_command_that_is_printed_can_be_pasted(model, tmp_path):
    out = tmp_path / "the program"
    line = run("export", model, "-t", "npz", "-o", out).stdout.splitlines()[-1]
    assert shlex.split(line.removeprefix("prove it with: ")) == ["snnc", "verify", str(out), "--against", model]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_changes_nothing(closed, model):
    command = shlex.join([sys.executable, "-m", "snnc", "check", model, "--hw", "loihi1"])
    done = subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-m", "snnc", "targets"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        program.stdout.close()
        assert program.stderr.read() == ""


def test_code_that_exits_is_told(tmp_path):
    (tmp_path / "own.py").write_text("import sys\n\ndef samples(split):\n    sys.exit(3)\n")
    done = run("data", f"{tmp_path / 'own.py'}:samples")
    assert (done.exit_code, "sys.exit(3)" in done.stderr) == (2, True)


def test_an_unknown_target_is_a_wrong_option(model, tmp_path):
    assert run("export", model, "-t", "lohi", "-o", tmp_path / "x").exit_code == 2


@pytest.mark.parametrize("words", ["import {} --input-shape 3", "train --model {}", "prune {} --connectivity 0.5", "data {}"])
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def make():\n    return {}['k']\n", "raises KeyError: 'k' (own.py:2); correct the function"),
        ("raise ValueError('boom')\n", "raises ValueError: boom (own.py:1) when it is imported; correct the file"),
    ],
)
def test_what_the_users_file_raises_is_one_sentence(words, code, says, tmp_path):
    if words[0] != "d":
        pytest.importorskip("torch", reason="torch is not installed")
    (tmp_path / "own.py").write_text(code)
    given = words.format(f"{tmp_path / 'own.py'}:make").split()
    done = run(*given, *([] if words[0] == "d" else ["-o", tmp_path / "x"]))
    assert (done.exit_code, done.stderr.splitlines()[-1].endswith(says)) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("quantise {} --hw loihi1 --finetune-lr 1e-4 -o x", "--finetune-lr: says nothing, as nothing is fine-tuned; add"),
        ("quantise {} --hw loihi1 --finetune-loss rate -o x", "--finetune-loss: says nothing, as nothing is fine-tuned; add"),
        ("quantise {} --hw loihi1 --data fsdd --seed 3 -o x", "--seed, --data: says nothing, as nothing is fine-tuned; add"),
        (
            "simulate {} --inputs r.npz --data mnist",
            "--data: says nothing, as samples come from --inputs; leave it or --inputs out",
        ),
        ("simulate {} --inputs r.npz --split train", "--split: says nothing, as samples come from --inputs"),
        (
            "verify program --against {} --inputs r.npz --split-seed 1",
            "--split-seed: says nothing, as samples come from --inputs",
        ),
        ("verify program --against {} --random 0.3 --data digits", "--data: says nothing, as samples come from --random"),
        ("verify program --against {} --seed 3", "seed: says how random input is made, and there is none; leave it out"),
        ("report . --md --force", "--force: says nothing, as Markdown is printed; add -o report.md"),
        ("train --alpha 0.3 -o x", "alpha = 0.3 says nothing, as no current of leaky remains after a step; leave it out"),
        ("verify program --against {} --weights w.pt", "--weights: are of a module; add --against FILE.py:NAME"),
    ],
)
def test_an_option_that_would_say_nothing_is_refused(words, says, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("export", model, "-t", "npz", "-o", "program")
    store.save(float_chain(), tmp_path / "float.snnc")
    given = words.split()
    named = [word.format("float.snnc" if given[0] == "quantise" else model) for word in given]
    done = run(*named)
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr
