"""Work that processes and clusters find by its name: the squares of numbers, and processes that are killed."""

import os
import signal

import numpy as np

from snnc.base.units import Work, Workers


def squared(given, unit):
    """Square a number; unit ``dies`` ends its process as often as there are files to remove."""
    dies, folder = given
    if unit == dies and (lives := sorted(folder.iterdir())):
        lives[0].unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": np.array(unit**2)}


def squaring(folder, dies=None, lives=0):
    """Return the work of squaring; one unit kills its process so many times."""
    (folder / "lives").mkdir()
    for i in range(lives):
        (folder / "lives" / str(i)).touch()
    return Work("squares", squared, (dies, folder / "lives"), lambda: ("squares",))


def squares(results):
    """Return the numbers."""
    return [int(made["square"]) for made in results]


class Watched(Workers):
    """Workers, what they did, and ``after`` some of the results of a function, something else."""

    def __init__(self, workers, after=None, function="", results=1):
        self.workers, self.after, self.function, self.left = workers, after, function, results
        self.done, self.names = [], []

    def results(self, work, units, ahead=None):
        self.done += list(units)
        self.names.append(work.function.__qualname__)
        for made in self.workers.results(work, units, ahead):
            if self.after and work.function.__qualname__ == self.function:
                self.left -= 1
                if self.left == 0:
                    self.after()
            yield made
