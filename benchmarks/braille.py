"""Braille letters by a recurrent network, dense and pruned: accuracy in floats and in integers, and equality, over seeds.

The network is that of examples/braille.toml; see benchmarks/event_data.py for what is computed.

    python benchmarks/braille.py [--seeds 5] [--connectivities 0.05 1 0.2 0.1 0.02] [--methods grad_r stds magnitude]
        [--delays no|yes|both] [--finetune-epochs 3] [--samples 10] [--json results/braille.json]
"""

import event_data

if __name__ == "__main__":
    event_data.run("braille", max_delay=10, doc=__doc__)
