"""Explaining many images: from subjects to files, one after the other; what cannot be read is listed."""

import csv
import dataclasses
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from explain.explainer import Explainer
from explain.methods import METHODS
from explain.pictures import picture_of
from explain.settings import ExplainSettings, Target
from explain.subjects import WHOLE, Subject, choose_patches, find_images, read_image, read_patch
from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import whole_file, write_bytes, write_text
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Split, read_manifest

_OURS = {"settings.yaml", "explained.csv", "rejected.csv", *METHODS}


@dataclass(frozen=True)
class Row:
    """One map: a line of `explained.csv`.

    Args:
        name: The patch or the strip.
        window: The window on the strip, 0 to 5; -1 for a patch.
        method: The method's name.
        label: The ground truth's class; empty where nobody knows.
        prediction: The class of the highest probability.
        target: The class that was explained.
        probability: Its softmax probability.
        highest: The map's largest value; 0 where the method found nothing.
        seconds: What it took.
    """

    name: str
    window: int
    method: str
    label: int | None
    prediction: int
    target: int
    probability: float
    highest: float
    seconds: float


@dataclass(frozen=True)
class Gallery:
    """What came of it: where, how many images, and which files could not be used."""

    folder: Path
    explained: int
    rejects: tuple[str, ...]


def explain_all(settings: ExplainSettings) -> Gallery:
    """Explain what the settings name and write maps, pictures, `explained.csv` and `rejected.csv`.

    Raises:
        InputError: The run, the data or the settings cannot be used, or no image could be read.
    """
    model = load_checkpoint(settings.run).model.to(pick_device(settings.device))
    folder = settings.output or settings.run / "maps"
    _check_output(folder)
    write_text(folder / "settings.yaml", to_yaml(settings))
    rows: list[Row] = []
    rejects: list[str] = []
    explained = 0
    for subject in _subjects(settings):
        if isinstance(subject, InputError):
            rejects.append(str(subject))
            continue
        rows += explain_subject(model, subject, settings.explainers(), settings.target, folder)
        explained += 1
        _write_table(
            folder / "explained.csv", [field.name for field in dataclasses.fields(Row)], map(_cells, rows)
        )
    _write_table(folder / "rejected.csv", ["reason"], ([reason] for reason in rejects))
    if not explained:
        raise InputError(
            f"no image could be explained; {folder / 'rejected.csv'} lists {len(rejects)} rejects"
        )
    return Gallery(folder, explained, tuple(rejects))


def _check_output(folder: Path) -> None:
    """Refuse to write among files that are not ours: a data folder's, a run's, the images'."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: a file, expected a folder to make")
    others = {path.name for path in folder.glob("*")} - _OURS
    if others:
        raise InputError(f"--output {folder}: holds {min(others)!r}, expected an empty folder or one of maps")


def pick_device(wanted: str) -> torch.device:
    """Return the device; `auto` takes a CUDA GPU where there is one.

    Raises:
        InputError: A GPU is wanted where there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, expected cpu or auto: there is no usable CUDA GPU")
    return torch.device(
        "cuda" if wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available()) else "cpu"
    )


def _subjects(settings: ExplainSettings) -> Iterator[Subject | InputError]:
    """Yield what to explain, one read at a time; an error in place of what could not be read."""
    if settings.data is None:
        yield from _subjects_of_files(list(find_images(settings.images)))
        return
    manifest = read_manifest(settings.data)
    for patch in tqdm(
        choose_patches(manifest, Split(settings.split), settings.patches_per_class), unit="patch"
    ):
        try:
            yield read_patch(manifest, patch)
        except InputError as error:
            yield error


def _subjects_of_files(paths: Sequence[Path]) -> Iterator[Subject | InputError]:
    taken: dict[str, Path] = {}
    for path in tqdm(paths, unit="image"):
        if path.stem in taken:
            yield InputError(
                f"{path}: its maps would be called as those of {taken[path.stem]}, expected distinct names"
            )
            continue
        taken[path.stem] = path
        try:
            yield read_image(path)
        except InputError as error:
            yield error


def explain_subject(
    model: nn.Module, subject: Subject, explainers: Mapping[str, Explainer], target: Target, folder: Path
) -> list[Row]:
    """Explain an image by each method and write `METHOD/NAME.npy` and `METHOD/NAME.png`.

    The map's file holds float16 in [0, 1], of the image's size, NaN where no window lies; the picture shows the
    map times the probability of the class it explains.
    """
    device = next(model.parameters()).device
    images = {
        index: torch.from_numpy(model_input(grey)).to(device) for index, grey in subject.patches().items()
    }
    answers = {index: ask(model, image) for index, image in images.items()}
    targets = {index: choose_target(target, subject, answer) for index, answer in answers.items()}
    rows = []
    for method, explainer in explainers.items():
        maps, heats = {}, {}
        for index, image in images.items():
            began = time.perf_counter()
            saliency = (
                explainer(model, image[None], torch.tensor([targets[index]], device=device))[0].cpu().numpy()
            )
            probability = float(answers[index][targets[index]])
            maps[index], heats[index] = saliency, saliency * probability
            rows.append(
                Row(
                    name=subject.name,
                    window=index,
                    method=method,
                    label=subject.label,
                    prediction=int(answers[index].argmax()),
                    target=targets[index],
                    probability=probability,
                    highest=float(saliency.max()),
                    seconds=time.perf_counter() - began,
                )
            )
        _write_map(folder / method / f"{subject.name}.npy", subject.assemble(maps))
        picture = picture_of(
            subject.grey, subject.assemble(heats), subject.mask, subject.label, _words(rows[-len(maps) :])
        )
        write_bytes(folder / method / f"{subject.name}.png", picture)
    return rows


def ask(model: nn.Module, image: Tensor) -> Tensor:
    """Return the model's probabilities for one image, on the CPU."""
    with torch.inference_mode():
        probabilities: Tensor = model(image[None])[0].float().softmax(dim=0).cpu()
    return probabilities


def choose_target(target: Target, subject: Subject, probabilities: Tensor) -> int:
    """Return the class to explain.

    `auto` is the ground truth's where it is known, else the prediction's; where that is "sound" it is the likeliest
    defect, so that steel which the model finds sound looks cold.
    """
    if target in {"auto", "label"} and subject.label is not None:
        return subject.label
    if target == "auto":
        answer = int(probabilities.argmax())
        return answer if answer != SOUND.id else 1 + int(probabilities[1:].argmax())
    return int(probabilities.argmax()) if target == "prediction" else int(target)


def _words(rows: Sequence[Row]) -> str:
    """Say in a line what was explained: for a patch its class, for a strip the class of each window."""
    first = rows[0]
    if first.window != WHOLE:
        return f"{first.name}  {first.method}  " + "  ".join(f"{row.window}: {_sure(row)}" for row in rows)
    truth = "" if first.label is None else f"truth {first.label} "
    return f"{truth}predicted {first.prediction}; why {_sure(first)}? {first.method} {first.name}"


def _sure(row: Row) -> str:
    return f"{row.target} {CLASSES[row.target].name} {row.probability:.2f}"


def _write_map(path: Path, saliency: np.ndarray) -> None:
    content = io.BytesIO()
    np.save(content, saliency.astype(np.float16), allow_pickle=False)
    write_bytes(path, content.getvalue())


def _cells(row: Row) -> list[str]:
    cells = dataclasses.astuple(row)
    return ["" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in cells]


def _write_table(path: Path, header: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
