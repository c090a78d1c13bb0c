"""VGG16 from end to end, and the paper's table with both networks: what it says of the run beside, whatever that is."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from explain.engines import Engine, choose_engine
from explain.evaluation.controls import CONTROLS, centred_gaussian
from explain.evaluation.summary import Figures, summarise
from explain.metrics.localisation import energy_pointing
from explain.natural.__main__ import main
from explain.natural.both_networks import both_networks, differences_of
from explain.natural.pairs import make_ready
from explain.natural.paper import METHODS, as_printed, metrics_of
from explain.natural.per_pair import Run, read_run
from explain.natural.voc import voc_boxes
from severstal_xai.errors import InputError
from tests.explain.natural_trees import as_caffe_sees_it, save_resnet50, save_vgg16, write_voc

SIZE = 224
"""The smallest that VGG16's head takes."""
FLAGS = f"--methods grad_cam --seed 3 --images_at_most 1 --size {SIZE} --device cpu"
PAIRS = ["000001_car", "000001_dog"]
"""Those of the image that seed 3 draws first."""


@pytest.fixture(scope="module", autouse=True)
def by_the_model_itself() -> Iterator[None]:
    """No conversion of the network for a few questions."""

    def reference(model: Any, image: Any) -> Engine:
        return choose_engine(model, image, "reference")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explain.evaluation.rows.choose_engine", reference)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images, and weights of both networks."""
    root = tmp_path_factory.mktemp("natural")
    write_voc(root)
    save_resnet50(root / "resnet50.pth.tar", classes=20, seed=0)
    yield root
    (root / "vgg16.pth.tar").unlink(missing_ok=True)  # half a GB


@pytest.fixture(scope="module")
def caffe(root: Path) -> Any:
    """VGG16 as torchvision has it, which takes blue, green and red."""
    return save_vgg16(root / "vgg16.pth.tar", classes=20, seed=0).float()


def evaluate(root: Path, network: str, flags: str = FLAGS, runs: str = "runs") -> str:
    """Run the command and return its report."""
    folder = root / runs / f"voc2007_{network}"
    paths = ["--images", root, "--weights", root / f"{network}.pth.tar", "--output", folder]
    assert main([*flags.split(), "--architecture", network, *map(str, paths)]) == 0
    return (folder / "report.md").read_text()


@pytest.fixture(scope="module")
def reports(root: Path, caffe: Any) -> Mapping[str, str]:
    """The reports of VGG16 alone, of ResNet-50 beside it, and of VGG16 once more."""
    return {
        "alone": evaluate(root, "vgg16"),
        "resnet50": evaluate(root, "resnet50"),
        "vgg16": evaluate(root, "vgg16"),
    }


def rows_of(root: Path, network: str) -> pd.DataFrame:
    return pd.read_parquet(root / "runs" / f"voc2007_{network}" / "per_pair.parquet")


def test_vgg16s_rows_are_its_answers_to_the_whole_images_and_to_what_the_maps_leave(
    root: Path, caffe: Any, reports: Mapping[str, str]
) -> None:
    rows: Any = rows_of(root, "vgg16").set_index(["pair", "method"])
    assert sorted(rows.index) == sorted((pair, name) for pair in PAIRS for name in ["grad_cam", *CONTROLS])
    folder = root / "runs" / "voc2007_vgg16"
    photo = voc_boxes(root).photos[0]
    ready = make_ready(photo.read(), SIZE)
    image = as_caffe_sees_it(ready.pixels).float()
    top = np.zeros(SIZE * SIZE, dtype=bool)
    top[np.argsort(-centred_gaussian(image[0]).numpy(), axis=None, kind="stable")[: int(0.15 * SIZE**2)]] = (
        True
    )
    left = image * torch.from_numpy(top.reshape(SIZE, SIZE))
    with torch.no_grad():
        whole, left = caffe(torch.cat([image, left])).softmax(dim=1).double()
    for target, name in zip(photo.targets, PAIRS, strict=True):
        row = rows.loc[(name, "centred_gaussian")]
        assert row["label"] == target
        assert row["prediction"] == whole.argmax()
        assert row["whole"] == pytest.approx(float(whole[target]), rel=1e-3)
        assert row["top"] == pytest.approx(float(left[target]), rel=1e-3)
        assert abs(float(left[target] / whole[target]) - 1) > 0.05
        assert row["drop"] == pytest.approx(max(0.0, row["whole"] - row["top"]) / row["whole"])
        assert row["increase"] == (row["top"] > row["whole"])
        saliency = torch.from_numpy(np.load(folder / "grad_cam" / f"{name}.npy").astype(np.float32))
        assert energy_pointing(saliency, torch.from_numpy(ready.masks[target])) == pytest.approx(
            rows.loc[(name, "grad_cam"), "energy_pointing"], abs=1e-3
        )


def test_vgg16s_report_shows_its_rows_beside_the_papers_vgg16(root: Path, reports: Mapping[str, str]) -> None:
    report, means = (
        reports["vgg16"],
        100 * rows_of(root, "vgg16").groupby("method")[["drop", "top_iou"]].mean(),
    )
    assert report.startswith("# PASCAL VOC 2007 (test), VGG16\n")
    for name in ("grad_cam", *CONTROLS):
        shown = "grad_cam" if name == "grad_cam" else rf"\*{name}\*"
        assert re.search(rf"\| {shown} \| {float(means['drop'][name]):.2f} \(", report)
        assert re.search(rf"\| {shown} \|.* {float(means['top_iou'][name]):.2f} \(", report)
    assert re.search(r"\| grad_cam \|.*\| 49\.47 \|.*\| 31\.08 \|", report)
    assert "of an image with two classes one alone can come first" in report
    assert "| 56.56 |" in report


def lines_of(report: str) -> dict[tuple[str, str], list[str]]:
    """Return the cells of the table of both networks, by network and metric."""
    section = report.partition("## Both networks")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {(line[0], line[1]): line[2:] for line in lines[2:]}


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_each_report_has_the_whole_table_from_both_runs_rows(
    root: Path, reports: Mapping[str, str], network: str
) -> None:
    lines = lines_of(reports[network])
    assert lines == lines_of(reports["resnet50"])
    columns = {"EBPG %": "energy_pointing", "mIoU %": "top_iou", "Bbox %": "box_score", "Drop %": "drop"}
    columns["Increase %"] = "increase"
    assert list(lines) == [(name, metric) for name in ("VGG16", "ResNet-50") for metric in columns]
    for name, title in (("vgg16", "VGG16"), ("resnet50", "ResNet-50")):
        rows = rows_of(root, name)
        of_method = rows[rows["method"] == "grad_cam"]
        paper = {one.title: one.paper for one in metrics_of("voc2007", name)}  # type: ignore[arg-type]
        for metric, column in columns.items():
            cells = lines[title, metric]
            theirs: Any = paper[metric]
            assert [re.sub(r".*\[\**|\**\]", "", cell) for cell in cells] == [
                f"{theirs[method]:g}" for method in METHODS
            ]
            assert cells[0].startswith(f"{100 * of_method[column].mean():.2f} (")
            assert all(cell.startswith("[") for cell in cells[1:])  # evaluated nowhere
    other = "ResNet-50" if network == "vgg16" else "VGG16"
    beside = "voc2007_resnet50" if network == "vgg16" else "voc2007_vgg16"
    assert f"{other} is read from the run in the folder `{beside}` beside this run's." in reports[network]
    assert "Both runs are of the same 2 pairs of 1 image, made with the same settings." in reports[network]


def test_without_a_run_beside_the_report_says_how_to_make_one_and_holds_the_papers_half(
    reports: Mapping[str, str],
) -> None:
    report = reports["alone"]
    assert "**ResNet-50 is missing here**" in report
    assert "voc2007_resnet50/per_pair.parquet: no such file" in report
    assert "`python -m explain.natural --dataset voc2007 --architecture resnet50`" in report
    lines = lines_of(report)
    assert lines["ResNet-50", "EBPG %"][0] == "[60.08]"
    assert lines["VGG16", "EBPG %"] == lines_of(reports["vgg16"])["VGG16", "EBPG %"]


def beside(root: Path, runs: str) -> Path:
    """Put what is read of VGG16's run into another folder of runs, and return where."""
    folder = root / runs / "voc2007_vgg16"
    folder.mkdir(parents=True)
    for name in ("per_pair.parquet", "settings.yaml"):
        shutil.copy(root / "runs" / folder.name / name, folder)
    return folder


SMALL = f"{FLAGS.replace('images_at_most 1', 'images_at_most 2')} --size 64"


def test_a_run_beside_of_other_images_and_sizes_is_shown_and_said_to_be_so(
    root: Path, reports: Mapping[str, str]
) -> None:
    beside(root, "unlike")
    report = evaluate(root, "resnet50", SMALL, "unlike")
    assert "**The two runs are not alike**" in report
    assert (
        "1 are of ResNet-50's run alone, 0 of VGG16's, 2 of both; size 64 for ResNet-50, 224 for VGG16."
        in report
    )
    assert lines_of(report)["VGG16", "Drop %"] == lines_of(reports["vgg16"])["VGG16", "Drop %"]


def test_a_damaged_run_beside_is_named_and_the_report_is_written(
    root: Path, reports: Mapping[str, str]
) -> None:
    path = beside(root, "damaged") / "per_pair.parquet"
    path.write_bytes(path.read_bytes()[:100])
    report = evaluate(root, "resnet50", SMALL, "damaged")
    assert "**VGG16 is missing here**" in report
    assert "voc2007_vgg16/per_pair.parquet: not a readable table" in report
    assert lines_of(report)["VGG16", "Drop %"][0] == "[49.47]"
    assert str(root) not in report


def made(**changes: Any) -> pd.DataFrame:
    """Rows of two pairs by SISE, two runs of RISE, and the controls."""
    names = ["sise", "sise_ordered", "rise", "rise_seed_1", *CONTROLS]
    values = dict(zip(names, (0.5, 0.6, 0.2, 0.4, 0.1, 0.1, 0.1), strict=True))
    rows = [
        {"pair": f"{image}_dog", "image": image, "method": name, "label": 11, "prediction": 11, "whole": 0.5}
        | dict.fromkeys(("drop", "increase", "energy_pointing", "top_iou", "box_score"), value)
        | {"insertion": None, "deletion": None, "empty": False}
        for image in ("000001", "000002")
        for name, value in values.items()
    ]
    return pd.DataFrame(rows).assign(**changes)


MADE_WITH = {"dataset": "voc2007", "masks": "boxes", "size": 224, "sise": {"mu": 0.0, "gate": "hard"}}


def test_what_is_made_otherwise_is_named_and_nothing_else() -> None:
    rows, vgg16 = made(), {**MADE_WITH, "architecture": "vgg16", "seed": 1, "steps": 7, "methods": "sise"}
    own = Run("resnet50", {**MADE_WITH, "architecture": "resnet50", "seed": 0}, rows)
    assert differences_of(own, Run("vgg16", vgg16, rows)) == []
    assert differences_of(own, Run("vgg16", vgg16 | {"masks": "segments"}, rows)) == [
        "masks boxes for ResNet-50, segments for VGG16"
    ]
    softer = vgg16 | {"sise": {"mu": 0.3, "gate": "hard"}}
    assert differences_of(own, Run("vgg16", softer, rows)) == ["sise.mu 0.0 for ResNet-50, 0.3 for VGG16"]
    without_sise = rows[~rows["method"].str.startswith("sise")]
    assert differences_of(own, Run("vgg16", softer, without_sise)) == []
    once = rows[rows["method"] != "rise_seed_1"]
    assert differences_of(own, Run("vgg16", vgg16, once)) == ["seeds of rise 2 for ResNet-50, 1 for VGG16"]


def figures_of(network: Any) -> list[Figures]:
    rows = made()
    return summarise(rows, metrics_of("coco2014", network), 0, unit="pair", group="image")


def test_the_best_of_each_line_is_bold_here_and_in_the_paper() -> None:
    section = both_networks("coco2014", {"resnet50": figures_of("resnet50")}, "Said.")
    assert "The paper's Table 4" in section
    assert "`sise_ordered` is the same map" in section
    lines = lines_of(f"{section}\n")
    places = {name: place for place, name in enumerate([*METHODS, "sise_ordered"])}
    energy, drop = lines["ResNet-50", "EBPG %"], lines["ResNet-50", "Drop %"]
    assert energy[places["sise"]] == "50.00 (50.0 to 50.0) [**29.43**]"
    assert energy[places["sise_ordered"]] == "**60.00 (60.0 to 60.0)**"
    assert drop[places["rise"]] == "**20.00 (20.0 to 20.0)** [37.93]"  # the lower, the better
    assert drop[places["sise"]] == "50.00 (50.0 to 50.0) [**31.41**]"
    assert lines["VGG16", "mIoU %"][:2] == ["[15.04]", "[**15.69**]"]
    assert [one.title for one in as_printed("coco2014", "vgg16")] == [metric for _, metric in list(lines)[:5]]


@pytest.mark.parametrize(
    ("settings", "rows", "words"),
    [
        ({}, made(), r"voc2007_vgg16/settings\.yaml: dataset None, expected voc2007"),
        (
            {"dataset": "voc2007", "architecture": "resnet50"},
            made(),
            r"settings\.yaml: architecture resnet50, expected vgg16",
        ),
        ([], made(), r"settings\.yaml: holds a list, expected the settings of"),
        (None, made(label=20), r"per_pair\.parquet: row 1, label 20, expected a class, 0 to 19"),
        (None, made(pair="a"), r"row 8, method 'sise', expected one row a pair and method"),
        (None, made().head(4), r"per_pair\.parquet: no row of random, expected those of every control"),
    ],
)
def test_what_is_no_run_of_the_other_network_is_refused(
    tmp_path: Path, settings: Any, rows: pd.DataFrame, words: str
) -> None:
    folder = tmp_path / "voc2007_vgg16"
    folder.mkdir()
    rows.to_parquet(folder / "per_pair.parquet", index=False)
    content = {"dataset": "voc2007", "architecture": "vgg16"} if settings is None else settings
    (folder / "settings.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=words):
        read_run(folder, "voc2007", "vgg16")
