"""The option --engine, apart from the common ones so that only verbs that simulate load the simulators."""

import click

from snnc.simulators import NAMES

engine_option = click.option(
    "--engine", "by", type=click.Choice(NAMES), help="Simulator; both compute the same.  [default: engine, reference for floats]"
)
