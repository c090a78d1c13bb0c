"""From an image file to the array that a model sees: the one definition of preprocessing.

NumPy and Pillow only, so that data preparation needs no torch; `torch.from_numpy` makes the tensor.
"""

import io
import struct
from enum import StrEnum

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import ExifTags, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from severstal_xai.errors import InputError
from severstal_xai.strips import PATCH_SIZE, STRIP_HEIGHT, STRIP_WIDTH

STRIP_SHAPE = (STRIP_HEIGHT, STRIP_WIDTH)
PATCH_SHAPE = (PATCH_SIZE, PATCH_SIZE)
"""Height and width in pixels."""

MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB values in [0, 1]: what torchvision's pretrained networks were trained with."""

_FORMATS = {b"\xff\xd8\xff": JpegImageFile, b"\x89PNG\r\n\x1a\n": PngImageFile}
"""By what a file begins with."""
_PNG_BIT_DEPTH = 24
"""The byte of a PNG file that says so."""
_MODES = {"L", "RGB"}
_OTHER_MODES = {
    "1": "black and white",
    "I;16": "16-bit grey",
    "LA": "grey with transparency",
    "P": "colours from a palette",
    "PA": "colours from a palette",
    "RGBA": "RGB with transparency",
    "CMYK": "CMYK, for print",
}
"""In words what Pillow calls by letters."""
_TURNED = {
    2: "mirrored",
    3: "turned by 180°",
    4: "turned by 180° and mirrored",
    5: "turned by 90° and mirrored",
    6: "turned by 90°",
    7: "turned by 90° and mirrored",
    8: "turned by 90°",
}
"""In words what EXIF calls by numbers; 1 is upright."""
_LARGEST_FILE = 16 * 2**20

BLACK_LEVEL = 0.5
"""The mean grey value below which an image is black, as `configs/data_prep.yaml` has it."""
_ALMOST_ALL = 0.999
"""The share of an image's pixels that must have one grey value for it to be blank. The least noisy window of Severstal's that is no
black one has 0.91."""


class NoSteel(StrEnum):
    """Why an image shows nothing that could be judged."""

    BLACK = "black"
    BLANK = "blank"


def read_grey(content: bytes, *shapes: tuple[int, int]) -> UInt8[np.ndarray, "height width"]:
    """Decode an image file, strictly, and return its grey values.

    Checked before a pixel is decoded: the format (JPEG or PNG, by content), 8-bit grey or RGB, the size. So an
    image that is small as a file and huge as a picture costs nothing. RGB turns grey by its luma (ITU-R
    601-2), which leaves an RGB image that is grey in content, as Severstal's are, as it is.

    Args:
        content: The file's bytes.
        shapes: The (height, width) pairs that are allowed.

    Raises:
        InputError: Not such an image; the message says what was found and what was expected.
    """
    if len(content) > _LARGEST_FILE:
        raise InputError(f"file of {len(content)} bytes, expected at most {_LARGEST_FILE}")
    try:
        with _open(content) as image:
            _check_upright(image)
            _check_header(image, shapes)
            _check_depth(image, content)
            _check_one_picture(image)
            image.verify()  # a PNG's checksums, up to its end
        with _open(content) as image:
            image.draft("L", image.size)
            grey = np.asarray(image.convert("L"))
            _check_upright(image)  # a PNG may say it behind its pixels
            return grey
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for a damaged file
        raise InputError(f"damaged image file: {str(error) or type(error).__name__}") from error


def _open(content: bytes) -> ImageFile.ImageFile:
    """Read an image file's header, no pixel.

    Past Pillow's `Image.open`, which warns of huge images: we refuse them by their header, and to silence a
    warning is to change the whole process, which threads that come and go leave changed for good.
    """
    if not content:
        raise InputError("empty file, expected a JPEG or a PNG")
    for signature, read in _FORMATS.items():
        if content.startswith(signature):
            return read(io.BytesIO(content))
    raise InputError("neither a JPEG nor a PNG file by its content, expected one of them")


def _check_upright(image: ImageFile.ImageFile) -> None:
    """Refuse a picture that is to be turned or mirrored before it is looked at (EXIF's orientation).

    Other programs show it turned: then what people mark, and the windows counted from the left, are elsewhere.
    """
    orientation = _orientation(image)
    if orientation in _TURNED:
        raise InputError(
            f"the file says that its picture is to be {_TURNED[orientation]} (EXIF orientation {orientation}), expected one "
            "that is saved upright"
        )


def _orientation(image: ImageFile.ImageFile) -> object:
    """Return EXIF's orientation as far as the file was read; None where there is none, or none that can be read."""
    if "exif" not in image.info:
        return None
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return None  # a camera's notes are no part of the picture


def _check_one_picture(image: ImageFile.ImageFile) -> None:
    """Refuse an animated PNG, of which one picture would be taken without a word about the others."""
    count = getattr(image, "n_frames", 1)
    if count != 1:
        raise InputError(f"file of {count} pictures (an animation), expected one")


def _check_depth(image: ImageFile.ImageFile, content: bytes) -> None:
    """Refuse PNGs of 1, 2, 4 or 16 bits, some of which Pillow would turn into 8 without a word."""
    if isinstance(image, PngImageFile) and content[_PNG_BIT_DEPTH] != 8:
        raise InputError(f"image of {content[_PNG_BIT_DEPTH]} bits a channel, expected 8")


def _check_header(image: ImageFile.ImageFile, shapes: tuple[tuple[int, int], ...]) -> None:
    width, height = image.size
    if (height, width) not in shapes:
        raise InputError(f"image of {width} x {height} pixels (width x height), expected {_in_words(shapes)}")
    if image.mode not in _MODES:
        raise InputError(f"image in {_OTHER_MODES.get(image.mode, image.mode)}, expected 8-bit grey or RGB")
    if "transparency" in image.info:
        raise InputError("image with transparency, expected 8-bit grey or RGB without")


def _in_words(shapes: tuple[tuple[int, int], ...]) -> str:
    return " or ".join(f"{width} x {height}" for height, width in shapes)


def encode_png(image: UInt8[np.ndarray, "height width"]) -> bytes:
    """Encode a grey image as PNG; the same image gives the same bytes.

    Run-length matching at the lowest level: of zlib's ways the fastest, and on steel, whose noise repeats
    nothing, also the smallest.
    """
    encoded, content = cv2.imencode(".png", image, _PNG)
    if not encoded:
        raise RuntimeError(f"OpenCV could not encode an image of shape {image.shape}")
    return bytes(content.data)


_PNG = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_COMPRESSION, 1]


def encode_mask(mask: np.ndarray) -> bytes:
    """Encode a ground-truth mask, bool of (height, width), as an 8-bit PNG: 255 where the defect is."""
    return encode_png(np.where(mask, np.uint8(255), np.uint8(0)))


def read_mask(content: bytes) -> np.ndarray:
    """Decode a patch's ground-truth mask into bool of (height, width).

    Raises:
        InputError: Not an 8-bit image of a patch's size, or a value other than 0 and 255.
    """
    values = read_grey(content, PATCH_SHAPE)
    strange = np.setdiff1d(values, [0, 255])
    if strange.size:
        raise InputError(f"mask holds the value {strange[0]}, expected 0 and 255 alone")
    mask: np.ndarray = values == 255
    return mask


def is_black(mean_grey: float, level: float = BLACK_LEVEL) -> bool:
    """Tell whether an image is black by its mean grey value: data preparation makes no patch of such a window."""
    return mean_grey < level


def no_steel(grey: UInt8[np.ndarray, "height width"]) -> NoSteel | None:
    """Tell why an image shows no steel: it is black, or blank, which is one grey value nearly throughout; None where it may show some.

    Example:
        >>> no_steel(np.zeros((256, 256), np.uint8)), no_steel(np.full((256, 256), 255, np.uint8))
        (<NoSteel.BLACK: 'black'>, <NoSteel.BLANK: 'blank'>)
    """
    if is_black(float(grey.mean())):
        return NoSteel.BLACK
    commonest = int(np.bincount(grey.ravel(), minlength=1).max())
    return NoSteel.BLANK if commonest >= _ALMOST_ALL * grey.size else None


def model_input(grey: UInt8[np.ndarray, "height width"]) -> Float32[np.ndarray, "3 height width"]:
    """Return the model-ready image: three equal channels, scaled to [0, 1], then normalised by channel.

    Example: mid-grey lies near 0 in every channel.
        >>> model_input(np.full((1, 1), 116, dtype=np.uint8)).round(2).ravel()
        array([-0.13, -0.  ,  0.22], dtype=float32)
    """
    scaled = grey.astype(np.float32) / 255
    mean = np.array(MEAN, dtype=np.float32).reshape(3, 1, 1)
    deviation = np.array(STANDARD_DEVIATION, dtype=np.float32).reshape(3, 1, 1)
    return (scaled[None] - mean) / deviation
