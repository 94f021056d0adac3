"""Synapses given by a rule: stored as the rule, drawn slice by slice, the same on any machine and for any number of threads."""
