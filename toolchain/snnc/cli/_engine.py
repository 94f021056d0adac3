"""The option --engine. It is separate from the common options, so that only verbs that simulate load the simulators."""

import click

from snnc.simulation.choice import NAMES

engine_option = click.option(
    "--engine",
    "by",
    type=click.Choice(NAMES),
    help="Simulator; all compute the same. lanes and events are the engine with one kernel for all populations.  "
    "[default: engine, reference for floats]",
)
