"""Open NIR files in the tools of others and run them: python nir_tools.py JOBS.json OUTPUTS.npz

JOBS.json lists {"tool", "file", "inputs" (.npy: samples, steps, planes or n), "dt"}. OUTPUTS.npz gets what each node with a
name sent, (samples, steps, n) as NUMBER.NODE, or why the tool does not take the file, as NUMBER.error.
"""

import json
import sys
import warnings
from pathlib import Path

import nir
import numpy as np
import torch

warnings.simplefilter("ignore")


def opened(tool, graph, dt, steps):
    """The file as a module of the tool."""
    if tool == "norse":
        import norse.torch

        return norse.torch.from_nir(graph, dt=dt, ignore_warnings=True)
    if tool == "sinabs":
        from sinabs.nir import from_nir

        return from_nir(graph, num_timesteps=steps)
    from snntorch.import_nir import import_from_nir

    return import_from_nir(graph)


def listened_to(module):
    """Name of node -> list that fills with what it sends."""
    heard = {}
    for name, part in module.named_children():
        heard[name] = []
        part.register_forward_hook(lambda _, __, out, rows=heard[name]: rows.append(out[0] if isinstance(out, tuple) else out))
    return heard


def run(tool, file, inputs, dt):
    """Every sample in a module of its own: tools keep states in different places."""
    samples = []
    for sample in torch.from_numpy(inputs).float():
        module = opened(tool, nir.read(file), dt, len(sample))
        heard, state = listened_to(module), None
        if tool == "sinabs":
            module(sample)  # all steps at once
        else:
            for step in sample:
                _, state = module(step, state)
        samples.append({name: torch.stack(rows).detach().numpy() for name, rows in heard.items() if rows})
    return {name: np.stack([rows[name].reshape(inputs.shape[1], -1) for rows in samples]) for name in samples[0]}


if __name__ == "__main__":
    found = {}
    for number, job in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        try:
            sent = run(job["tool"], job["file"], np.load(job["inputs"]), job["dt"])
        except Exception as error:
            sent = {"error": np.array(f"{type(error).__name__}: {error}")}
        found |= {f"{number}.{name}": array for name, array in sent.items()}
    np.savez(sys.argv[2], **found)
