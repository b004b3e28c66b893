"""Configuration: every key and its default, YAML files with ``_BASE_``, checks and the linear scaling rule."""

from alphaction.config.load import get_cfg, load_cfg

__all__ = ["get_cfg", "load_cfg"]
