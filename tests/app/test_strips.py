"""Strips put together from a data folder, against the strip that was drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.strip.strips import Strip, composed, read_whole, strips_of
from severstal_xai.errors import InputError
from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE, encode_png
from severstal_xai.manifest import Manifest, Patch, Split, write_manifest
from severstal_xai.strips import OFFSET, PATCH_SIZE, patch_name

GREY: np.ndarray = np.random.default_rng(0).integers(1, 255, STRIP_SHAPE).astype(np.uint8)


def patch(folder: Path, strip: str, index: int, offset: int = OFFSET) -> Patch:
    x = offset + PATCH_SIZE * index
    content = encode_png(GREY[:, x : x + PATCH_SIZE])
    name = patch_name(strip, index)
    image = f"images/{name}.png"
    (folder / image).parent.mkdir(exist_ok=True)
    (folder / image).write_bytes(content)
    return Patch(
        name, strip, index, x, 0, Split.TEST, False, 0, 1.0, image, "", sha256(content), ""
    )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    """Strip a without its windows 1 and 5, strip b whole and cut from the left edge on."""
    (tmp_path / "data").mkdir()
    patches = [patch(tmp_path / "data", "a", index) for index in (0, 2, 3, 4)]
    patches += [patch(tmp_path / "data", "b", index, offset=0) for index in range(6)]
    return write_manifest(tmp_path / "data", patches)


@pytest.fixture
def greys(data: Manifest) -> Callable[[Strip], dict[int, np.ndarray]]:
    return lambda strip: {index: data.read_image(one) for index, one in strip.patches.items()}


def test_strips_have_their_patches_and_windows(data: Manifest) -> None:
    strips = strips_of(data)
    assert list(strips) == ["a", "b"]
    assert list(strips["a"].patches) == [0, 2, 3, 4]
    assert [window.x for window in strips["a"].windows] == [32, 288, 544, 800, 1056, 1312]
    assert [window.x for window in strips["b"].windows] == [0, 256, 512, 768, 1024, 1280]


def test_a_strip_is_put_together_as_it_was_cut(
    data: Manifest, greys: Callable[..., dict[int, np.ndarray]]
) -> None:
    strip = strips_of(data)["a"]
    expected = GREY.copy()
    expected[:, :32] = expected[:, 288:544] = expected[:, 1312:] = 0
    assert np.array_equal(composed(strip, greys(strip)), expected)


def test_a_whole_strip_is_the_one_that_its_patches_were_cut_from(
    data: Manifest, greys: Callable[..., dict[int, np.ndarray]], tmp_path: Path
) -> None:
    strip = strips_of(data)["a"]
    with pytest.raises(InputError, match=r"no image of strip 'a' among the strips, expected a\.jpg"):
        read_whole(tmp_path, strip, greys(strip))
    (tmp_path / "a.png").write_bytes(encode_png(GREY))
    assert np.array_equal(read_whole(tmp_path, strip, greys(strip)), GREY)
    other = GREY.copy()
    other[7, 900] += 1
    (tmp_path / "a.png").write_bytes(encode_png(other))
    with pytest.raises(InputError, match="window 4 differs from patch a_3"):
        read_whole(tmp_path, strip, greys(strip))
    (tmp_path / "a.png").write_bytes(encode_png(GREY[:, :800]))
    with pytest.raises(InputError, match=r"a\.png: .*800"):
        read_whole(tmp_path, strip, greys(strip))
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"a\.png"):
        read_whole(tmp_path, strip, greys(strip))
