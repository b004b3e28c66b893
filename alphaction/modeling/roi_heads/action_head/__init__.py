"""The action head. Every module of this folder is imported, so that a new part only has to register its builder."""

import sys

from alphaction.utils.registry import import_submodules

import_submodules(sys.modules[__name__])
