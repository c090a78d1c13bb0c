"""The command `python -m explain.evaluate`: the paper's metrics, against the masks and against the model.

Each patch's row of a method is a file of its own, so that what was killed goes on, and methods can be added one by one:

```
METHOD/settings.yaml   what made this method's rows: the weights, the method's settings
METHOD/PATCH.json      a patch's row
METHOD/PATCH.npy       its map, float16, of the few patches that the report shows
per_patch.parquet      all rows
evidence.csv           each patch: is the answer right, and does the evidence lie on the defect
report.md  .html       the tables and what they say, evaluation.png and maps.png
```
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from tqdm import tqdm

from explain.company import Company, join
from explain.controls import CONTROLS
from explain.evaluation import Row, evaluate_patch, names_of
from explain.evaluation_files import makers_of, open_folders, read_row, write_map, write_row
from explain.evaluation_report import write_evaluation
from explain.evaluation_summary import Evaluated
from explain.explainer import Explainer
from explain.methods.sise import SISE
from explain.settings import explainers_of
from explain.subjects import choose_patches, read_patch
from severstal_xai.checkpoint import ModelCard, load_checkpoint, read_card
from severstal_xai.command import CONFIGS, DONE, parse_settings, run, to_yaml
from severstal_xai.errors import InputError, check_range
from severstal_xai.files import whole_file, write_text
from severstal_xai.manifest import Manifest, Patch, Split, read_manifest

_SHOWN_PER_CLASS = 1
"""Patches of a class whose maps the report shows."""
_OURS = {
    *("settings.yaml", "per_patch.parquet", "evidence.csv"),
    *("report.md", "report.html", "evaluation.png", "maps.png", "compare.md", "compare.json"),
}


@dataclass(frozen=True)
class Settings:
    """What to evaluate.

    Args:
        run: The run folder that `python -m training` made.
        data: The data folder, with the masks.
        split: Which patches.
        subset: evaluation takes those that the paper evaluates on, the defects; all takes the sound ones, too.
        patches_per_class: At most so many of each class, drawn by lot; null is all.
        methods: Names of methods, with commas between them; the controls are always beside them.
        sise: SISE's settings.
        steps: Of the curves of insertion and deletion; 0 leaves them out.
        seed: Of the lot by which the intervals are drawn.
        output: The folder for what comes out; null is RUN/evaluation. Rows that it holds already are not made again.
        overwrite: Whether to delete rows of these methods that were made with other settings.
        device: Where the model runs; auto takes a GPU where there is one.
    """

    run: Path
    data: Path
    split: Literal["train", "validation", "test"]
    subset: Literal["evaluation", "all"]
    patches_per_class: int | None
    methods: str
    sise: SISE
    steps: int
    seed: int
    output: Path | None
    overwrite: bool
    device: Literal["auto", "cpu", "cuda"]

    def __post_init__(self) -> None:
        if self.patches_per_class is not None:
            check_range("patches_per_class", self.patches_per_class, 1)
        check_range("steps", self.steps, 0, 1000)
        check_range("seed", self.seed, 0, 2**63 - 1)
        self.explainers()

    def explainers(self) -> dict[str, Explainer | None]:
        """Return the methods by their names, and the controls, whose explainer is None."""
        return {**explainers_of(self.methods, self.sise), **dict.fromkeys(CONTROLS)}


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
    _open_folder(settings, card, folder, company)
    todo = {patch: _missing(settings, folder, patch) for patch in patches}
    waiting = [patch for patch, methods in todo.items() if methods]
    if waiting:
        _evaluate_some(settings, manifest, company, folder, {patch: todo[patch] for patch in waiting})
    company.wait()
    if not company.leads:
        return None
    evaluated = Evaluated(
        run=settings.run.resolve().name,
        architecture=card.architecture,
        same_data=card.data_checksum == manifest.checksum,
        manifest=manifest,
        rows=_read_rows(settings, folder, patches),
        steps=settings.steps,
        seed=settings.seed,
    )
    with whole_file(folder / "per_patch.parquet") as temporary:
        evaluated.rows.to_parquet(temporary, index=False)
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
        raise InputError(
            f"{settings.data}: no patch with a defect in the {split} split, expected one at least"
        )
    return choose_patches(dataclasses.replace(manifest, patches=wanted), split, settings.patches_per_class)


def _open_folder(settings: Settings, card: ModelCard, folder: Path, company: Company) -> None:
    """Make sure that the folder holds no other rows of the methods asked for, or delete those."""
    if folder.resolve().is_relative_to(settings.data.resolve()):
        raise InputError(
            f"output {folder}: lies in the data folder {settings.data}, expected a folder elsewhere"
        )
    makers = makers_of(settings.explainers(), card.weights_sha256, "label", {"steps": settings.steps})
    open_folders(folder, makers, _OURS, company, overwrite=settings.overwrite)


def _missing(settings: Settings, folder: Path, patch: Patch) -> dict[str, Explainer | None]:
    """Return the methods of which a patch has no row."""
    return {
        name: explainer
        for name, explainer in settings.explainers().items()
        if any(_read_row(folder / row_name, patch) is None for row_name in names_of(name, explainer))
    }


def _evaluate_some(
    settings: Settings,
    manifest: Manifest,
    company: Company,
    folder: Path,
    todo: Mapping[Patch, Mapping[str, Explainer | None]],
) -> None:
    model = load_checkpoint(settings.run).model.to(company.device)
    shown = {patch.patch for patch in choose_patches(manifest, Split(settings.split), _SHOWN_PER_CLASS)}
    with tqdm(company.share(list(todo)), desc="evaluate", unit="patch", disable=not company.leads) as bar:
        for patch in bar:
            subject = read_patch(manifest, patch)
            for row, saliency in evaluate_patch(model, subject, todo[patch], settings.steps):
                if patch.patch in shown:
                    write_map(folder / row.method / f"{patch.patch}.npy", saliency)
                write_row(folder / row.method, _of_patch(patch), row)


def _of_patch(patch: Patch) -> dict[str, Any]:
    """Return what a row depends on of a patch."""
    return {"image_sha256": patch.image_sha256, "mask_sha256": patch.mask_sha256, "label": patch.label}


def _read_row(folder: Path, patch: Patch) -> Row | None:
    return read_row(folder, _of_patch(patch), patch.patch)


def _read_rows(settings: Settings, folder: Path, patches: Sequence[Patch]) -> pd.DataFrame:
    """Return all rows, with the patches' strips."""
    rows = [
        {"strip": patch.strip, **dataclasses.asdict(row)}
        for name, explainer in settings.explainers().items()
        for row_name in names_of(name, explainer)
        for patch in patches
        if (row := _read_row(folder / row_name, patch)) is not None
    ]
    return pd.DataFrame(rows)


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
        print(f"{folder}: {evaluated.rows['patch'].nunique()} patches; begin with {folder / 'report.html'}")
    return DONE


if __name__ == "__main__":
    run(main)
