"""Models. ``build_detector(cfg)`` is the stable entry."""

from alphaction.modeling.action_detector import build_detector

__all__ = ["build_detector"]
