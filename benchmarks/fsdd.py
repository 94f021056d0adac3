"""Spoken digits by a recurrent network, dense and pruned, with learned delays and without: accuracy in floats and in integers,
and equality, over seeds.

The network is that of examples/fsdd.toml; see benchmarks/event_data.py for what is computed.

    python benchmarks/fsdd.py --data-dir DIR [--seeds 3] [--connectivities 0.05 1 0.2 0.1 0.02]
        [--methods grad_r stds magnitude] [--delays no|yes|both] [--finetune-epochs 3] [--samples 10] [--json results/fsdd.json]
"""

import event_data

if __name__ == "__main__":
    event_data.run("fsdd", max_delay=4, doc=__doc__)
