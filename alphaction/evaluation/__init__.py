"""Metrics of predictions. Importing the room registers every evaluator in it."""

import sys

from alphaction.evaluation.base import EVALUATORS, EvaluationResult, Evaluator
from alphaction.utils.registry import import_submodules

__all__ = ["EVALUATORS", "EvaluationResult", "Evaluator"]

import_submodules(sys.modules[__name__])
