import pytest

from alphaction.config import get_cfg
from alphaction.config.check import check_cfg, loss_weight_advice
from alphaction.config.load import load_cfg
from alphaction.utils.errors import ConfigError

HEAD = "MODEL.ROI_ACTION_HEAD."


def test_defaults_can_run() -> None:
    check_cfg(get_cfg())


@pytest.mark.parametrize(
    ("options", "world_size", "expected"),
    [
        ({HEAD + "NUM_CLASSES": 10}, 1, "14 + 49 + 17 = 80; set all four"),
        ({"INPUT.FRAME_NUM": 30}, 1, "not a multiple of INPUT.TAU 8"),
        ({"INPUT.ALPHA": 3}, 1, "not a multiple of INPUT.ALPHA 3"),
        ({"SOLVER.STEPS": (5, 5)}, 1, "must rise"),
        ({"SOLVER.STEPS": (90000,)}, 1, "must lie below SOLVER.MAX_ITER 75000"),
        ({"SOLVER.VIDEOS_PER_BATCH": 3}, 2, "does not divide by the 2 processes"),
        ({"SOLVER.EVAL_PERIOD": 0}, 1, "SOLVER.EVAL_PERIOD is 0; it must be at least 1"),
        ({"SOLVER.WARMUP_METHOD": "cubic"}, 1, "choose one of linear, constant"),
        ({"INPUT.FLIP_PROB": 1.5}, 1, "between 0 and 1"),
        ({"INPUT.PIXEL_MEAN": [1.0]}, 1, "it takes 3 numbers"),
        ({"INPUT.MIN_SIZE_TEST": 500}, 1, "above INPUT.MAX_SIZE_TEST 464"),
        ({"DATALOADER.NUM_WORKERS": -1}, 1, "must not be negative"),
        (
            {"MODEL.IA_STRUCTURE.ACTIVE": True, "MODEL.IA_STRUCTURE.STRUCTURE": "parallel"},
            1,
            "takes a list of lists",
        ),
        (
            {"MODEL.IA_STRUCTURE.ACTIVE": True, "MODEL.IA_STRUCTURE.I_BLOCK_LIST": ["P", "Q"]},
            1,
            "use P, O and M",
        ),
        (
            {
                "MODEL.IA_STRUCTURE.ACTIVE": True,
                "MODEL.IA_STRUCTURE.STRUCTURE": "parallel",
                "MODEL.IA_STRUCTURE.I_BLOCK_LIST": [["P"], ["P", "M"]],
            },
            1,
            "no layer of a parallel structure may have more blocks",
        ),
        (
            {
                "MODEL.IA_STRUCTURE.ACTIVE": True,
                "MODEL.IA_STRUCTURE.STRUCTURE": "parallel",
                "MODEL.IA_STRUCTURE.I_BLOCK_LIST": [["P"], []],
            },
            1,
            "a layer without blocks gives nothing",
        ),
        (
            {
                "MODEL.IA_STRUCTURE.ACTIVE": True,
                "MODEL.IA_STRUCTURE.MAX_OBJECT": 5,
                "MODEL.IA_STRUCTURE.MAX_PER_SEC": 300,
            },
            1,
            "MAX_PER_SEC is 300; the most is 255",
        ),
        (
            {
                "MODEL.IA_STRUCTURE.ACTIVE": True,
                "MODEL.IA_STRUCTURE.MAX_OBJECT": 5,
                "MODEL.IA_STRUCTURE.CONV_INIT_STD": -1.0,
            },
            1,
            "CONV_INIT_STD is -1.0; use 0 or more",
        ),
        (
            {"MODEL.IA_STRUCTURE.ACTIVE": True},
            1,
            "MAX_OBJECT is 0; it must be at least 1 for the O blocks",
        ),
        (
            {
                "MODEL.IA_STRUCTURE.ACTIVE": True,
                "MODEL.IA_STRUCTURE.MAX_OBJECT": 5,
                "MODEL.IA_STRUCTURE.LENGTH": (30, -1),
            },
            1,
            "LENGTH is (30, -1); neither number may be negative",
        ),
    ],
)
def test_broken_rule_is_named(options: dict, world_size: int, expected: str) -> None:
    cfg = load_cfg(None, [word for key, value in options.items() for word in (key, repr(value).strip("'"))])
    with pytest.raises(ConfigError) as caught:
        check_cfg(cfg, world_size)
    assert expected in str(caught.value)


def test_all_problems_come_in_one_message() -> None:
    cfg = load_cfg(None, ["INPUT.TAU", "7", "SOLVER.LOG_PERIOD", "0", "SOLVER.AMP", "fp8"])
    with pytest.raises(ConfigError) as caught:
        check_cfg(cfg)
    assert str(caught.value).count("\n- ") >= 4


def test_loss_weights_of_ava_are_questioned_for_other_class_counts() -> None:
    cfg = load_cfg(None, [HEAD + "NUM_CLASSES", "5", HEAD + "NUM_PERSON_MOVEMENT_CLASSES", "0"])
    cfg.MODEL.ROI_ACTION_HEAD.NUM_OBJECT_MANIPULATION_CLASSES = 5
    cfg.MODEL.ROI_ACTION_HEAD.NUM_PERSON_INTERACTION_CLASSES = 0
    (advice,) = loss_weight_advice(cfg)
    assert "OBJECT_LOSS_WEIGHT 5" in advice
    assert loss_weight_advice(get_cfg()) == []
