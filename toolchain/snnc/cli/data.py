"""`snnc data`: show what is in a data set."""

from pathlib import Path
from typing import Any

import click

import snnc.data as data
from snnc.cli._common import PATH, json_option, print_json, print_table
from snnc.cli._data import OF_SPLIT_SEED
from snnc.data.dataset import Dataset
from snnc.data.load import Source
from snnc.data.picture import picture
from snnc.data.summary import summary
from snnc.errors import UsageError


@click.command("data", short_help="Show what is in a data set: samples, classes, rates, a picture.")
@click.argument("name", metavar="DATA")
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True, help="Which split.")
@click.option("--split-seed", type=click.IntRange(0), help=OF_SPLIT_SEED)
@click.option("--data-dir", type=PATH, envvar=data.FOLDER_VARIABLE, help="Folder with the data set's files.")
@click.option("--sample", type=click.IntRange(0), default=0, show_default=True, help="Which sample the picture shows.")
@json_option
def command(name: str, split: Any, split_seed: int | None, data_dir: Path | None, sample: int, as_json: bool) -> None:
    """Show what is in DATA: the name of a data set, a file or folder with samples, or FILE.py:NAME, which is executed.

    The picture shows an image, or the places of one sample (down) over time (across).
    """
    dataset = data.load(Source(name, split_seed), split, data_dir)
    if sample >= len(dataset):
        raise UsageError(f"there is no sample {sample}", where="--sample", fix=f"use 0 to {len(dataset) - 1}")
    facts, lines = summary(dataset), picture(dataset, sample)
    if as_json:
        print_json("data/1", **facts, sample=sample, picture=lines)
        return
    classes = facts.pop("classes")
    print_table(f"{facts.pop('name')} {facts.pop('split')}", ("", ""), [(key, _shown(value)) for key, value in facts.items()])
    if classes:
        counted = "steps" if dataset.task == "steps" else "samples"
        print_table(f"{counted} of each class", ("class", counted), list(classes.items()))
    click.echo(f"sample {sample}, {_label(dataset, sample)}:")
    click.echo("\n".join(lines))


def _label(dataset: Dataset, sample: int) -> str:
    label = dataset.labels[sample]
    if dataset.task == "classes":
        return f"class {dataset.names[label] if dataset.names else label}"
    shown = ", ".join(f"{value:g}" for value in label.reshape(-1)[:8])
    return f"{'classes of its steps' if dataset.task == 'steps' else 'values'} {shown}{', ..' if label.size > 8 else ''}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return "x".join(map(str, value)) if isinstance(value, list) else f"{value:,}" if isinstance(value, int) else str(value)
