"""The one way from an image file to numbers: what it lets in, what it refuses, and what the numbers are."""

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from severstal_xai.errors import InputError
from severstal_xai.imaging import (
    MEAN,
    PATCH_SHAPE,
    STANDARD_DEVIATION,
    STRIP_SHAPE,
    encode_mask,
    encode_png,
    model_input,
    read_grey,
    read_mask,
)

SMALL = (16, 24)


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, file_format, **options)
    return content.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of that size that holds a hundred bytes of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def test_a_grey_png_comes_back_as_it_was() -> None:
    grey = noise(SMALL)
    assert np.array_equal(read_grey(encode_png(grey), SMALL), grey)


def test_every_grey_value_survives_being_stored_as_rgb() -> None:
    """Luma is (19595 R + 38470 G + 7471 B + 2**15) >> 16, and the weights add up to 2**16: grey stays grey."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    assert np.array_equal(read_grey(encoded(Image.fromarray(rgb), "PNG"), grey.shape), grey)


def test_coloured_pixels_turn_grey_as_pillow_turns_them() -> None:
    rgb = noise((*SMALL, 3))
    expected = np.asarray(Image.fromarray(rgb).convert("L"))
    assert np.array_equal(read_grey(encoded(Image.fromarray(rgb), "PNG"), SMALL), expected)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_jpeg_stored_as_rgb_reads_as_pillow_reads_it_in_full(quality: int) -> None:
    rgb = np.repeat(noise(SMALL)[:, :, None], 3, axis=2)
    content = encoded(Image.fromarray(rgb), "JPEG", quality=quality)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image.convert("RGB").convert("L"))
    assert np.array_equal(read_grey(content, SMALL), expected)


def test_real_strips_read_as_pillow_reads_them_in_full(real_sample: Path) -> None:
    for path in sorted((real_sample / "train_images").iterdir())[:10]:
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB").convert("L"))
        assert np.array_equal(read_grey(path.read_bytes(), STRIP_SHAPE), expected), path.name


def bad_images() -> dict[str, tuple[bytes, str]]:
    height, width = SMALL
    grey, rgb = Image.fromarray(noise(SMALL)), Image.fromarray(noise((*SMALL, 3)))
    jpeg, png = encoded(rgb, "JPEG"), encoded(grey, "PNG")
    palette = grey.convert("P")
    deep = noise(SMALL).astype(np.uint16) * 257
    deep_rgb = cv2.imencode(".png", noise((*SMALL, 3)).astype(np.uint16) * 257)[1].tobytes()
    see_through = encoded(rgb, "PNG", transparency=(0, 0, 0))
    return {
        "nothing": (b"", "empty file, expected a JPEG or a PNG"),
        "text": (b"<html>404</html>", "neither a JPEG nor a PNG"),
        "a signature alone": (b"\xff\xd8\xff", "damaged image file"),
        "a PNG's signature alone": (png[:8], "damaged image file"),
        "half a JPEG": (jpeg[: len(jpeg) // 2], "damaged image file"),
        "half a PNG": (png[: len(png) // 2], "damaged image file"),
        "a PNG whose end is missing": (png[:-12], "damaged image file"),
        "a PNG whose pixels were changed": (damage(png, png.index(b"IDAT") + 20), "damaged image file"),
        "another size": (encoded(grey.resize((width, height + 1)), "PNG"), "image of 24 x 17 pixels"),
        "upright": (encoded(grey.transpose(Image.Transpose.ROTATE_90), "PNG"), "image of 16 x 24 pixels"),
        "CMYK": (encoded(rgb.convert("CMYK"), "JPEG"), "image in CMYK"),
        "RGBA": (encoded(rgb.convert("RGBA"), "PNG"), "image in RGB with transparency"),
        "grey and alpha": (encoded(grey.convert("LA"), "PNG"), "image in grey with transparency"),
        "palette": (encoded(palette, "PNG"), "image in colours from a palette"),
        "black and white": (encoded(grey.convert("1"), "PNG"), "image in black and white"),
        "16-bit grey": (encoded(Image.fromarray(deep), "PNG"), "image in 16-bit grey"),
        "16-bit RGB": (deep_rgb, "image of 16 bits a channel"),
        "4-bit grey": (four_bit_png(), "image of 4 bits a channel"),
        "a colour that is transparent": (see_through, "with transparency"),
        "GIF": (encoded(grey, "GIF"), "neither a JPEG nor a PNG file by its content"),
        "BMP": (encoded(grey, "BMP"), "neither a JPEG nor a PNG file by its content"),
        "TIFF": (encoded(grey, "TIFF"), "neither a JPEG nor a PNG file by its content"),
        "WebP": (encoded(rgb, "WEBP"), "neither a JPEG nor a PNG file by its content"),
        "a file of 17 MiB": (png + bytes(17 * 2**20), "expected at most 16777216"),
    }


def damage(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def four_bit_png() -> bytes:
    header = struct.pack(">IIBBBBB", SMALL[1], SMALL[0], 4, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(SMALL[1] // 2) for _ in range(SMALL[0]))
    content = b"\x89PNG\r\n\x1a\n"
    for kind, part in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
    return content


@pytest.mark.parametrize("what", sorted(bad_images()))
def test_an_image_that_is_not_8_bit_grey_or_rgb_of_the_right_size_is_refused(what: str) -> None:
    content, reason = bad_images()[what]
    with pytest.raises(InputError, match=reason):
        read_grey(content, SMALL)


def test_a_strip_that_was_cut_off_anywhere_is_refused() -> None:
    """Up to a PNG's last four bytes, the checksum of its empty end: all pixels and their checksums are there."""
    strip = Image.fromarray(noise((64, 200)))
    chance = np.random.default_rng(1)
    for content in (encoded(strip, "JPEG"), encoded(strip, "PNG")[:-4]):
        for length in [*chance.integers(1, len(content), 40), *range(len(content) - 12, len(content))]:
            with pytest.raises(InputError):
                read_grey(content[:length], (64, 200))


def test_whatever_bytes_are_damaged_the_answer_is_an_image_or_an_input_error() -> None:
    strip = Image.fromarray(noise((64, 200)))
    chance = np.random.default_rng(2)
    for content in (encoded(strip, "JPEG"), encoded(strip, "PNG"), encoded(strip, "JPEG", progressive=True)):
        for _ in range(150):
            damaged = bytearray(content)
            for _ in range(chance.integers(1, 6)):
                damaged[chance.integers(0, len(content))] = chance.integers(0, 256)
            try:
                grey = read_grey(bytes(damaged), (64, 200))
            except InputError:
                continue
            assert grey.shape == (64, 200)


@pytest.mark.parametrize("side", [9_000, 20_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_by_its_header_and_never_unpacked(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9,000 x 9,000 lies below Pillow's limit for a warning, 20,000 x 20,000 above the one for an error."""
    content = png_header(side, side)
    unpacked: list[object] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", unpacked.append)
    with pytest.raises(InputError, match=f"image of {side} x {side} pixels"):
        read_grey(content, STRIP_SHAPE)
    assert not unpacked


def test_a_png_of_the_right_size_whose_pixels_are_missing_is_refused() -> None:
    with pytest.raises(InputError, match="damaged"):
        read_grey(png_header(1600, 256), STRIP_SHAPE)


def test_threads_that_read_images_leave_the_process_s_warnings_as_they_were() -> None:
    content = encoded(Image.fromarray(noise(SMALL)), "PNG")
    before = list(warnings.filters)

    def read_many() -> None:
        for _ in range(200):
            read_grey(content, SMALL)

    threads = [threading.Thread(target=read_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_one_of_several_shapes_is_enough() -> None:
    grey = noise(PATCH_SHAPE)
    assert np.array_equal(read_grey(encode_png(grey), STRIP_SHAPE, PATCH_SHAPE), grey)


def test_the_same_image_gives_the_same_bytes() -> None:
    assert encode_png(noise(SMALL)) == encode_png(noise(SMALL))


def test_a_mask_comes_back_as_it_was_and_is_stored_as_0_and_255() -> None:
    mask = noise(PATCH_SHAPE) > 127
    assert np.array_equal(read_mask(encode_mask(mask)), mask)
    assert set(np.unique(read_grey(encode_mask(mask), PATCH_SHAPE))) == {0, 255}


def test_a_mask_with_a_value_between_is_refused_and_the_value_named() -> None:
    values = np.zeros(PATCH_SHAPE, dtype=np.uint8)
    values[3, 4] = 1
    with pytest.raises(InputError, match="mask holds the value 1, expected 0 and 255"):
        read_mask(encode_png(values))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="24 x 16"):
        read_mask(encode_png(np.zeros(SMALL, dtype=np.uint8)))


def test_the_model_s_input_is_imagenet_s_normalisation() -> None:
    """(grey / 255 - mean) / deviation in float64; float32 is within a few roundings of 2**-24 of values below 4."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.stack(
        [
            (grey.astype(np.float64) / 255 - mean) / deviation
            for mean, deviation in zip(MEAN, STANDARD_DEVIATION, strict=True)
        ]
    )
    found = model_input(grey)
    assert found.dtype == np.float32
    # scaled, minus and divided: three roundings, the first two of values below 1, made larger by 1 / 0.224.
    assert np.abs(found - expected).max() < 3 * 2**-24 / min(STANDARD_DEVIATION) + 4 * 2**-24
