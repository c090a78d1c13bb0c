"""Natural images evaluated: every class of each image's ground truth explained and held against its mask and the model.

Each pair's row of a method is a file of its own, as for `explain.evaluate`, so that what was killed goes on:

```
METHOD/settings.yaml   what made this method's rows: the weights, the images' size, the masks, the method's settings
METHOD/PAIR.json       a row of an image and a class
METHOD/PAIR.npy        its map, float16, of the few pairs that the report shows
answers/IMAGE.json     the network's five likeliest classes
per_pair.parquet       all rows; settings.yaml: what they were asked for with
rejected.csv           the images that could not be used, and why
report.md  .html       the tables and what they say, evaluation.png and maps.png
```
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from explain.company import Company, join
from explain.evaluation.files import (
    holds_rows,
    makers_of,
    open_folders,
    read_maps,
    read_record,
    write_maps,
    write_record,
)
from explain.evaluation.rows import Asked, Row, evaluate_image, names_of
from explain.evaluation.variants import is_variant
from explain.explainer import Explainer
from explain.natural.accuracy import TOP
from explain.natural.datasets import READERS
from explain.natural.pairs import Pair, Ready, Source, draw_lot, make_ready, source_of
from explain.natural.per_pair import ROWS_FILE, SETTINGS_FILE
from explain.natural.photos import Collection, Reject
from explain.natural.report import Evaluated, write_report
from explain.natural.settings import Settings
from explain.natural.torchray import check_weights, load_network, network_input
from explain.records import Maker
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import whole_file, write_text

_ANSWERS = "answers"
_OURS = {
    *(SETTINGS_FILE, ROWS_FILE, "rejected.csv", _ANSWERS),
    *("report.md", "report.html", "evaluation.png", "maps.png"),
}
_SHOWN = 6
"""Pairs whose maps the report shows, each of another class."""

Methods = Mapping[str, Explainer | None]


def evaluate_natural(settings: Settings) -> Evaluated | None:
    """Evaluate what is not yet, and write the table and the report.

    Returns:
        What the report tells of; None in a process of a company that does not lead it.

    Raises:
        InputError: The images, the weights or the output cannot be used, or no image can.
    """
    company = join(settings.device)
    checksum = check_weights(settings.weights_path(), settings.dataset, settings.architecture)
    collection = READERS[settings.dataset, settings.masks](settings.images)
    sources, unreadable = _sources(settings, collection)
    rejects = [*collection.rejects, *unreadable]
    if not sources:
        raise _nothing(settings, rejects)
    open_folders(
        settings.folder(), _makers(settings, checksum), _is_ours, company, overwrite=settings.overwrite
    )
    rejects += company.gather(_evaluate_some(settings, company, sources))
    company.wait()
    if not company.leads:
        return None
    _write_rejects(settings.folder() / "rejected.csv", rejects)
    rows = _table(settings, collection.classes, sources)
    if rows.empty:
        raise _nothing(settings, rejects)
    with whole_file(settings.folder() / ROWS_FILE) as temporary:
        rows.to_parquet(temporary, index=False)
    write_text(settings.folder() / SETTINGS_FILE, to_yaml(settings))
    shown = {pair.name: source for source, pair in _shown(sources)}
    evaluated = Evaluated(settings, checksum, collection.classes, rows, rejects, collection.empty, shown)
    write_report(settings.folder(), evaluated)
    return evaluated


def _nothing(settings: Settings, rejects: Sequence[Reject]) -> InputError:
    first = f"; {rejects[0].image}: {rejects[0].reason}" if rejects else ""
    return InputError(f"images {settings.images}: none can be used, expected one at least{first}")


def _sources(settings: Settings, collection: Collection) -> tuple[list[Source], list[Reject]]:
    """Return the images that the lot draws, with their pairs, in the lot's order, and those without a file."""
    sources, rejects = [], []
    for photo in draw_lot(collection.photos, settings.images_at_most, settings.seed):
        try:
            content = photo.path.read_bytes()
        except OSError as error:
            reason = f"{photo.path.name} cannot be read ({error.strerror}), expected an image file"
            rejects.append(Reject(photo.name, reason))
        else:
            sources.append(source_of(photo, collection.classes, content))
    return sources, rejects


def _is_ours(name: str) -> bool:
    """Whether a file or folder may be an evaluation's."""
    return name in _OURS or holds_rows(name)


def _makers(settings: Settings, checksum: str) -> dict[str, Maker]:
    asked = {"dataset": settings.dataset, "architecture": settings.architecture, "size": settings.size}
    made = asked | {"masks": settings.masks, "steps": settings.steps}
    makers = makers_of(settings.explainers(), checksum, "ground truth", made)
    return makers | {_ANSWERS: Maker(checksum, "none", asked)}


def _shown(sources: Sequence[Source]) -> list[tuple[Source, Pair]]:
    """Return the first pairs of the lot that are each of another class."""
    chosen: dict[int, tuple[Source, Pair]] = {}
    for source in sources:
        for pair in source.pairs:
            if len(chosen) < _SHOWN:
                chosen.setdefault(pair.target, (source, pair))
    return list(chosen.values())


def _evaluate_some(settings: Settings, company: Company, sources: Sequence[Source]) -> list[Reject]:
    """Evaluate this process's part of the images, and return those that cannot be read."""
    shown = {pair.name for _, pair in _shown(sources)}
    todo = [(source, _missing(settings, source, shown)) for source in company.share(sources)]
    waiting = [
        (source, missing) for source, missing in todo if missing or _read_answer(settings, source) is None
    ]
    if not waiting:
        return []
    model = load_network(settings.weights_path(), settings.dataset, settings.architecture).to(company.device)
    rejects = []
    with tqdm(waiting, desc="evaluate", unit="image", disable=not company.leads) as bar:
        for source, missing in bar:
            try:
                ready = make_ready(source.photo.read(), settings.size)
            except InputError as error:
                rejects.append(Reject(source.photo.name, str(error)))
            else:
                _evaluate_one(settings, model, source, ready, missing, shown=shown)
    return rejects


def _read_row(settings: Settings, row_name: str, pair: Pair) -> Row | None:
    told = {"label": pair.target, "method": row_name}
    return read_record(settings.folder() / row_name, pair.name, pair.of, Row, **told)


def _missing(settings: Settings, source: Source, shown: Set[str]) -> list[tuple[Pair, Methods]]:
    """Return the pairs that lack a row, or where they are shown, a map; each with the methods of which it lacks it."""

    def lacks(pair: Pair, row_name: str) -> bool:
        if _read_row(settings, row_name, pair) is None:
            return True
        size = (settings.size, settings.size)
        kept = pair.name in shown and not is_variant(row_name)
        return kept and read_maps(settings.folder() / row_name, pair.name, size) is None

    missing = [
        (
            pair,
            {
                name: explainer
                for name, explainer in settings.explainers().items()
                if any(lacks(pair, row_name) for row_name in names_of(name, explainer))
            },
        )
        for pair in source.pairs
    ]
    return [(pair, methods) for pair, methods in missing if methods]


def _evaluate_one(
    settings: Settings,
    model: nn.Module,
    source: Source,
    ready: Ready,
    missing: Sequence[tuple[Pair, Methods]],
    *,
    shown: Set[str],
) -> None:
    """Ask what the network names in an image, explain its pairs, and write both."""
    folder = settings.folder()
    image = torch.from_numpy(network_input(ready.pixels)).to(next(model.parameters()).device)
    for pair, methods in missing:
        asked = Asked(pair.name, image, pair.target, torch.from_numpy(ready.masks[pair.target]))
        for row, saliency in evaluate_image(model, asked, methods, settings.steps):
            if pair.name in shown and not is_variant(row.method):
                write_maps(folder / row.method, pair.name, saliency.numpy())
            write_record(folder / row.method, pair.name, pair.of, row)
    answer = {"of": source.of, "likeliest": _likeliest(model, image)}
    write_text(folder / _ANSWERS / f"{source.photo.name}.json", json.dumps(answer) + "\n")


def _likeliest(model: nn.Module, image: Tensor) -> list[int]:
    with torch.inference_mode():
        likeliest: list[int] = model(image[None])[0].topk(TOP).indices.tolist()
    return likeliest


def _read_answer(settings: Settings, source: Source) -> list[int] | None:
    """Return an image's likeliest classes; None where they are not there, or of another image, or damaged."""
    path = settings.folder() / _ANSWERS / f"{source.photo.name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [int(one) for one in content["likeliest"]] if content["of"] == source.of else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _table(settings: Settings, classes: Sequence[str], sources: Sequence[Source]) -> pd.DataFrame:
    """Return all rows, by the pairs' names; those of an image that cannot be read are missing."""
    rows = []
    for source in sorted(sources, key=lambda source: source.photo.name):
        likeliest = _read_answer(settings, source) or []
        places = {target: place for place, target in enumerate(likeliest, start=1)}
        for pair in source.pairs:
            rows += [
                {"image": pair.image, "class": classes[pair.target], "place": places.get(pair.target)}
                | dataclasses.asdict(row)
                for name, explainer in settings.explainers().items()
                for row_name in names_of(name, explainer)
                if (row := _read_row(settings, row_name, pair)) is not None
            ]
    return pd.DataFrame(rows).rename(columns={"patch": "pair"})


def _write_rejects(path: Path, rejects: Sequence[Reject]) -> None:
    table = pd.DataFrame([dataclasses.asdict(one) for one in rejects], columns=["image", "reason"])
    write_text(path, table.sort_values("image").to_csv(index=False, lineterminator="\n"))
