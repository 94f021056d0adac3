# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The whole chain from Python
#
# Train a spiking network on handwritten digits, prune it to 5 % of its synapses, quantise it for Loihi 1, check what it uses of
# the chip, map it, export it as a Lava program, and verify that the program fires the same spikes. It takes about a minute.
#
# Run it as a script (`python examples/chain.py`) or open `examples/chain.ipynb`; both are the same cells.

# %%
import tempfile
from pathlib import Path

import snnc

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Train
#
# The keywords are the fields of `snnc.TrainConfig`. Equal settings give an equal network on one processor.

# %%
dense = snnc.train("digits", hidden=(128,), epochs=20, batch_size=32, lr=0.01)
print(f"trained: {snnc.evaluate(dense, 'digits').accuracy:.2%} of the test samples are right")

# %% [markdown]
# ## Prune
#
# Grad R takes synapses away and lets others grow while the network trains on, until exactly 5 % of them are left.

# %%
sparse = snnc.prune(dense, "digits", connectivity=0.05, epochs=30, batch_size=32, lr=0.02)
synapses = [sum(c.op.synapse_count for c in net.connections) for net in (dense, sparse)]
print(f"pruned: {synapses[1]:,} of {synapses[0]:,} synapses, {snnc.evaluate(sparse, 'digits').accuracy:.2%} right")

# %% [markdown]
# Does the network mean what torch trained? Its snnTorch model runs beside it, on the same rasters.

# %%
trained = snnc.verify(sparse, "torch", data="digits", samples=100)
print(f"against {trained.verdict.candidate}: {trained.verdict.mismatches} mismatches, exact: {trained.exact}")

# %% [markdown]
# ## Quantise
#
# A chip is a name, the path of a profile, or the profile itself.

# %%
fixed = snnc.quantise(sparse, "loihi1")
rounding = snnc.contrast(sparse, fixed, "digits")
print(f"quantised: {rounding.candidate.accuracy:.2%} right, {rounding.classes_differing} samples classified differently")

# %% [markdown]
# ## Check and map
#
# A check measures; `snnc.remedies` searches for what would help. The range proof holds for every input that there can be.

# %%
budget = snnc.check(fixed, "loihi1")
print(budget)
print(f"no register can wrap or saturate: {snnc.prove_ranges(fixed).holds}")

# %%
core_map = snnc.map(fixed, "loihi1", strategy="greedy")
print(core_map)

# %% [markdown]
# ## Export and verify
#
# The artifact is a folder with a program that needs Lava, NumPy and SciPy, not snnc. Without Lava, export for `npz`, `c` or
# `onnx`.

# %%
artifact = snnc.export(fixed, "loihi", folder / "program", mapping=core_map)
verification = snnc.verify(artifact, fixed, data="digits", samples=10)
print(f"{verification.verdict.candidate}: {verification.verdict.mismatches} mismatches, exact: {verification.exact}")

# %% [markdown]
# In a notebook, networks, budgets, mappings and verdicts show themselves.

# %%
verification.verdict
