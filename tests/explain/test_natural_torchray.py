"""TorchRay's networks: a file of their form gives the network that Caffe's would be, written here with torchvision alone."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.activations import activations
from explain.engines import choose_engine
from explain.natural.torchray import SlidingVGG, check_weights, load_network, network_input, weights_file
from severstal_xai.errors import InputError
from severstal_xai.files import sha256_of
from severstal_xai.model import build_classifier
from tests.explain.natural_trees import as_caffe_sees_it, save_resnet50, save_vgg16


def pixels_of(size: int, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (size // 8, size // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    return (0.8 * coarse + 0.2 * chance.integers(0, 256, (size, size, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth.tar"
    return path, save_resnet50(path, classes=20, seed=0)


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth.tar"
    yield path, save_vgg16(path, classes=20, seed=0)
    path.unlink()  # half a GB


@pytest.mark.parametrize("size", [64, 96])
def test_resnet50_answers_as_caffes(resnet50: tuple[Path, Any], size: int) -> None:
    path, caffe = resnet50
    network = load_network(path, "voc2007", "resnet50").double()
    pixels = pixels_of(size)
    with torch.no_grad():
        expected = caffe(as_caffe_sees_it(pixels))
        found = network(torch.from_numpy(network_input(pixels)).double()[None])
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # the input is rounded to float32


def test_vgg16_answers_as_caffes(vgg16: tuple[Path, Any]) -> None:
    path, caffe = vgg16
    pixels = pixels_of(224)
    with torch.no_grad():
        expected = caffe(as_caffe_sees_it(pixels))
        network = load_network(path, "voc2007", "vgg16").double()
        found = network(torch.from_numpy(network_input(pixels)).double()[None])
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_the_head_looks_at_every_place_of_a_larger_image_and_the_answers_are_averaged() -> None:
    chance = torch.Generator().manual_seed(0)
    first, last = nn.Linear(3 * 49, 8).double(), nn.Linear(8, 5).double()
    classifier = nn.Sequential(first, nn.ReLU(), last)
    network = SlidingVGG(nn.Identity(), classifier)
    images = torch.randn(2, 3, 8, 9, generator=chance, dtype=torch.float64)  # the head fits at 2 x 3 places
    convolved = nn.functional.conv2d(images, first.weight.reshape(8, 3, 7, 7), first.bias).relu()
    expected = nn.functional.conv2d(convolved, last.weight[:, :, None, None], last.bias).mean(dim=(2, 3))
    torch.testing.assert_close(network(images), expected)
    answers = [
        classifier(images[:, :, down : down + 7, across : across + 7].flatten(1))
        for down, across in itertools.product(range(2), range(3))
    ]
    torch.testing.assert_close(network(images), torch.stack(answers).mean(dim=0))


@pytest.mark.parametrize(
    ("fixture", "architecture", "sizes", "maps"),
    [
        ("vgg16", "vgg16", (224, 256), [64, 128, 256, 512, 512]),
        ("resnet50", "resnet50", (64,), [64, 256, 512, 1024, 2048]),
    ],
)
def test_the_block_ends_are_the_papers(
    request: pytest.FixtureRequest, fixture: str, architecture: Any, sizes: tuple[int, ...], maps: list[int]
) -> None:
    network = load_network(request.getfixturevalue(fixture)[0], "voc2007", architecture)
    for size in sizes:
        seen = activations(network, torch.from_numpy(network_input(pixels_of(size))))
        assert [one.shape[1] for one in seen.features] == maps
    assert sum(maps) == {"vgg16": 1472, "resnet50": 3904}[architecture]


def test_openvino_takes_the_head_that_looks_at_every_place() -> None:
    features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True))
    network = SlidingVGG(features, nn.Linear(4 * 49, 5)).eval()
    image = torch.randn(3, 17, 19, generator=torch.Generator().manual_seed(0))  # 9 x 10 places
    engine = choose_engine(network, image, "openvino_float32")
    with torch.no_grad():
        expected = network(image[None]).softmax(dim=1)[0]
    batch = image.expand(engine.batch, -1, -1, -1).contiguous()
    torch.testing.assert_close(engine.ask(batch)[0], expected, rtol=1e-3, atol=1e-5)


def resaved(path: Path, tmp_path: Path, changes: Mapping[str, Tensor | None]) -> Path:
    """Save a file's tensors once more, some of them changed or left out."""
    tensors = torch.load(path, weights_only=True) | dict(changes)
    torch.save({key: value for key, value in tensors.items() if value is not None}, tmp_path / "changed.pth")
    return tmp_path / "changed.pth"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"fc.weight": torch.zeros(80, 2048)},
            r"'fc\.weight' is of shape \(80, 2048\), expected \(20, 2048\)",
        ),
        ({"conv1.bias": None}, r"no tensor for conv1\.bias, expected one"),
        (
            {"layer1.0.bn1.0.weight": torch.ones(64)},
            r"second tensor for layer1\.0\.bn1\.weight, expected one",
        ),
        ({"features.0.weight": torch.ones(1)}, r"'features\.0\.weight' is none of the network's tensors"),
        ({"epoch": 3}, "'epoch' is a int, expected a tensor"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    resnet50: tuple[Path, Any], tmp_path: Path, changes: Any, words: str
) -> None:
    with pytest.raises(InputError, match=rf"changed\.pth, as resnet50 for voc2007: .*{words}"):
        load_network(resaved(resnet50[0], tmp_path, changes), "voc2007", "resnet50")


def test_weights_of_another_network_or_data_set_are_refused(
    resnet50: tuple[Path, Any], tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"is none of the network's tensors, expected one for features\.0\.weight"
    ):
        load_network(resnet50[0], "voc2007", "vgg16")
    with pytest.raises(
        InputError, match=r"'fc\.weight' is of shape \(20, 2048, 1, 1\), expected \(80, 2048\)"
    ):
        load_network(resnet50[0], "coco2014", "resnet50")
    plain = tmp_path / "plain.pth"
    torch.save(build_classifier("resnet50", 20, seed=0).state_dict(), plain)  # torchvision's own
    with pytest.raises(InputError, match=r"no tensor for conv1\.bias"):
        load_network(plain, "voc2007", "resnet50")


@pytest.mark.parametrize("content", [b"", b"no pickle at all", b"\x80\x02}q\x00.", b"\x80\x02]q\x00."])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pth\.tar, as resnet50 for voc2007: .*expected") as caught:
        load_network(tmp_path / "w.pth.tar", "voc2007", "resnet50")
    assert "\n" not in str(caught.value)


def test_half_a_file_is_refused(resnet50: tuple[Path, Any], tmp_path: Path) -> None:
    content = resnet50[0].read_bytes()
    (tmp_path / "half.pth.tar").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"half\.pth\.tar, as resnet50 for voc2007: cannot be read"):
        load_network(tmp_path / "half.pth.tar", "voc2007", "resnet50")


def test_a_missing_file_says_where_it_can_be_had(tmp_path: Path) -> None:
    path = tmp_path / weights_file("coco2014", "vgg16")
    address = r"https://dl\.fbaipublicfiles\.com/torchray/vgg16_coco-d82c8150\.pth\.tar"
    with pytest.raises(
        InputError, match=rf"no such file.*download {address} .*begins with d82c8150\) and put"
    ):
        check_weights(path, "coco2014", "vgg16")


def test_a_name_with_a_checksum_is_held_to_it(tmp_path: Path) -> None:
    (tmp_path / "plain.pth").write_bytes(b"weights")
    checksum = sha256_of(tmp_path / "plain.pth")
    assert check_weights(tmp_path / "plain.pth", "voc2007", "vgg16") == checksum
    for begin, right in ((checksum[:8], True), ("0123abcd", False)):
        named = tmp_path / f"vgg16_voc-{begin}.pth.tar"
        named.write_bytes(b"weights")
        if right:
            assert check_weights(named, "voc2007", "vgg16") == checksum
        else:
            with pytest.raises(
                InputError, match=f"begins with {checksum[:8]}, expected {begin} as in its name"
            ):
                check_weights(named, "voc2007", "vgg16")
