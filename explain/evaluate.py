"""The command `python -m explain.evaluate`: the paper's tables, and whether the model is right for the right reason.

Each patch's record of a method or a study is a file of its own, so that what was killed goes on, and methods can be added one
by one:

```
METHOD/settings.yaml   what made this method's rows: the weights, the method's settings
METHOD/PATCH.json      a patch's row
METHOD/PATCH.npy       its map, float16, of the few patches that the report shows
counterfactual/        a patch's record with its defect painted over
answers/               the model's answer to each patch of the split
suspects/              where the evidence lies of its sure answers "defect"; the map (.npy) of a suspected label error
cascade_METHOD/        a patch's maps by a network with ever more random weights
per_patch.parquet      all rows; counterfactual.parquet, answers.parquet, suspects.parquet, cascade_METHOD.parquet: all records
evidence.csv           each patch: is the answer right, and does the evidence lie on the defect
report.md  .html       the tables and what they say, with their pictures
```
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn
from tqdm import tqdm

from explain.company import Company, join
from explain.evaluation.files import (
    EVIDENCE_FILE,
    holds_rows,
    makers_of,
    of_patch,
    open_folders,
    read_maps,
    read_record,
    write_maps,
    write_record,
)
from explain.evaluation.per_patch import CHECKSUMS, ROWS_FILE
from explain.evaluation.report import PICTURES, write_evaluation
from explain.evaluation.rows import Row, evaluate_patch, names_of
from explain.evaluation.settings import Settings
from explain.evaluation.studies import (
    ANSWERS,
    CASCADE,
    COUNTERFACTUAL,
    MASKS,
    SUSPECTS,
    WORST,
    Study,
    is_whole,
    studies_of,
    worst_of,
)
from explain.evaluation.summary import Evaluated
from explain.evaluation.variants import is_variant
from explain.explainer import Explainer
from explain.methods import METHODS
from explain.records import claim
from explain.subjects import Subject, choose_patches, read_patch
from explain.words import patches_in_words
from severstal_xai.checkpoint import load_checkpoint, read_card
from severstal_xai.command import CONFIGS, DONE, parse_settings, run, to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import check_elsewhere, whole_file, write_text
from severstal_xai.imaging import PATCH_SHAPE
from severstal_xai.manifest import Manifest, Patch, Split, read_manifest

_SHOWN_PER_CLASS = 1
"""Patches of a class whose maps the report shows."""
_OURS = {
    *("settings.yaml", ROWS_FILE, EVIDENCE_FILE, "report.md", "report.html"),
    *(
        f"{name}.parquet"
        for name in (COUNTERFACTUAL, ANSWERS, SUSPECTS, *(f"{CASCADE}{name}" for name in METHODS))
    ),
    *(*PICTURES, "compare.md", "compare.json"),
}


def evaluate(settings: Settings) -> Evaluated | None:
    """Evaluate what is not yet, and write the table and the report.

    Returns:
        What the report tells of; None in a process of a company that does not lead it.

    Raises:
        InputError: The run, the data or the output cannot be used, or there is no patch to evaluate.
    """
    company = join(settings.device)
    card, manifest = read_card(settings.run), read_manifest(settings.data)
    patches = _choose(settings, manifest)
    folder = settings.output or settings.run / "evaluation"
    studies = list(studies_of(settings, card, manifest, patches))
    check_elsewhere(folder, settings.data, "data folder")
    makers = makers_of(settings.explainers(), card.weights_sha256, "label", {"steps": settings.steps})
    makers |= {study.name: study.maker for study in studies}
    open_folders(folder, makers, _is_ours, company, overwrite=settings.overwrite)

    @cache
    def model() -> nn.Module:
        checkpoint = load_checkpoint(settings.run)
        if checkpoint.card != card:
            raise InputError(
                f"{settings.run}: holds weights {checkpoint.card.weights_sha256[:12]} now, at the start {card.weights_sha256[:12]}, expected "
                "a run that stays as it is while it is evaluated"
            )
        return checkpoint.model.to(company.device)

    work = _Work(manifest, company, folder, model)
    _measure(settings, work, patches)
    for study in studies:
        _examine(study, work)
    company.wait()
    if not company.leads:
        return None
    rows = _read_rows(settings, folder, patches)
    worst = worst_of(settings, card, manifest, rows)
    claim(folder / WORST, worst.maker, overwrite=True)
    _examine(worst, dataclasses.replace(work, company=Company(0, 1, company.device)))
    evaluated = Evaluated(
        run=settings.run.resolve().name,
        architecture=card.architecture,
        weights_sha256=card.weights_sha256,
        same_data=card.data_checksum == manifest.checksum,
        manifest=manifest,
        split=Split(settings.split),
        device=company.device.type,
        rows=rows,
        sise=settings.sise,
        steps=settings.steps,
        sure=settings.sure,
        seed=settings.seed,
        studies={study.name: _read_study(study, folder) for study in [*studies, worst]},
    )
    _write_tables(folder, evaluated)
    write_evaluation(folder, evaluated)
    write_text(folder / "settings.yaml", to_yaml(settings))
    return evaluated


def _choose(settings: Settings, manifest: Manifest) -> list[Patch]:
    """Return the patches to evaluate; outside of the test split those with a defect stand for the paper's subset."""
    split = Split(settings.split)
    wanted = tuple(
        patch
        for patch in manifest.of_split(split)
        if settings.subset == "all" or (patch.evaluation if split == Split.TEST else patch.mask)
    )
    if not wanted:
        what = "patch" if settings.subset == "all" else "patch with a defect"
        raise InputError(f"{settings.data}: no {what} in the {split} split, expected one at least")
    return choose_patches(dataclasses.replace(manifest, patches=wanted), split, settings.patches_per_class)


def _is_ours(name: str) -> bool:
    """Whether a file or folder may be an evaluation's."""
    return (
        name in _OURS | {COUNTERFACTUAL, ANSWERS, SUSPECTS, MASKS, WORST}
        or name.removeprefix(CASCADE) in METHODS
        or holds_rows(name)
    )


@dataclass(frozen=True)
class _Work:
    """What the work is done with.

    Args:
        manifest: The data.
        company: The processes that share it.
        folder: Where the records are.
        model: Gives the model, which is read when it is first asked for.
    """

    manifest: Manifest
    company: Company
    folder: Path
    model: Callable[[], nn.Module]

    def share(self, patches: Sequence[Patch], done: Callable[[Patch], bool], what: str) -> Iterator[Subject]:
        """Yield this process's patches that are not done, and show how far it is.

        The patches are shared out before anybody looks what is done: else a process that is quick changes what is left to the others.
        """
        own = [patch for patch in self.company.share(patches) if not done(patch)]
        for patch in tqdm(own, desc=what, unit="patch", disable=not self.company.leads):
            yield read_patch(self.manifest, patch)


def _measure(settings: Settings, work: _Work, patches: Sequence[Patch]) -> None:
    """Make the rows that are missing."""
    evaluated = dataclasses.replace(work.manifest, patches=tuple(patches))  # of the others there are no rows
    shown = {one.patch for one in choose_patches(evaluated, Split(settings.split), _SHOWN_PER_CLASS)}
    missing = {
        patch.patch: _missing(settings, work.folder, patch, shown=patch.patch in shown) for patch in patches
    }
    for subject in work.share(patches, lambda patch: not missing[patch.patch], "metrics"):
        of = of_patch(work.manifest.find(subject.name))
        for row, saliency in evaluate_patch(work.model(), subject, missing[subject.name], settings.steps):
            if subject.name in shown and not is_variant(row.method):
                write_maps(work.folder / row.method, subject.name, saliency.numpy())
            write_record(work.folder / row.method, subject.name, of, row)


def _examine(study: Study, work: _Work) -> None:
    """Make a study's records that are missing."""
    own = work.folder / study.name

    def done(patch: Patch) -> bool:
        record = _read_of_study(study, own, patch)
        return record is not None and is_whole(own, record)

    for subject in work.share(study.patches, done, study.name):
        record, maps = study.examine(work.model(), subject)
        if maps is not None:
            write_maps(own, subject.name, maps)
        write_record(own, subject.name, of_patch(work.manifest.find(subject.name)), record)


def _missing(settings: Settings, folder: Path, patch: Patch, *, shown: bool) -> dict[str, Explainer | None]:
    """Return the methods of which a patch has no row, or where it is shown, no map."""

    def lacks(row_name: str) -> bool:
        if _read_row(folder, row_name, patch) is None:
            return True
        kept = shown and not is_variant(row_name)
        return kept and read_maps(folder / row_name, patch.patch, PATCH_SHAPE) is None

    return {
        name: explainer
        for name, explainer in settings.explainers().items()
        if any(lacks(row_name) for row_name in names_of(name, explainer))
    }


def _read_row(folder: Path, row_name: str, patch: Patch) -> Row | None:
    told = {"label": patch.label, "method": row_name}
    return read_record(folder / row_name, patch.patch, of_patch(patch), Row, **told)


def _read_of_study(study: Study, own: Path, patch: Patch) -> Any:
    return read_record(own, patch.patch, of_patch(patch), study.kind, label=patch.label)


def _read_rows(settings: Settings, folder: Path, patches: Sequence[Patch]) -> pd.DataFrame:
    """Return all rows, with the patches' strips and the checksums of their images and masks."""
    rows = [
        {
            "strip": patch.strip,
            **{name: getattr(patch, name) for name in CHECKSUMS},
            **dataclasses.asdict(row),
        }
        for name, explainer in settings.explainers().items()
        for row_name in names_of(name, explainer)
        for patch in patches
        if (row := _read_row(folder, row_name, patch)) is not None
    ]
    return pd.DataFrame(rows)


def _read_study(study: Study, folder: Path) -> tuple[Any, ...]:
    records = (_read_of_study(study, folder / study.name, patch) for patch in study.patches)
    return tuple(record for record in records if record is not None)


def _write_tables(folder: Path, evaluated: Evaluated) -> None:
    """Write all rows and records, so that every table can be made again without the model."""
    tables = {ROWS_FILE: evaluated.rows}
    for name, records in evaluated.studies.items():
        if records and name not in {MASKS, WORST}:
            table = pd.DataFrame([dataclasses.asdict(record) for record in records])
            strips = [evaluated.manifest.find(patch).strip for patch in table["patch"]]
            table.insert(1, "strip", strips)
            tables[f"{name}.parquet"] = table
    for name, content in tables.items():
        with whole_file(folder / name) as temporary:
            content.to_parquet(temporary, index=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and say where the report lies."""
    settings = parse_settings(
        Settings,
        command="python -m explain.evaluate",
        description="The paper's metrics of a trained model's explanations, against the masks and against the model.",
        defaults=CONFIGS / "evaluate.yaml",
        arguments=arguments,
    )
    evaluated = evaluate(settings)
    if evaluated:
        folder = settings.output or settings.run / "evaluation"
        print(
            f"{folder}: {patches_in_words(evaluated.rows['patch'].nunique())}; begin with {folder / 'report.html'}"
        )
    return DONE


if __name__ == "__main__":
    run(main)
