"""Explaining many images: from subjects to files, some at a time; what cannot be read is listed."""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from explain.company import Company, join
from explain.methods import METHODS
from explain.pictures import picture_of
from explain.records import Row, check_maker, claim, is_done, maker_of, write_record, write_tables
from explain.settings import ExplainSettings, Target
from explain.subjects import WHOLE, Subject, choose_patches, find_images, read_image, read_patch
from severstal_xai.checkpoint import Checkpoint, load_checkpoint
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import is_nobodys, write_bytes, write_text
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Split, read_manifest

Outcome = bool | str
"""Of an image: whether a map of it was missing, or why it cannot be used."""
_CUDA_AT_ONCE = 8
_OURS = {"settings.yaml", "explained.csv", "rejected.csv", *METHODS}


@dataclass(frozen=True)
class Gallery:
    """What came of it.

    Args:
        folder: Where the maps are.
        explained: How many images have their maps now.
        done_before: How many of them had all of them before.
        rejects: Why the others could not be used.
    """

    folder: Path
    explained: int
    done_before: int
    rejects: tuple[str, ...]


def explain_all(settings: ExplainSettings) -> Gallery | None:
    """Explain what the settings name and write maps, pictures and tables; maps that are there already stay.

    Returns:
        What came of it; None in a process of a company that does not lead it.

    Raises:
        InputError: The run, the data or the settings cannot be used, or no image could be read.
    """
    company = join(settings.device)
    checkpoint = load_checkpoint(settings.run)
    folder = settings.output or settings.run / "maps"
    _check_output(folder)
    read = _readers(settings)
    _open_folder(settings, checkpoint, folder, company)
    model = checkpoint.model.to(company.device)
    outcomes: list[Outcome] = []
    with tqdm(total=len(company.share(read)), unit="image", disable=not company.leads) as bar:
        for some in _at_once(company.share(read), settings, company.device):
            outcomes += _explain_some(model, some, settings, folder)
            bar.update(len(some))
    outcomes = company.gather(outcomes)
    if not company.leads:
        return None
    rejects = [outcome for outcome in outcomes if isinstance(outcome, str)]
    write_tables(folder, METHODS, rejects)
    if len(rejects) == len(outcomes):
        more = f" (and {len(rejects) - 1} more, listed in {folder / 'rejected.csv'})" * (len(rejects) > 1)
        raise InputError(f"no image could be explained: {rejects[0]}{more}")
    write_text(folder / "settings.yaml", to_yaml(settings))
    return Gallery(folder, len(outcomes) - len(rejects), outcomes.count(False), tuple(rejects))


def _check_output(folder: Path) -> None:
    """Refuse to write among files that are not ours: a data folder's, a run's, the images'."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: a file, expected a folder to make")
    others = {path.name for path in folder.glob("*") if not is_nobodys(path)} - _OURS
    if others:
        raise InputError(f"--output {folder}: holds {min(others)!r}, expected an empty folder or one of maps")


def _open_folder(settings: ExplainSettings, checkpoint: Checkpoint, folder: Path, company: Company) -> None:
    """Make sure that the folder holds no other maps of the methods asked for, or delete those."""
    makers = {
        method: maker_of(explainer, checkpoint.card.weights_sha256, settings.target)
        for method, explainer in settings.explainers().items()
    }
    for method, maker in makers.items():
        if not settings.overwrite:
            check_maker(folder / method, maker)
    company.wait()  # nobody looks any more at what the first now changes
    if company.leads:
        for method, maker in makers.items():
            claim(folder / method, maker, overwrite=settings.overwrite)
    company.wait()


Read = Callable[[], Subject]


def _readers(settings: ExplainSettings) -> list[Read]:
    """Return what to explain, each to be read when its turn comes; reading raises `InputError` if it cannot be."""
    if settings.data is None:
        return _readers_of_files(list(find_images(settings.images)))
    manifest = read_manifest(settings.data)
    patches = choose_patches(manifest, Split(settings.split), settings.patches_per_class)
    return [partial(read_patch, manifest, patch) for patch in patches]


def _readers_of_files(paths: Sequence[Path]) -> list[Read]:
    first = {path.stem: path for path in reversed(paths)}
    return [
        partial(read_image, path)
        if first[path.stem] is path
        else partial(_refuse_name, path, first[path.stem])
        for path in paths
    ]


def _refuse_name(path: Path, other: Path) -> Subject:
    raise InputError(f"{path}: its maps would be called as those of {other}, expected distinct names")


def _at_once(
    read: Sequence[Read], settings: ExplainSettings, device: torch.device
) -> Iterator[Sequence[Read]]:
    """Yield the images that are explained together; none of their maps is written before the last is found."""
    size = settings.at_once or (_CUDA_AT_ONCE if device.type == "cuda" else 1)
    for begin in range(0, len(read), size):
        yield read[begin : begin + size]


def _explain_some(
    model: nn.Module, some: Sequence[Read], settings: ExplainSettings, folder: Path
) -> list[Outcome]:
    """Explain images by the methods whose map the folder does not have."""
    subjects: list[Subject | str] = []
    for read in some:
        try:
            subjects.append(read())
        except InputError as error:
            subjects.append(str(error))
    readable = [subject for subject in subjects if isinstance(subject, Subject)]
    missing = {
        method: [subject for subject in readable if not is_done(folder / method, subject)]
        for method in settings.explainers()
    }
    outcome: Outcome = True
    try:
        explain_subjects(model, missing, settings, folder)
    except InputError as error:
        outcome = str(error)
    names = {subject.name for group in missing.values() for subject in group}
    return [
        subject if isinstance(subject, str) else outcome if subject.name in names else False
        for subject in subjects
    ]


@dataclass(frozen=True)
class _Asked:
    """One window of an image, and what the model says to it.

    Args:
        image: Model-ready.
        probabilities: The model's, of all classes.
        target: The class to explain.
    """

    image: Tensor
    probabilities: Tensor
    target: int


def explain_subjects(
    model: nn.Module, missing: Mapping[str, Sequence[Subject]], settings: ExplainSettings, folder: Path
) -> None:
    """Explain each method's images together and write `METHOD/NAME.npy`, `METHOD/NAME.png` and their record.

    The map's file holds float16 in [0, 1], of the image's size, NaN where no window lies; the picture shows the
    map times the probability of the class it explains.
    """
    device = next(model.parameters()).device
    wanted = {subject.name: subject for subjects in missing.values() for subject in subjects}
    asked = {
        name: {
            index: _ask_window(
                model, torch.from_numpy(model_input(grey)).to(device), subject, settings.target
            )
            for index, grey in subject.patches().items()
        }
        for name, subject in wanted.items()
    }
    for method, subjects in missing.items():
        windows = [window for subject in subjects for window in asked[subject.name].values()]
        if not windows:
            continue
        began = time.perf_counter()
        saliencies = settings.explainers()[method](
            model,
            torch.stack([window.image for window in windows]),
            torch.tensor([window.target for window in windows], device=device),
        )
        found = iter(saliencies.cpu().numpy())
        seconds = (time.perf_counter() - began) / len(windows)
        for subject in subjects:
            maps = {index: next(found) for index in asked[subject.name]}
            _write(folder / method, subject, asked[subject.name], maps, seconds)


def _ask_window(model: nn.Module, image: Tensor, subject: Subject, target: Target) -> _Asked:
    probabilities = ask(model, image)
    return _Asked(image, probabilities, choose_target(target, subject, probabilities))


def _write(
    folder: Path,
    subject: Subject,
    asked: Mapping[int, _Asked],
    maps: Mapping[int, np.ndarray],
    seconds: float,
) -> None:
    """Write a subject's map, picture and, last, record into a method's folder."""
    rows = [
        Row(
            name=subject.name,
            window=index,
            method=folder.name,
            label=subject.label,
            prediction=int(window.probabilities.argmax()),
            target=window.target,
            probability=float(window.probabilities[window.target]),
            highest=float(maps[index].max()),
            seconds=seconds,
        )
        for index, window in asked.items()
    ]
    heat = subject.assemble({row.window: maps[row.window] * row.probability for row in rows})
    picture = picture_of(subject.grey, heat, subject.mask, subject.label, _words(rows))
    _write_map(folder / f"{subject.name}.npy", subject.assemble(dict(maps)))
    write_bytes(folder / f"{subject.name}.png", picture)
    write_record(folder, subject, rows)


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
    nothing = "" if row.highest else " (nothing found)"
    return f"{row.target} {CLASSES[row.target].name} {row.probability:.2f}{nothing}"


def _write_map(path: Path, saliency: np.ndarray) -> None:
    content = io.BytesIO()
    np.save(content, saliency.astype(np.float16), allow_pickle=False)
    write_bytes(path, content.getvalue())
