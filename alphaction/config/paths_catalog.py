"""Where data sets lie: a catalog of names, and small YAML files that need no entry here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from alphaction.config.load import read_yaml
from alphaction.utils.errors import ConfigError
from alphaction.utils.registry import nearest

_AVA = "AVAVideoDataset"


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """One data set: which registered class reads it, and with what.

    Attributes:
        name: as written in DATASETS.TRAIN / TEST.
        dataset: registered dataset class.
        arguments: its files and settings. Keys that end in ``_file`` or ``_root`` are paths, already joined with
            the catalog's DATA_DIR or with the folder of the YAML file.
    """

    name: str
    dataset: str
    arguments: dict[str, Any]


class DatasetCatalog:
    """Names of data sets below ``DATA_DIR``. Add your own here, by :meth:`register`, or as a YAML file.

    Paths are below ``DATA_DIR``, written with or without it.

    A YAML file named in DATASETS.TRAIN or TEST holds ``dataset`` and the arguments of that class, for example::

        dataset: AVAVideoDataset
        video_root: videos
        csv_gt_file: train.csv
        label_file: labels.pbtxt
    """

    DATA_DIR: ClassVar[str] = "data"
    DATASETS: ClassVar[dict[str, dict[str, Any]]] = {
        "ava_video_train_v2.2": {
            "video_root": "AVA/clips/trainval",
            "ann_file": "AVA/annotations/ava_train_v2.2_min.json",
            "box_file": "",
            "eval_file_paths": {
                "csv_gt_file": "AVA/annotations/ava_train_v2.2.csv",
                "labelmap_file": "AVA/annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt",
                "exclusion_file": "AVA/annotations/ava_train_excluded_timestamps_v2.2.csv",
            },
            "object_file": "AVA/boxes/ava_train_det_object_bbox.json",
        },
        "ava_video_val_v2.2": {
            "video_root": "AVA/clips/trainval",
            "ann_file": "AVA/annotations/ava_val_v2.2_min.json",
            "box_file": "AVA/boxes/ava_val_det_person_bbox.json",
            "eval_file_paths": {
                "csv_gt_file": "AVA/annotations/ava_val_v2.2.csv",
                "labelmap_file": "AVA/annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt",
                "exclusion_file": "AVA/annotations/ava_val_excluded_timestamps_v2.2.csv",
            },
            "object_file": "AVA/boxes/ava_val_det_object_bbox.json",
        },
    }

    @classmethod
    def register(cls, name: str, dataset: str = _AVA, **arguments: Any) -> None:
        """Enters a data set; paths are relative to ``DATA_DIR`` unless absolute.

        Raises:
            ValueError: the name is taken.
        """
        if name in cls.DATASETS:
            raise ValueError(f'The data set name "{name}" is registered twice; choose another name.')
        cls.DATASETS[name] = {"dataset": dataset, **arguments}

    @classmethod
    def get(cls, name: str) -> DatasetEntry:
        """Returns the entry of a catalog name or of a YAML file.

        Raises:
            ConfigError: unknown name (with the nearest one), or a YAML file that cannot be used.
        """
        if name.endswith((".yaml", ".yml")):
            return _entry(name, read_yaml(name), Path(name).parent)
        if name not in cls.DATASETS:
            raise ConfigError(f'Unknown data set "{name}"; {_remedy(name, cls.DATASETS)}')
        return _entry(name, _without_folder(cls.DATASETS[name], cls.DATA_DIR), Path(cls.DATA_DIR))


def _remedy(name: str, known: dict[str, Any]) -> str:
    if Path(name).is_dir():
        files = sorted(Path(name).glob("*.yaml"))
        return f"it is a folder; give a data set YAML file{f' in it, such as {files[0]}' if files else ''}."
    if Path(name).is_file():
        return "it is a file; give the data set YAML file that names it."
    if name.startswith("(") or name.endswith((",", ")")):
        return "a list of data sets has quotes in its parentheses: \"('mine/train.yaml',)\"."
    return (
        f"{nearest(name, known)} Give the path of a data set YAML file, or register the name in "
        "alphaction/config/paths_catalog.py."
    )


def _without_folder(values: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Returns the values, paths below ``folder`` written without it, in nested mappings too."""
    short: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            value = _without_folder(value, folder)
        elif isinstance(value, str) and key.endswith(("_file", "_root")) and Path(value).is_relative_to(folder):
            value = str(Path(value).relative_to(folder))
        short[key] = value
    return short


def _entry(name: str, values: Mapping[str, Any], folder: Path) -> DatasetEntry:
    arguments = {key: value for key, value in values.items() if key not in ("dataset", "eval_file_paths")}
    arguments.update(values.get("eval_file_paths") or {})
    for key, value in arguments.items():
        if key.endswith(("_file", "_root")) and value:
            if not isinstance(value, str):
                raise ConfigError(f'Data set "{name}": {key} takes a path, got {value!r}.')
            arguments[key] = str(folder / value)
    dataset = values.get("dataset", _AVA)
    if not isinstance(dataset, str):
        raise ConfigError(f'Data set "{name}": dataset takes the name of a registered class, got {dataset!r}.')
    return DatasetEntry(name, dataset, arguments)
