import argparse
from pathlib import Path

import torch

from alphaction.benchmark import interaction

CONFIG = Path(__file__).parents[2] / "config_files/resnet50_4x16f_serial.yaml"


def test_the_plain_way_gives_every_person_the_memory_and_the_objects_of_its_clip() -> None:
    batch = interaction.make_pooled(4, 6, 2)
    apart = interaction.each_person_alone(batch)
    clip_of = torch.repeat_interleave(torch.arange(8), torch.tensor(batch.persons.counts))
    assert apart.persons.counts == (1,) * 16
    assert torch.equal(apart.memory, batch.memory[clip_of])
    assert torch.equal(apart.objects.features.view(16, 2, 4), batch.objects.features.view(8, 2, 4)[clip_of])


def test_the_report_says_whether_the_ratio_is_within_its_limit() -> None:
    parser = argparse.ArgumentParser()
    interaction.add_arguments(parser)
    report = interaction.run(parser.parse_args(["--config-file", str(CONFIG), "--repeats", "1"]))
    name, ours, plain, ratio, limit, within = report.splitlines()[-1].split()
    assert name == CONFIG.stem
    assert float(ratio) > 0 and float(ours) > 0 and float(plain) > 0
    assert (within == "yes") == (float(ratio) <= float(limit))
