import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from severstal_xai.command import CONFIGS, parse_settings, to_yaml
from severstal_xai.errors import InputError
from training.settings import PAPER, Augmentation, Loss, Settings


def test_the_defaults_are_the_papers_where_the_paper_gives_a_value(paper_settings: Settings) -> None:
    assert {name: getattr(paper_settings, name) for name in PAPER} == {
        "architecture": "resnet101",
        "epochs": 40,
        "learning_rate": 0.1,
        "halve_every": 5,
        "patches_per_class": None,
        "sampling": "natural",
    }
    assert paper_settings.loss == Loss("none", 0.0, 0.0)  # "categorical cross-entropy"
    assert paper_settings.initial == "random"


@pytest.mark.parametrize("config", ["training.yaml", "demo/training.yaml"])
def test_a_config_names_every_setting(config: str) -> None:
    content = yaml.safe_load((CONFIGS / config).read_text(encoding="utf-8"))
    assert set(content) == {field.name for field in dataclasses.fields(Settings)}
    assert set(content["augmentation"]) == {field.name for field in dataclasses.fields(Augmentation)}


def test_settings_that_were_written_are_read_back_equal(tmp_path: Path, paper_settings: Settings) -> None:
    written = tmp_path / "settings.yaml"
    written.write_text(to_yaml(paper_settings), encoding="utf-8")
    read = parse_settings(Settings, command="", description="", arguments=["--config", str(written)])
    assert read == paper_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("halve_every", 0),
        ("momentum", 1.0),
        ("weight_decay", -0.1),
        ("batch_size", 0),
        ("patches_per_class", 0),
        ("seed", -1),
        ("workers", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(
    small: Callable[..., Settings], name: str, value: float
) -> None:
    with pytest.raises(InputError, match=rf"^{name} {value}, expected "):
        small(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("horizontal_flip", 1.5), ("vertical_flip", -0.5), ("shift", 200), ("contrast", 2.0), ("noise", -1.0)],
)
def test_an_augmentation_out_of_range_is_refused_by_name(
    no_chance: Augmentation, name: str, value: Any
) -> None:
    with pytest.raises(InputError, match=rf"^augmentation.{name} {value}, expected "):
        dataclasses.replace(no_chance, **{name: value})
