"""Reports of new strips: of all that is listed, and of one that is opened, with its heat; records that `app.report` writes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from app.new_strips.answers import Answer, Shares, defect_share, is_any_flagged, most_suspicious
from app.new_strips.images import Grey, NewImage, Refused
from app.new_strips.tables import NO_STEEL, NOT_ASKED, Listed, flagged_in_words, unseen_in_words
from app.report.pictures import hatch_where
from app.report.record import Column, Picture, Report, Scale, Section, Table
from app.words import class_title, how_sure, percent
from severstal_xai.classes import CLASSES
from severstal_xai.imaging import NoSteel, encode_png
from severstal_xai.operating_point import OperatingPoint, flagged_as
from severstal_xai.overlay import as_rgb, blend_heat, encode_picture, heat_colours
from severstal_xai.strips import cut, stitch

MOST_PICTURES = 40
"""In a report of all that is listed, the most suspicious."""
_OPACITY = 0.6
_NO_TRUTH = (
    "Nobody marked anything on these images: what is said here is the model's word alone, and no verdict."
)
_WINDOW_COLUMNS = (
    Column("Window", 0.8, number=True),
    Column("Model's answer", 2),
    *(Column(f"{steel.id} · {steel.name}", 1, number=True) for steel in CLASSES),
    Column("Flagged as", 0.9),
)
_LISTED_COLUMNS = (
    Column("File", 2),
    Column("From", 1),
    Column("Window", 0.9, number=True),
    Column("Model's answer there", 1.5),
    Column("Defect", 0.8, number=True),
    Column("Flagged as class", 1.5),
    Column("SHA-256 of the file", 2.6),
)


@dataclass(frozen=True)
class Asker:
    """Whose model was asked, and who had it asked.

    Args:
        reader: The name of who made the report; empty where nobody gave one.
        run: The run folder's name.
        network: The network's name and epoch.
        weights: The checksum of its weights.
        point: Its thresholds; None where there are none.
    """

    reader: str
    run: str
    network: str
    weights: str
    point: OperatingPoint | None

    @property
    def provenance(self) -> tuple[tuple[str, str], ...]:
        """What stands below a report's title."""
        return (
            ("Model", f"{self.run}, {self.network}"),
            ("Weights, SHA-256", self.weights),
            ("Flagged", _thresholds(self.point)),
        )


def _thresholds(point: OperatingPoint | None) -> str:
    if point is None:
        return (
            "No thresholds are set for this model; what counts is whether a defect is the answer on a window."
        )
    said = (
        f"class {one.label} "
        + ("when it is the answer" if one.threshold is None else f"from {percent(one.threshold)} on")
        for one in point.classes
    )
    return "; ".join(said)


def list_report(
    asker: Asker,
    made_at: datetime,
    listed: Sequence[Listed],
    refused: Sequence[tuple[str, Refused]],
    grey_of: Callable[[Listed], Grey | None],
) -> Report:
    """Return a report of all that is listed: a table, the pictures of what is flagged, and what was not taken.

    Args:
        asker: Whose model was asked.
        made_at: When.
        listed: The images, in the order in which they are to be looked at.
        refused: Where each file that was not taken comes from, and why it was not.
        grey_of: Returns an image's grey values; None where it can no longer be read.
    """
    asked = [(one, one.answer) for one in listed if one.answer]
    flagged = [(one, answer) for one, answer in asked if is_any_flagged(answer, asker.point)]
    sections = [_summary(asker, listed, len(asked), len(flagged))]
    if flagged:
        sections.append(_pictures(flagged, asker.point, grey_of))
    if refused:
        rows = tuple((one.name, source, one.reason) for source, one in refused)
        columns = (Column("File", 2), Column("From", 1), Column("Why not", 4))
        sections.append(Section(f"Files not taken: {len(refused)}", tables=(Table(columns, rows),)))
    return Report("New strips", made_at, asker.reader, asker.provenance, tuple(sections))


def _summary(asker: Asker, listed: Sequence[Listed], asked: int, flagged: int) -> Section:
    what = "flagged for an inspector to look at" if asker.point else "with a defect as the answer on a window"
    unasked = (
        f" The model was not asked about {len(listed) - asked} of them yet." if asked < len(listed) else ""
    )
    rows = tuple(_row(one, asker.point) for one in listed)
    dark = [f"{one.image.name}: {words}." for one in listed if (words := unseen_in_words(one.answer))]
    return Section(
        "What the model says",
        (f"Images: {len(listed)}, of them {flagged} {what}.{unasked}", *dark, _NO_TRUTH),
        tables=(Table(_LISTED_COLUMNS, rows),) if rows else (),
    )


def _row(one: Listed, point: OperatingPoint | None) -> tuple[str, ...]:
    if one.answer is None:
        return one.image.name, one.source, "", NOT_ASKED, "", "", one.image.sha256
    place = most_suspicious(one.answer, point)
    if place is None:
        return one.image.name, one.source, "", NO_STEEL, "", "", one.image.sha256
    shares = one.answer.judged[place]
    flagged = flagged_in_words(one.answer, point) if point else "no thresholds"
    answer = class_title(int(np.argmax(shares)))
    return (
        one.image.name,
        one.source,
        str(place + 1),
        answer,
        how_sure(defect_share(shares)),
        flagged,
        one.image.sha256,
    )


def _pictures(
    flagged: Sequence[tuple[Listed, Answer]],
    point: OperatingPoint | None,
    grey_of: Callable[[Listed], Grey | None],
) -> Section:
    pictures = []
    for one, answer in flagged[:MOST_PICTURES]:
        grey = grey_of(one)
        if grey is not None:
            lines = (one.image.name, _found(answer, point))
            pictures.append(
                Picture(
                    _half(steel_picture(one.image, grey, answer)),
                    f"{one.image.name}, grey values",
                    lines,
                    _share(one.image),
                )
            )
    more = (
        f" The pictures are of the {MOST_PICTURES} most suspicious." if len(flagged) > MOST_PICTURES else ""
    )
    gone = min(len(flagged), MOST_PICTURES) - len(pictures)
    lost = f" {gone} could no longer be read." if gone else ""
    return Section(
        f"What to look at: {len(flagged)}",
        (f"The most suspicious first.{more}{lost}",),
        pictures=tuple(pictures),
    )


def _found(answer: Answer, point: OperatingPoint | None) -> str:
    if point:
        return f"flagged as class {flagged_in_words(answer, point)}"
    place = most_suspicious(answer, None)
    if place is None:
        return NO_STEEL
    shares = answer.judged[place]
    label = int(np.argmax(shares))
    return f"window {place + 1}: {class_title(label)}, {how_sure(shares[label])}"


def _half(picture: UInt8[np.ndarray, "height width *channels"]) -> bytes:
    """Return a picture at half its size: on paper no pixel of it is missed, and the file stays small."""
    return _encoded(np.asarray(Image.fromarray(picture).reduce(2)))


def _encoded(picture: UInt8[np.ndarray, "height width *channels"]) -> bytes:
    return encode_png(picture) if picture.ndim == 2 else encode_picture(picture)


def steel_picture(image: NewImage, grey: Grey, answer: Answer) -> UInt8[np.ndarray, "height width *channels"]:
    """Return an image's grey values; windows that show no steel are hatched, and the picture is RGB then."""
    if not answer.unseen:
        return grey
    picture = as_rgb(grey)
    _hatch_unseen(picture, image, answer)
    return picture


def _hatch_unseen(picture: UInt8[np.ndarray, "height width 3"], image: NewImage, answer: Answer) -> None:
    """Hatch what shows no steel, in place."""
    where = np.zeros(picture.shape[:2], dtype=bool)
    for place in answer.unseen:
        cut(where, image.windows[place])[:] = True
    hatch_where(picture, where, covers=True)


def _share(image: NewImage) -> float:
    return 1.0 if image.is_strip else 0.32


@dataclass(frozen=True)
class Told:
    """An image of which a report tells.

    Args:
        image: The image.
        source: Where it comes from.
        grey: Its grey values.
        answer: What the model says of it.
    """

    image: NewImage
    source: str
    grey: Grey
    answer: Answer


def image_report(
    asker: Asker,
    made_at: datetime,
    told: Told,
    method: str,
    heats: Mapping[int, Float[np.ndarray, "256 256"]],
) -> Report:
    """Return a report of one image.

    Args:
        asker: Whose model was asked.
        made_at: When.
        told: The image.
        method: The heat's method, by its title.
        heats: The heat on the fixed scale, 0 to 1, by the place of the window; windows whose map is not made are absent.
    """
    image, answer = told.image, told.answer
    provenance = (
        *asker.provenance,
        ("File", f"{image.name}, from {told.source}"),
        ("File, SHA-256", image.sha256),
        ("Asked", answer.at.strftime("%Y-%m-%d %H:%M:%S UTC")),
    )
    kind = "strip" if image.is_strip else "patch"
    section = Section(
        "What the model says, and why",
        (
            f"Flagged: {_all_flagged(answer, asker.point)}.",
            *([f"Not asked about, and hatched: {words}."] if (words := unseen_in_words(answer)) else []),
            _NO_TRUTH,
            *([_heat_in_words(method, len(heats), len(answer.judged))] if answer.judged else []),
        ),
        scale=_SCALE if heats else None,
        pictures=_image_pictures(told, method, heats),
        tables=(
            Table(
                _WINDOW_COLUMNS,
                tuple(
                    _window_row(place, shares, asker.point) for place, shares in enumerate(answer.windows, 1)
                ),
            ),
        ),
    )
    return Report(f"New {kind} {image.stem}", made_at, asker.reader, provenance, (section,))


_SCALE = Scale(
    encode_picture(heat_colours(np.linspace(0, 1, 256)[None])),
    "0",
    "1",
    "the map times the probability of the explained class",
)


def _all_flagged(answer: Answer, point: OperatingPoint | None) -> str:
    if point is None:
        return "no thresholds are set for this model"
    return f"class {words}" if (words := flagged_in_words(answer, point)) else "no window"


def _heat_in_words(method: str, made: int, windows: int) -> str:
    if not made:
        return f"The heat of {method} was not made yet, so only the steel is shown."
    missing = (
        f" It was not made yet for {windows - made} of {windows} windows, which show bare."
        if made < windows
        else ""
    )
    return f"The heat of {method} shows what speaks for the model's answer, or for the likeliest defect where that is “sound”.{missing}"


def _image_pictures(
    told: Told, method: str, heats: Mapping[int, Float[np.ndarray, "256 256"]]
) -> tuple[Picture, ...]:
    image, answer = told.image, told.answer
    share = 1.0 if image.is_strip else 0.49
    shown = _encoded(steel_picture(image, told.grey, answer))
    steel = Picture(shown, f"{image.name}, grey values", ("The steel",), share)
    if not heats:
        return (steel,)
    heat = stitch(heats) if image.is_strip else heats[0]
    over = blend_heat(told.grey, heat, _OPACITY)
    _hatch_unseen(over, image, answer)
    return steel, Picture(
        encode_picture(over), f"{image.name} with the heat of {method}", (f"The heat of {method}",), share
    )


def _window_row(place: int, shares: Shares | NoSteel, point: OperatingPoint | None) -> tuple[str, ...]:
    if isinstance(shares, NoSteel):
        return (str(place), f"{NO_STEEL}: {shares}", *[""] * len(CLASSES), "")
    flagged = ", ".join(map(str, flagged_as(point, shares))) if point else ""
    return (str(place), class_title(int(np.argmax(shares))), *map(how_sure, shares), flagged)
