"""The names of `optim.py`, which imports each when it is first used."""

from snnc.training.methods.ch3_l3 import CH3L3 as CH3L3
from snnc.training.methods.deep_r import DeepR as DeepR
from snnc.training.methods.grad_r import GradR as GradR
from snnc.training.methods.lamp import LAMP as LAMP
from snnc.training.methods.lottery import Lottery as Lottery
from snnc.training.methods.magnitude import Magnitude as Magnitude
from snnc.training.methods.neuron_pruning import NeuronPruning as NeuronPruning
from snnc.training.methods.rigl import RigL as RigL
from snnc.training.methods.set import SET as SET
from snnc.training.methods.soft_deep_r import SoftDeepR as SoftDeepR
from snnc.training.methods.stds import STDS as STDS
from snnc.training.models.weights import parameter_groups as parameter_groups
from snnc.training.pruning.optimizer import PruningOptimizer as PruningOptimizer
