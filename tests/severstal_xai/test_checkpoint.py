"""A checkpoint: what is saved comes back, and a file that is not what it claims is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from severstal_xai import imaging
from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE, ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.files import sha256_of, write_bytes
from severstal_xai.model import build_classifier

CARD = ModelCard("resnet18", data_checksum="c" * 64, epoch=7, settings={"batch": 4, "rate": 0.1})


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A network whose batch-norm statistics are not those of a fresh one."""
    model = build_classifier("resnet18", len(CLASSES), seed=5).train()
    with torch.no_grad():
        model(torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    return model


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, network: nn.Module) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(folder, network, CARD)
    return folder


@pytest.fixture
def saved(tmp_path: Path, original: Path) -> Path:
    """A checkpoint of the test's own; its weights are a link, to be replaced and never written into."""
    (tmp_path / WEIGHTS_FILE).hardlink_to(original / WEIGHTS_FILE)
    shutil.copy(original / MODEL_FILE, tmp_path)
    return tmp_path


def change_card(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / MODEL_FILE).read_text())
    change(content)
    (folder / MODEL_FILE).write_text(json.dumps(content))


def replace_weights(folder: Path, content: bytes) -> None:
    """Put other weights in the file's place, and their checksum with them."""
    write_bytes(folder / WEIGHTS_FILE, content)
    change_card(folder, lambda card: card.update(weights_sha256=sha256_of(folder / WEIGHTS_FILE)))


def test_a_checkpoint_that_is_loaded_computes_what_was_saved(saved: Path, network: nn.Module) -> None:
    loaded = load_checkpoint(saved)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    training = network.training
    network.eval()
    with torch.no_grad():
        expected = network(images)
    network.train(training)
    assert torch.equal(loaded.model(images), expected)


def test_a_loaded_model_is_ready_to_be_asked(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert not any(module.training for module in loaded.model.modules())
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.card.weights_sha256 == sha256_of(saved / WEIGHTS_FILE)
    assert loaded.card == ModelCard(**{**vars(CARD), "weights_sha256": loaded.card.weights_sha256})


def test_saving_leaves_the_network_as_it_was(tmp_path: Path, network: nn.Module) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    training = network.training
    save_checkpoint(tmp_path, network, CARD)
    assert network.training == training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_two_checkpoints_live_in_one_folder_under_their_names(saved: Path) -> None:
    other = build_classifier("resnet18", len(CLASSES), seed=6)
    save_checkpoint(saved, other, CARD, name="last")
    first, second = load_checkpoint(saved).model, load_checkpoint(saved, "last").model
    assert not torch.equal(first.state_dict()["fc.weight"], second.state_dict()["fc.weight"])


def test_a_missing_file_is_named(saved: Path) -> None:
    (saved / WEIGHTS_FILE).unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        load_checkpoint(saved)
    (saved / MODEL_FILE).unlink()
    with pytest.raises(InputError, match=r"model\.json: no such file, expected .*python -m training"):
        load_checkpoint(saved)


@pytest.mark.parametrize("part", [0, 7, 1000, -1])
def test_truncated_weights_are_refused(saved: Path, part: int) -> None:
    content = (saved / WEIGHTS_FILE).read_bytes()[:part]
    write_bytes(saved / WEIGHTS_FILE, content)
    with pytest.raises(InputError, match=r"model\.safetensors: SHA-256 differs"):
        load_checkpoint(saved)
    replace_weights(saved, content)
    with pytest.raises(InputError, match=r"model\.safetensors: not a readable safetensors file"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [("layer1.0.conv1.weight", float("nan"), "nan"), ("bn1.running_var", float("-inf"), "-inf")],
)
def test_weights_that_are_no_finite_numbers_are_refused_by_the_tensor_s_name(
    saved: Path, name: str, value: float, shown: str
) -> None:
    tensors = safetensors.torch.load_file(saved / WEIGHTS_FILE)
    tensors[name].view(-1)[1] = value
    replace_weights(saved, safetensors.torch.save(tensors))
    count = f"{tensors[name].numel():,}"
    with pytest.raises(
        InputError,
        match=rf"model\.safetensors: weights {name} hold {shown} \(1 of {count} values\), expected finite numbers",
    ):
        load_checkpoint(saved)


def test_one_changed_byte_of_the_weights_is_noticed(saved: Path) -> None:
    content = bytearray((saved / WEIGHTS_FILE).read_bytes())
    content[-1] ^= 1
    write_bytes(saved / WEIGHTS_FILE, bytes(content))
    with pytest.raises(InputError, match="SHA-256 differs"):
        load_checkpoint(saved)


def test_weights_of_another_network_are_refused(saved: Path) -> None:
    replace_weights(saved, safetensors.torch.save({"stranger": torch.zeros(3)}))
    with pytest.raises(InputError, match="the weights do not fit the network"):
        load_checkpoint(saved)


def test_weights_for_another_number_of_classes_are_refused(saved: Path) -> None:
    replace_weights(saved, safetensors.torch.save(build_classifier("resnet18", 4, seed=0).state_dict()))
    with pytest.raises(InputError, match="the weights do not fit the network"):
        load_checkpoint(saved)


def test_weights_with_a_missing_tensor_are_refused(saved: Path) -> None:
    tensors = safetensors.torch.load((saved / WEIGHTS_FILE).read_bytes())
    del tensors["fc.bias"]
    replace_weights(saved, safetensors.torch.save(tensors))
    with pytest.raises(InputError, match=r"do not fit the network.*fc\.bias"):
        load_checkpoint(saved)


def test_a_pickle_in_the_weights_place_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    torch.save(build_classifier("resnet18", len(CLASSES), seed=0), tmp_path / "pickle")
    replace_weights(saved, (tmp_path / "pickle").read_bytes())
    with pytest.raises(InputError, match="not a readable safetensors file"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda card: card.update(classes=card["classes"][::-1]), "classes "),
        (lambda card: card["classes"].pop(), "classes "),
        (lambda card: card.pop("classes"), "classes None, expected"),
        (lambda card: card["preprocessing"].update(mean=[0.5, 0.5, 0.5]), "preprocessing "),
        (lambda card: card.update(format=2), "not a model description of format 1"),
        (lambda card: card.pop("format"), "not a model description of format 1"),
        (lambda card: card.pop("epoch"), "not a model description of format 1"),
        (lambda card: card.pop("weights_sha256"), "not a model description of format 1"),
        (
            lambda card: card.update(architecture="alexnet"),
            "architecture 'alexnet', expected one of resnet18",
        ),
        (lambda card: card.update(architecture="resnet34"), "the weights do not fit the network"),
        (lambda card: card.update(architecture=18), "architecture 18, expected str"),
        (lambda card: card.update(epoch="7"), "epoch '7', expected int"),
        (lambda card: card.update(settings=[]), r"settings \[\], expected dict"),
        (lambda card: card.update(weights_sha256=None), "weights_sha256 None, expected str"),
        (lambda card: card.update(weights_sha256="0" * 64), "SHA-256 differs"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    saved: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    change_card(saved, change)
    with pytest.raises(InputError, match=reason):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"format": 1}', b"[" * 100_000]
)
def test_a_damaged_description_is_refused_and_named(saved: Path, content: bytes) -> None:
    (saved / MODEL_FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"model\.json: not "):
        load_checkpoint(saved)


def test_the_description_tells_how_images_are_prepared(saved: Path) -> None:
    content = json.loads((saved / MODEL_FILE).read_text())
    assert content["preprocessing"] == {
        "mean": list(imaging.MEAN),
        "standard_deviation": list(imaging.STANDARD_DEVIATION),
    }
    assert content["classes"] == [steel_class.name for steel_class in CLASSES]
