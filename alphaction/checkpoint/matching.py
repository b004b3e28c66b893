"""Which tensor of a file goes to which tensor of a model: pure functions on names and shapes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from alphaction.checkpoint.conversion import Conversion
from alphaction.checkpoint.report import LoadReport, Shape, Units, has_prefix
from alphaction.utils.errors import CheckpointError

# (model key, shape in the file, shape in the model) -> how the one becomes the other; None copies equal shapes.
Convert: TypeAlias = Callable[[str, Shape, Shape], Conversion | None]

_COUNTER = "num_batches_tracked"
_WRAPPER = "module."


def match(
    file_shapes: Mapping[str, Shape],
    model_shapes: Mapping[str, Shape],
    *,
    head_prefixes: Collection[str] = (),
    no_head: bool = False,
    units: Units = (),
    convert: Convert = lambda key, file_shape, model_shape: None,
) -> LoadReport:
    """Returns the plan of a loading; nothing is loaded here.

    A leading ``module.`` of a file key is dropped. Equal names go together; any other tensor of the model takes the
    longest file key that its name ends with, at a point between two words. Names decide alone: a pair whose shapes
    differ is reported and not loaded, unless ``convert`` knows how, and no second choice is made. Where the weight of
    a layer does not fit, nothing else of this layer is loaded: what bears its name in the file is of another kind.

    Args:
        file_shapes: key -> shape of the file's tensors.
        model_shapes: key -> shape of the model's tensors.
        head_prefixes: module names that make up the head.
        no_head: leave out the head, both what the file has of it and the model's own.
        units: the parts of the model, for the report.
        convert: how a tensor of the file becomes the model's where it is not simply copied.

    Raises:
        CheckpointError: one file key is the best match of several model keys, or two file keys differ in a leading
            ``module.`` alone; the message lists them.
    """
    file_keys = _strip_wrapper(file_shapes)
    heads = head_prefixes if no_head else ()
    skipped = [key for key in file_keys if has_prefix(key, heads)]
    kept = [key for key in model_shapes if has_prefix(key, heads)]
    pairs = _pair(_without(file_keys, skipped), _without(model_shapes, kept))

    shapes = {key: (file_shapes[file_keys[found]], model_shapes[key]) for key, found in pairs.items()}
    ways = {key: convert(key, *both) for key, both in shapes.items()}
    wrong = [key for key, (file, model) in shapes.items() if file != model and ways[key] is None]
    strange = _beside(pairs, wrong)
    missing = _without(model_shapes, [*kept, *pairs])
    unexpected = _without(file_keys, [*skipped, *pairs.values()])
    used = _without(pairs, [*wrong, *strange])
    return LoadReport(
        loaded=tuple((key, file_keys[pairs[key]]) for key in used),
        skipped=(
            *((file_keys[key], "--no-head") for key in skipped),
            *((file_keys[pairs[key]], "the weight beside it has another shape") for key in strange),
        ),
        kept=tuple(kept),
        missing=tuple(key for key in [*missing, *strange] if not _is_counter(key)),
        unexpected=tuple(file_keys[key] for key in unexpected if not _is_counter(key)),
        wrong_shape=tuple((key, *shapes[key]) for key in wrong),
        converted=tuple((key, *shapes[key], way.how) for key in used if (way := ways[key]) is not None),
        ignored=sum(map(_is_counter, [*missing, *unexpected])),
        units=tuple((name, tuple(prefixes)) for name, prefixes in units),
    )


def _beside(pairs: Mapping[str, str], wrong: Collection[str]) -> list[str]:
    """Returns the model keys of the layers whose weight has another shape, but for those in ``wrong``."""
    layers = {key.rpartition(".")[0] for key in wrong if key.endswith(".weight")}
    return [key for key in _without(pairs, wrong) if key.rpartition(".")[0] in layers]


def _strip_wrapper(file_shapes: Collection[str]) -> dict[str, str]:
    """Returns key without a leading ``module.`` -> key in the file."""
    stripped: dict[str, str] = {}
    for key in file_shapes:
        name = key.removeprefix(_WRAPPER)
        if name in stripped:
            raise CheckpointError(
                f'The file holds both "{stripped[name]}" and "{key}", which mean the same tensor; remove one of them.'
            )
        stripped[name] = key
    return stripped


def _pair(file_keys: Collection[str], model_keys: Collection[str]) -> dict[str, str]:
    """Returns model key -> file key, one to one, in the model's order."""
    available = set(file_keys)
    exact = available.intersection(model_keys)
    claims: dict[str, list[str]] = defaultdict(list)
    pairs: dict[str, str] = {}
    for key in model_keys:
        found = key if key in exact else _longest_suffix(key, available)
        if found is not None and (key in exact or found not in exact):
            pairs[key] = found
            claims[found].append(key)
    _refuse_ambiguity(claims)
    return pairs


def _longest_suffix(key: str, file_keys: set[str]) -> str | None:
    words = key.split(".")
    suffixes = (".".join(words[start:]) for start in range(1, len(words)))
    return next((suffix for suffix in suffixes if suffix in file_keys), None)


def _refuse_ambiguity(claims: Mapping[str, list[str]]) -> None:
    doubtful = {found: keys for found, keys in claims.items() if len(keys) > 1}
    if not doubtful:
        return
    lines = [f"  {found}: {', '.join(keys[:4])}" + " ..." * (len(keys) > 4) for found, keys in doubtful.items()]
    more = [f"  and {len(lines) - 10} more"] if len(lines) > 10 else []
    raise CheckpointError(
        "Keys of the file fit several places of the model, and a guess could load a wrong tensor:\n"
        + "\n".join([*lines[:10], *more])
        + "\nMODEL.WEIGHT_RENAME can rename the file's keys so that each ends one key of the model alone."
    )


def _without(keys: Collection[str], left_out: Collection[str]) -> list[str]:
    excluded = set(left_out)
    return [key for key in keys if key not in excluded]


def _is_counter(key: str) -> bool:
    return key.split(".")[-1] == _COUNTER
