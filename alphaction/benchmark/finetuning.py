"""Fine-tuning strategies side by side: generated actions, little data, equal steps, several seeds."""

import argparse
import json
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from alphaction.benchmark.finetuning_data import NAMES, PRETRAINING_ACTIONS, Movies, plan_splits, write_data
from alphaction.benchmark.finetuning_runs import Job, finish
from alphaction.benchmark.finetuning_table import Outcome, make_table
from alphaction.engine.flags import Flags
from alphaction.utils.errors import UserError
from alphaction.utils.files import write_text
from alphaction.utils.logger import setup_logger

logger = logging.getLogger(__name__)

SCRATCH, REFERENCE, ADAPTIVE = "from scratch", "all weights", "adaptive"
# What sets each strategy apart; all else is the same. The keys of a strategy are at their defaults, the discriminative
# rates are those of config_files/finetune/r3d18_discriminative.yaml.
STRATEGIES: dict[str, tuple[str, ...]] = {
    SCRATCH: (),
    REFERENCE: (),
    "head only": ("FINETUNE.STRATEGY", "static"),
    "early gradual": ("FINETUNE.STRATEGY", "early_gradual"),
    ADAPTIVE: ("FINETUNE.STRATEGY", "adaptive"),
    "discriminative rates": ("FINETUNE.BACKBONE_LR_FACTOR", "0.1", "FINETUNE.LAYER_LR_DECAY", "0.5"),
}
# Another seed than any of a fine-tuning run.
_PRETRAINING_SEED = 1000
_SETTINGS = ("seeds", "pretrain_on", "movies", "seconds", "iterations", "epoch", "config_file", "opts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this comparison."""

    def add(name: str, default: object, text: str, **more: Any) -> None:
        parser.add_argument(name, default=default, help=f"{text} (default: %(default)s)", **more)

    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="finished runs found there are kept")
    add("--seeds", 3, "runs of each strategy", type=int)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES), help="some of them")
    known = {"nargs": "+", "choices": NAMES, "metavar": "ACTION"}
    add("--pretrain-on", list(PRETRAINING_ACTIONS), "actions; all others are fine-tuned to", **known)
    parts = ("PRETRAINING", "LITTLE", "VALIDATION", "TEST")
    add("--movies", (16, 3, 4, 12), "how many; LITTLE for each seed", type=int, nargs=4, metavar=parts)
    add("--seconds", 24, "length of each movie", type=int)
    steps = ("PRETRAINING", "FINETUNING")
    add("--iterations", (600, 100), "length of both trainings", type=int, nargs=2, metavar=steps)
    add("--epoch", 10, "iterations of an epoch of fine-tuning", type=int)
    add("--jobs", 1, "trainings at a time, each on one thread", type=int)
    add("--config-file", "config_files/demo.yaml", "model, rates and schedule of all runs", metavar="FILE")
    add(
        "--opts",
        ["SOLVER.BASE_LR", "0.0075"],
        "config keys to change, for all runs alike",
        nargs="+",
        metavar="KEY VALUE",
    )


def run(args: argparse.Namespace) -> str:
    """Returns the table of the runs, after doing what is not done; it is written to ``table.md`` too.

    Raises:
        UserError: the folder holds another comparison, or a run cannot be done.
    """
    setup_logger(None)
    _prepare(args)
    pretraining = _pretraining(args)
    weights = pretraining.folder / "model_final.pth"
    jobs = [_fine_tuning(args, name, seed, weights) for name in args.strategies for seed in range(args.seeds)]
    with ThreadPoolExecutor(args.jobs) as pool:
        learning = pool.submit(finish, pretraining)
        outcomes = list(pool.map(partial(_finish_after, learning), jobs))
        learnt = learning.result()
    table = make_table(outcomes, REFERENCE)
    text = f"{table}\n\nThe pretrained model has mAP {learnt.test:.3f} for its own actions on the movies of the test."
    write_text(args.output / "table.md", text + "\n")
    return text


def _finish_after(pretraining: Future[Outcome], job: Job) -> Outcome:
    """Returns what a run has come to; one that needs the pretrained weights waits for them."""
    if job.train.transfer:
        pretraining.result()
    return finish(job)


def _prepare(args: argparse.Namespace) -> None:
    """Writes the data unless that is done, and what is compared, so that no other comparison is mixed into it."""
    if min(args.seeds, *args.movies, *args.iterations, args.epoch, args.jobs) < 1:
        raise UserError("--seeds, --movies, --iterations, --epoch and --jobs take numbers from 1 on.")
    if len(set(args.pretrain_on)) == len(NAMES):
        raise UserError("--pretrain-on names all actions; leave some to fine-tune to.")
    settings = json.loads(json.dumps({name: getattr(args, name) for name in _SETTINGS}))
    file = args.output / "settings.json"
    if not file.exists():
        logger.info("Writing the movies.")
        movies = Movies(*args.movies)
        splits = plan_splits(movies, args.seeds, args.pretrain_on)
        write_data(args.output / "data", movies, splits, seconds=args.seconds)
        write_text(file, json.dumps(settings, indent=1) + "\n")
        return
    found = json.loads(file.read_text(encoding="utf-8"))
    different = [
        f"--{name.replace('_', '-')} {found.get(name)}" for name in _SETTINGS if found.get(name) != settings[name]
    ]
    if different:
        raise UserError(f"{args.output} holds a comparison with {', '.join(different)}; give another --output.")


def _pretraining(args: argparse.Namespace) -> Job:
    return _make_job(
        args,
        "pretraining",
        _PRETRAINING_SEED,
        train_set="pretraining",
        tested=("pretraining_test",),
        opts=("SOLVER.MAX_ITER", str(args.iterations[0]), *_loss_weight(len(args.pretrain_on))),
    )


def _fine_tuning(args: argparse.Namespace, strategy: str, seed: int, weights: Path) -> Job:
    length = ("SOLVER.MAX_ITER", str(args.iterations[1]), "FINETUNE.EPOCH_ITERS", str(args.epoch))
    start = () if strategy == SCRATCH else ("MODEL.WEIGHT", str(weights))
    return _make_job(
        args,
        strategy,
        seed,
        train_set=f"little_{seed}",
        tested=("validation", "test"),
        opts=(*length, *_loss_weight(len(NAMES) - len(args.pretrain_on)), *STRATEGIES[strategy], *start),
        has_weights=bool(start),
    )


def _loss_weight(num_classes: int) -> tuple[str, str]:
    """Returns the keys that give each class the weight of one, however many there are."""
    return "MODEL.ROI_ACTION_HEAD.OBJECT_LOSS_WEIGHT", f"{num_classes:.1f}"


def _make_job(
    args: argparse.Namespace,
    strategy: str,
    seed: int,
    *,
    train_set: str,
    tested: tuple[str, ...],
    opts: Sequence[str],
    has_weights: bool = False,
) -> Job:
    """Returns a run that sees ``tested[0]`` while training, if its strategy looks at anything."""
    folder = args.output / "runs" / f"{strategy.replace(' ', '_')}_{seed}"

    def sets(which: str, *names: str) -> tuple[str, str]:
        return f"DATASETS.{which}", str(tuple(str(args.output / "data" / f"{name}.yaml") for name in names))

    # No other process reads clips, so that CPU seconds compare. Of checkpoints only the last one is used.
    places = ("OUTPUT_DIR", str(folder), *sets("TRAIN", train_set))
    common = (*args.opts, *places, "DEVICE", "cpu", "DATALOADER.NUM_WORKERS", "0")
    periods = ("SOLVER.EVAL_PERIOD", str(args.epoch), "SOLVER.CHECKPOINT_PERIOD", str(max(args.iterations)))
    trained = (*common, *periods, "SOLVER.CHECKPOINTS_KEPT", "1", *sets("TEST", tested[0]))
    return Job(
        strategy=strategy,
        seed=seed,
        folder=folder,
        train=Flags(
            args.config_file,
            (*trained, *opts),
            transfer=has_weights,
            no_head=has_weights,
            skip_final_test=True,
            skip_val_in_train=strategy != ADAPTIVE,
            seed=seed,
        ),
        test=Flags(
            args.config_file, (*common, *sets("TEST", *tested), "MODEL.WEIGHT", str(folder / "model_final.pth"))
        ),
        tested=tested,
    )
