"""Remedies for what no wire can be: what to write or train instead. Part of the import from snnTorch."""

_JOIN = "join values of the same sample along their features, or give each part a layer of its own and add the results"
_ANY = "of spikes it is a max-pool; of currents no chip has it: put it behind the neurons and retrain"
_COMPARES = (
    "of spikes it changes nothing, so leave it out; where it draws spikes, pass on the input of forward, and import with"
    " --encoding rate"
)
ALIKE = "let every step use the same layers and numbers, such as one BatchNorm in the place of BatchNormTT, and retrain"
OF_CALLS = (
    "forward is called once a step: make it with init_hidden=True, or loop over the steps in forward and add --time-axis first"
)
_NEVER = "no chip computes it of currents: leave it out and retrain"
_DRAWS = (
    "it draws at random: take it out of forward, pass on its input, and give the network rasters or import with --encoding rate"
)
_BETWEEN = "of spikes it changes nothing, so leave it out; of currents no chip has it: retrain without"
_NORM = "it depends on the values of each step: retrain with BatchNorm"
REMEDIES = {
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm"), _NORM),
    **dict.fromkeys(
        ("mean", "sum"), "over a plane it is AvgPool2d or AdaptiveAvgPool2d(1), times its size for a sum: write that"
    ),
    **dict.fromkeys(("pad", "constant_pad_nd"), "pad with zeros in the convolution itself (padding=...), which is the same"),
    **dict.fromkeys(("clamp", "clip", "round", "floor", "ceil", "sign", "abs", "where", "heaviside"), _BETWEEN),
    **dict.fromkeys(("bernoulli", "rand_like", "poisson", "normal", "multinomial"), _DRAWS),
    **dict.fromkeys(
        ("einsum", "bmm", "baddbmm", "addmm", "inner"), "write it as F.linear or @ with the weights, which is the same"
    ),
    **dict.fromkeys(
        ("mul", "__mul__", "mul_", "div", "__truediv__", "pow", "square"),
        "no chip multiplies values with each other: leave it out and retrain",
    ),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _COMPARES),
    **dict.fromkeys(("cat", "concat", "concatenate", "hstack"), _JOIN),
    **dict.fromkeys(("maximum", "max", "amax"), _ANY),
    **dict.fromkeys(
        ("adaptive_max_pool1d", "adaptive_max_pool2d"), "into equal parts it is MaxPool1d or MaxPool2d of their size: write that"
    ),
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "feature_dropout"),
        "it draws at random in evaluation, too: pass training=self.training, or use nn.Dropout",
    ),
    **dict.fromkeys(("sigmoid", "tanh", "softmax", "log_softmax", "exp", "gelu", "silu", "leaky_relu", "elu"), _NEVER),
}
