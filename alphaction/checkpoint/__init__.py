"""Weight files in, whole runs in and out."""

from alphaction.checkpoint.checkpointer import Checkpointer
from alphaction.checkpoint.config_diff import check_same_run, compare_configs
from alphaction.checkpoint.loading import ImportRules, build_import_rules, load_weights, restore_model
from alphaction.checkpoint.report import LoadReport

__all__ = [
    "Checkpointer",
    "ImportRules",
    "LoadReport",
    "build_import_rules",
    "check_same_run",
    "compare_configs",
    "load_weights",
    "restore_model",
]
