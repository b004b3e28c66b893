"""Protobuf messages written by hand, and a small frozen graph of an SSDLite with narrow layers."""

import numpy as np

BACKBONE = "FeatureExtractor/MobilenetV2"
EXTRA = ("2_3x3_s2_512", "3_3x3_s2_256", "4_3x3_s2_256", "5_3x3_s2_128")
NARROW = ("2_1x1_256", "3_1x1_128", "4_1x1_128", "5_1x1_64")


def varint(number):
    out = b""
    while True:
        number, low = number >> 7, number & 127
        out += bytes([low | (128 if number else 0)])
        if not number:
            return out


def field(number, value):
    """Returns one field: bytes and text with their length, whole numbers as varints."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def shape(*dims):
    return field(2, b"".join(field(2, field(1, dim)) for dim in dims))


def tensor(array):
    kind = {np.dtype(np.float32): 1, np.dtype(np.int32): 3}[array.dtype]
    return field(1, kind) + shape(*array.shape) + field(4, array.tobytes())


def constant(name, message):
    attribute = field(1, "value") + field(2, field(8, message))
    return field(1, field(1, name) + field(2, "Const") + field(5, attribute))


def graph(constants):
    return b"".join(constant(name, tensor(array)) for name, array in constants.items())


def narrow_ssdlite(seed=0, width=4):
    """Returns the constants of an SSDLite whose layers all have ``width`` channels, by name."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def normalise(scope):
        for name, low, high in (
            ("gamma", 0.5, 1.5),
            ("beta", -1, 1),
            ("moving_mean", -1, 1),
            ("moving_variance", 1, 2),
        ):
            made[f"{scope}/BatchNorm/{name}"] = rng.uniform(low, high, width).astype(np.float32)

    def full(scope, kernel=1, channels=width):
        made[f"{scope}/weights"] = rng.normal(size=(kernel, kernel, channels, width)).astype(np.float32)
        normalise(scope)

    def depthwise(scope):
        made[f"{scope}/depthwise_weights"] = rng.normal(size=(3, 3, width, 1)).astype(np.float32)
        normalise(scope)

    full(f"{BACKBONE}/Conv", kernel=3, channels=3)
    for i in range(17):
        scope = f"{BACKBONE}/expanded_conv" + (f"_{i}" if i else "")
        if i:
            full(f"{scope}/expand")
        depthwise(f"{scope}/depthwise")
        full(f"{scope}/project")
    full(f"{BACKBONE}/Conv_1")
    for narrow, wide in zip(NARROW, EXTRA, strict=True):
        full(f"{BACKBONE}/layer_19_1_Conv2d_{narrow}")
        depthwise(f"{BACKBONE}/layer_19_2_Conv2d_{wide}_depthwise")
        full(f"{BACKBONE}/layer_19_2_Conv2d_{wide}")
    for level, anchors in enumerate((3, 6, 6, 6, 6, 6)):
        for name, values in (("BoxEncodingPredictor", 4), ("ClassPredictor", 2)):
            depthwise(f"BoxPredictor_{level}/{name}_depthwise")
            weights = rng.normal(size=(1, 1, width, anchors * values)).astype(np.float32)
            made[f"BoxPredictor_{level}/{name}/weights"] = weights
            made[f"BoxPredictor_{level}/{name}/biases"] = np.zeros(anchors * values, np.float32)
    return made
