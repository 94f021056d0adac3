"""``python -m snnc``: the command line."""

from snnc.cli import start

start()
