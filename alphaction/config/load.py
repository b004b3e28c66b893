"""From YAML files and command-line words to one config; and back to ``config.yaml``."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yacs.config import CfgNode

from alphaction.config.defaults import _C
from alphaction.utils.errors import ConfigError
from alphaction.utils.files import write_text
from alphaction.utils.registry import nearest


def get_cfg() -> CfgNode:
    """Returns a fresh, changeable config with every default."""
    return _C.clone()


def load_cfg(path: str | Path | None = None, opts: Sequence[Any] = ()) -> CfgNode:
    """Returns the defaults, overlaid by a YAML file (and the files its ``_BASE_`` names), then by ``opts``.

    Args:
        path: YAML file, or None for the defaults alone.
        opts: alternating keys and values, as typed behind the flags: ``["SOLVER.STEPS", "(560000, 720000)"]``, or with
            the values themselves.

    Raises:
        ConfigError: unreadable file, unknown key (with the nearest known one), or a value of another type. All
            problems are in one message.
    """
    cfg = get_cfg()
    layers = [(f"in {path}", _flatten(read_yaml(path)))] if path else []
    layers.append(("on the command line", _pair_options(opts)))
    problems: list[str] = []
    for source, values in layers:
        for key, value in values.items():
            try:
                _set(cfg, key, value)
            except ConfigError as error:
                problems.append(f"{error} ({source})")
    if problems:
        raise ConfigError("\n".join(problems))
    return cfg


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Returns the nested values of a YAML file, laid over those of its ``_BASE_`` (relative to the file).

    Raises:
        ConfigError: the file is missing, not YAML, not a mapping, or ``_BASE_`` comes back to it.
    """
    return _read_with_bases(Path(path), ())


def dump_cfg(cfg: CfgNode, output_dir: str | Path) -> Path:
    """Writes the resolved config to ``output_dir/config.yaml``; loading it gives the same config."""
    target = Path(output_dir) / "config.yaml"
    write_text(target, cfg.dump())
    return target


def option_keys(opts: Sequence[str]) -> set[str]:
    """Returns the keys that ``opts`` sets."""
    return set(_pair_options(opts))


def _read_with_bases(path: Path, visited: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in visited:
        raise ConfigError(f"{path}: _BASE_ leads back to this file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no config file {path}.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"Cannot read the config file {path}: {error}") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values, found a {type(content).__name__}.")
    base = content.pop("_BASE_", None)
    if base is None:
        return content
    return _merged(_read_with_bases(path.parent / str(base), (*visited, path.resolve())), content)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        both_nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both_nested else value
    return result


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat.update(_flatten(value, name + ".") if isinstance(value, dict) else {name: value})
    return flat


def _pair_options(opts: Sequence[Any]) -> dict[str, Any]:
    glued = [word for word in opts[::2] if re.match(r"[A-Z][A-Z_.]+=", str(word))]
    if glued:
        raise ConfigError(f"Write {glued[0].replace('=', ' ', 1)}: a key and its value are two words.")
    flags = [word for word in opts if isinstance(word, str) and word.startswith("--")]
    if flags:
        raise ConfigError(f"Flags go before the KEY VALUE pairs: {' '.join(flags)}")
    if len(opts) % 2:
        raise ConfigError(f"Options come in pairs of KEY VALUE; got {len(opts)} words: {' '.join(map(str, opts))}")
    return dict(zip(opts[::2], opts[1::2], strict=True))


def _set(cfg: CfgNode, key: str, value: Any) -> None:
    *parents, leaf = key.split(".")
    node = cfg
    for part in parents:
        node = node.get(part) if isinstance(node, CfgNode) else None
    if not isinstance(node, CfgNode) or leaf not in node or isinstance(node[leaf], CfgNode):
        hint = nearest(key, list(flat_keys(cfg)))
        raise ConfigError(f'Unknown config key "{key}"; {hint}')
    node[leaf] = _coerced(key, _parsed(value, type(node[leaf])), node[leaf])


def changed_keys(cfg: CfgNode) -> dict[str, Any]:
    """Returns dotted key -> value of every leaf that differs from its default."""
    defaults = flat_keys(_C)
    return {key: value for key, value in flat_keys(cfg).items() if value != defaults[key]}


def flat_keys(cfg: CfgNode, prefix: str = "") -> dict[str, Any]:
    """Returns dotted key -> value of every leaf."""
    return _flatten(cfg, prefix)


def _parsed(value: Any, wanted: type) -> Any:
    """Reads a text as a Python literal where it is one, as the command line and quoted YAML need."""
    if not isinstance(value, str):
        return value
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return value if wanted is str and not isinstance(literal, str) else literal


def _coerced(key: str, value: Any, default: Any) -> Any:
    """Returns ``value`` in the type of the default: 1 for a float, a list for a tuple, a name for a text."""
    wanted = type(default)
    if isinstance(value, bool) != isinstance(default, bool):
        pass
    elif wanted in (tuple, list) and isinstance(value, list | tuple):
        return wanted(_coerced_item(key, item, default) for item in value)
    elif isinstance(value, wanted):
        return value
    elif wanted is float and isinstance(value, int):
        return float(value)
    elif wanted is int and isinstance(value, float) and value.is_integer():
        return int(value)
    elif wanted is tuple and isinstance(value, str) and all(isinstance(item, str) for item in default):
        return (value,)
    elif wanted is str:
        return str(value)
    elif wanted is float and isinstance(value, str) and _is_float(value):
        return float(value)
    raise ConfigError(f"{key} takes a value such as {default!r} ({wanted.__name__}), got {value!r}.")


def _coerced_item(key: str, item: Any, default: Any) -> Any:
    """Returns an item of a list in the type of the default's items; lists without a default hold texts."""
    if isinstance(default, list) and not default:
        return list(item) if isinstance(item, tuple) else item  # of a kind of its own, which check_cfg knows
    example = default[0] if default else ""
    if isinstance(item, list | tuple) and isinstance(example, str) and default:
        return list(item)  # a list of lists, as MODEL.IA_STRUCTURE.I_BLOCK_LIST takes it
    if type(item) is type(example):
        return item
    if isinstance(example, float) and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    raise ConfigError(f"{key} takes a list of {type(example).__name__}, got {item!r} in it.")


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
