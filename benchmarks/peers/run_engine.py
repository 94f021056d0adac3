"""Contestant: the engine of snnc, or its reference (``simulator`` in the settings)."""

from case import read, say, timed

from snnc import __version__, store
from snnc.simulation import engine
from snnc.simulation.reference import simulate


def main() -> None:
    """Run whole batches; what was compiled and prepared is kept from the first, which is not counted."""
    case = read()
    net = store.load(case.folder / "net.snnc")
    settings, output = case.settings, case.layers[-1].name
    raster = {net.inputs[0].name: case.inputs}
    options = {"threads": settings.get("threads"), "kernel": settings.get("kernel", "auto"), "keep": [output]}

    def run() -> object:
        if settings.get("simulator") == "reference":
            return simulate(net, raster).spikes[output]
        return engine.simulate(net, raster, **options).spikes[output]

    seconds, spikes = timed(run, settings["rounds"])
    say(f"snnc {__version__}", [{"samples": len(case.inputs), "seconds": seconds}], spikes, case)


if __name__ == "__main__":
    main()
