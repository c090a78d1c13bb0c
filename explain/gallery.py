"""Explaining many images: from subjects to files, one after the other; what cannot be read is listed."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from explain.company import Company, join
from explain.explainer import Explainer
from explain.methods import METHODS
from explain.pictures import picture_of
from explain.records import Row, check_maker, claim, is_done, maker_of, write_record, write_tables
from explain.settings import ExplainSettings, Target
from explain.subjects import WHOLE, Subject, choose_patches, find_images, read_image, read_patch
from severstal_xai.checkpoint import Checkpoint, load_checkpoint
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import write_bytes, write_text
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Split, read_manifest

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
    outcomes: list[bool | str] = []  # whether anything was missing, or why it cannot be used
    for one in tqdm(company.share(read), unit="image", disable=not company.leads):
        try:
            outcomes.append(_explain_missing(model, one(), settings, folder))
        except InputError as error:
            outcomes.append(str(error))
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
    others = {path.name for path in folder.glob("*")} - _OURS
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


def _explain_missing(model: nn.Module, subject: Subject, settings: ExplainSettings, folder: Path) -> bool:
    """Explain a subject by the methods whose map the folder does not have; tell whether there was one."""
    missing = {
        method: explainer
        for method, explainer in settings.explainers().items()
        if not is_done(folder / method, subject)
    }
    explain_subject(model, subject, missing, settings.target, folder)
    return bool(missing)


def explain_subject(
    model: nn.Module, subject: Subject, explainers: Mapping[str, Explainer], target: Target, folder: Path
) -> None:
    """Explain an image by each method and write `METHOD/NAME.npy`, `METHOD/NAME.png` and their record.

    The map's file holds float16 in [0, 1], of the image's size, NaN where no window lies; the picture shows the
    map times the probability of the class it explains.
    """
    if not explainers:
        return
    device = next(model.parameters()).device
    images = {
        index: torch.from_numpy(model_input(grey)).to(device) for index, grey in subject.patches().items()
    }
    answers = {index: ask(model, image) for index, image in images.items()}
    targets = {index: choose_target(target, subject, answer) for index, answer in answers.items()}
    for method, explainer in explainers.items():
        maps, heats, rows = {}, {}, []
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
        picture = picture_of(subject.grey, subject.assemble(heats), subject.mask, subject.label, _words(rows))
        _write_map(folder / method / f"{subject.name}.npy", subject.assemble(maps))
        write_bytes(folder / method / f"{subject.name}.png", picture)
        write_record(folder / method, subject, rows)


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
