"""Installs alphaction: pure Python, no compiler needed."""

import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+?)"', (here / "alphaction/__init__.py").read_text()).group(1)

setup(
    name="alphaction",
    version=version,
    description="Detect what every person in a video is doing, and fine-tune video models on your own footage",
    long_description=(here / "README.md").read_text() if (here / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["alphaction", "alphaction.*"]),
    python_requires=">=3.11",
    install_requires=[
        "torch>=2.14,<3",
        "torchvision>=0.29",
        "yacs",
        "opencv-python>=4.8,<6",
        "pycocotools",
        "tensorboardX",
        "av>=17.1,<20",
        "numpy>=2,<3",
        "safetensors",
        "tqdm",
        "scipy",
        "matplotlib",
    ],
    extras_require={
        "dev": ["pytest", "hypothesis", "ruff", "mypy"],
    },
)
