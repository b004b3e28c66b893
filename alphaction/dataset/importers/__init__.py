"""Annotations in other people's formats, read into one form and written as a data set's standard folder.

A format is one module with a function ``@FORMATS.register("name")``; every module of this folder is imported once.
"""

import sys

from alphaction.utils.registry import import_submodules

import_submodules(sys.modules[__name__])
