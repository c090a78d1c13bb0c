"""`python -m explain.natural`: every class of each image has its rows, a run goes on, and the report says what the table says."""

import dataclasses
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from explain.engines import Engine, choose_engine
from explain.evaluation.controls import CONTROLS
from explain.evaluation.rows import evaluate_image
from explain.methods import METHODS
from explain.methods.rise import RISE
from explain.methods.sise import SISE
from explain.metrics.localisation import energy_pointing
from explain.natural.__main__ import main
from explain.natural.evaluate import evaluate_natural
from explain.natural.pairs import make_ready
from explain.natural.report import Evaluated, write_report
from explain.natural.settings import Settings
from explain.natural.torchray import load_network, network_input
from explain.natural.voc import voc_boxes
from severstal_xai.errors import InputError
from tests.explain.natural_trees import save_resnet50, write_coco, write_voc

SIZE = 64
NAMES = ["sise", "sise_ordered", "grad_cam", *CONTROLS]
PAIRS = ["000001_car", "000001_dog", "000002_person", "000004_cat", "000006_dog"]


@pytest.fixture(scope="module", autouse=True)
def by_the_model_itself() -> Iterator[None]:
    """No conversion of the network for a few questions."""

    def reference(model: Any, image: Any) -> Engine:
        return choose_engine(model, image, "reference")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explain.evaluation.rows.choose_engine", reference)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth.tar"
    save_resnet50(path, classes=20, seed=0)
    return path


@pytest.fixture(scope="module")
def settings(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("natural")
    write_voc(root)
    return Settings(
        dataset="voc2007",
        images=root,
        masks="boxes",
        architecture="resnet50",
        weights=weights,
        methods="sise,grad_cam",
        sise=SISE(mu=0.95, engine="reference"),
        images_at_most=None,
        seeds=1,
        steps=0,
        size=SIZE,
        seed=0,
        output=root / "out",
        overwrite=False,
        device="cpu",
    )


@pytest.fixture(scope="module")
def evaluated(settings: Settings) -> Evaluated:
    done = evaluate_natural(settings)
    assert done
    return done


def changed(settings: Settings, **changes: Any) -> Settings:
    return dataclasses.replace(settings, **changes)


def test_there_is_a_row_for_each_class_of_each_image_and_each_method(
    evaluated: Evaluated, settings: Settings
) -> None:
    table = pd.read_parquet(settings.folder() / "per_pair.parquet")
    pd.testing.assert_frame_equal(table, evaluated.rows, check_dtype=False)
    assert list(dict.fromkeys(table["pair"])) == PAIRS
    assert list(dict.fromkeys(table["method"])) == NAMES
    assert (table.groupby("pair").size() == len(NAMES)).all()
    first = table.drop_duplicates("pair")
    assert list(first["class"]) == ["car", "dog", "person", "cat", "dog"]
    assert list(first["label"]) == [6, 11, 14, 7, 11]
    of_cat = table["pair"] == "000004_cat"  # one pixel, gone at this size
    assert table.loc[of_cat, "energy_pointing"].isna().all()
    assert table.loc[~of_cat, ["energy_pointing", "top_iou", "box_score"]].notna().all(axis=None)
    assert table["drop"].between(0, 1).all()


def test_the_rows_are_those_of_the_resized_image_and_the_classs_own_mask(
    evaluated: Evaluated, settings: Settings
) -> None:
    network = load_network(settings.weights_path(), "voc2007", "resnet50")
    rows = evaluated.rows.set_index(["pair", "method"])
    for photo in voc_boxes(settings.images).photos:
        ready = make_ready(photo.read(), SIZE)
        with torch.no_grad():
            answer = network(torch.from_numpy(network_input(ready.pixels))[None]).softmax(dim=1)[0]
        likeliest = answer.topk(5).indices.tolist()
        for target in photo.targets:
            name = next(
                one
                for one in PAIRS
                if one.startswith(photo.name) and rows.loc[(one, "random"), "label"] == target
            )
            row: Any = rows.loc[(name, "grad_cam")]
            assert row["whole"] == pytest.approx(float(answer[target]), rel=1e-4)
            place = likeliest.index(target) + 1 if target in likeliest else None
            assert row["place"] == place or (place is None and np.isnan(row["place"]))
            kept = settings.folder() / "centred_gaussian" / f"{name}.npy"
            if kept.is_file() and ready.masks[target].any():
                saliency = torch.from_numpy(np.load(kept).astype(np.float32))
                expected = rows.loc[(name, "centred_gaussian"), "energy_pointing"]
                assert energy_pointing(saliency, torch.from_numpy(ready.masks[target])) == pytest.approx(
                    expected, abs=1e-3
                )


def test_the_report_says_what_the_table_says_beside_the_paper(
    evaluated: Evaluated, settings: Settings
) -> None:
    folder = settings.folder()
    report = (folder / "report.md").read_text()
    means = 100 * evaluated.rows.groupby("method")[["drop", "energy_pointing"]].mean()
    for name in NAMES:
        shown = f"*{name}*" if name in CONTROLS else name
        for column in ("drop", "energy_pointing"):
            mean = float(means[column][name])
            assert re.search(rf"\| {re.escape(shown)} \|.* {mean:.2f} \(", report)
    assert re.search(r"\| sise \|.*\| 30\.92 \|.*\| 40\.22 \|", report)  # Table 1, ResNet-50
    assert re.search(r"\| grad_cam \|.*\| 60\.08 \|.*\| 32\.16 \|.*\| 60\.25 \|", report)
    assert "4 images; every class of an image's ground truth is explained: 5 pairs" in report
    assert "are left out: 1." in report
    assert "SISE is number" in report
    first = evaluated.rows.drop_duplicates("pair")
    share = (first["prediction"] == first["label"]).mean()
    assert re.search(rf"pairs whose class comes first \| {share:.2%} .*\| 57\.08 \|", report)
    assert "| the most that could | 80.00% | 64.88 |" in report
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert (folder / "rejected.csv").read_text() == "image,reason\n"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """What is explained from here on; no report is written, which takes longer."""
    seen: list[tuple[str, tuple[str, ...]]] = []

    def watched(model: Any, one: Any, methods: Any, steps: int) -> Any:
        seen.append((one.name, tuple(methods)))
        return evaluate_image(model, one, methods, steps)

    monkeypatch.setattr("explain.natural.evaluate.evaluate_image", watched)
    monkeypatch.setattr("explain.natural.evaluate.write_report", lambda *_: None)
    return seen


def test_what_is_there_is_not_made_again_and_what_is_damaged_is(
    evaluated: Evaluated, settings: Settings, asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    again = evaluate_natural(settings)
    assert again
    assert asked == []
    pd.testing.assert_frame_equal(again.rows, evaluated.rows)
    folder = settings.folder()
    (folder / "grad_cam" / "000001_dog.json").write_text('{"row": ')
    (folder / "sise_ordered" / "000002_person.json").unlink()
    (folder / "answers" / "000006.json").write_text('{"of": 1}')
    repaired = evaluate_natural(settings)
    assert repaired
    assert sorted(asked) == [("000001_dog", ("grad_cam",)), ("000002_person", ("sise",))]
    same = [column for column in evaluated.rows if column != "seconds"]
    pd.testing.assert_frame_equal(repaired.rows[same], evaluated.rows[same])


def test_fewer_images_are_a_part_of_all(
    evaluated: Evaluated, settings: Settings, asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    some = evaluate_natural(changed(settings, images_at_most=2))
    assert some
    assert asked == []
    assert some.rows["image"].nunique() == 2


def test_more_seeds_add_rows_and_the_tables_show_their_mean(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[tuple[str, tuple[str, ...]]],
) -> None:
    monkeypatch.setitem(
        METHODS, "rise", partial(RISE, masks=12, engine="reference")
    )  # the paper's 4,000 take minutes
    own = changed(settings, methods="grad_cam,rise", output=tmp_path / "out")
    once = evaluate_natural(own)
    assert once
    assert sorted(asked) == [(name, ("grad_cam", "rise", *CONTROLS)) for name in PAIRS]
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*/*")}

    asked.clear()
    thrice = evaluate_natural(changed(own, seeds=3))
    assert thrice
    assert sorted(asked) == [(name, ("rise_seed_1", "rise_seed_2")) for name in PAIRS]
    assert {path: path.read_bytes() for path in before} == before
    assert not list((tmp_path / "out").glob("*_seed_*/*.npy"))  # the report shows no map of them
    runs = ["rise", "rise_seed_1", "rise_seed_2"]
    kept: Any = pd.read_parquet(tmp_path / "out" / "per_pair.parquet").set_index(["method", "pair"])
    assert sorted(kept.index) == sorted(
        (method, pair) for method in ["grad_cam", *runs, *CONTROLS] for pair in PAIRS
    )
    assert (
        len({kept.loc[(run, "000001_dog"), "energy_pointing"] for run in runs}) == 3
    )  # other masks, other maps
    one = kept.loc[list(once.rows["method"].unique()), "top"]
    pd.testing.assert_series_equal(
        one.sort_index(), once.rows.set_index(["method", "pair"])["top"].sort_index()
    )

    write_report(tmp_path / "out", thrice)
    report = (tmp_path / "out" / "report.md").read_text()
    means = [100 * float(kept.loc[run, "energy_pointing"].mean()) for run in runs]
    assert re.search(rf"\| rise \| {sum(means) / 3:.2f} \(.*\| 32\.86 \|", report)
    for run, mean in zip(runs, means, strict=True):
        assert re.search(rf"\| {run} \|.* \| {mean:.2f} \(", report)
    assert len(re.findall(r"\| rise_seed_1 ", report)) == 1  # a run is no method of its own

    asked.clear()
    again = evaluate_natural(own)
    assert again
    assert asked == []
    assert set(again.rows["method"]) == {"grad_cam", "rise", *CONTROLS}
    assert len(list((tmp_path / "out" / "rise_seed_2").glob("*.json"))) == len(PAIRS)


def test_killed_in_the_midst_it_goes_on_and_changed_boxes_are_asked_about_anew(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[tuple[str, tuple[str, ...]]],
) -> None:
    voc = write_voc(tmp_path)
    own = changed(settings, images=tmp_path, output=tmp_path / "out", methods="grad_cam")
    usual = load_network

    def breaking(*arguments: Any) -> Any:
        network = usual(*arguments)
        network.register_forward_hook(lambda *_: stop() if len(asked) == 3 else None)
        return network

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("explain.natural.evaluate.load_network", breaking)
    with pytest.raises(KeyboardInterrupt):
        evaluate_natural(own)
    done = list((tmp_path / "out" / "grad_cam").glob("*.json"))
    assert len(done) == 2
    monkeypatch.setattr("explain.natural.evaluate.load_network", usual)
    assert evaluate_natural(own)
    assert sorted(name for name, _ in asked[3:]) == sorted(set(PAIRS) - {path.stem for path in done})

    asked.clear()
    xml = voc / "Annotations" / "000006.xml"
    xml.write_text(xml.read_text().replace("<xmin>21</xmin>", "<xmin>11</xmin>"))
    assert evaluate_natural(own)
    assert asked == [("000006_dog", ("grad_cam", *CONTROLS))]


def test_an_image_that_cannot_be_read_is_a_reject_and_the_others_are_evaluated(
    settings: Settings, tmp_path: Path
) -> None:
    voc = write_voc(tmp_path)
    own = changed(settings, images=tmp_path, output=tmp_path / "out", methods="grad_cam")
    for name in ("000001", "000004"):
        (voc / "JPEGImages" / f"{name}.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (voc / "JPEGImages" / "000006.jpg").unlink()
    done = evaluate_natural(own)
    assert done
    assert list(done.rows["pair"].unique()) == ["000002_person"]
    listed = (tmp_path / "out" / "rejected.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in listed] == ["image", "000001", "000004", "000006"]
    assert "damaged image file" in listed[1]
    assert "000006.jpg cannot be read (No such file or directory)" in listed[3]
    assert (
        "could not be used are in `rejected.csv`, with the reasons: 3."
        in (tmp_path / "out" / "report.md").read_text()
    )
    (voc / "JPEGImages" / "000002.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"none can be used, expected one at least; 00000\d: "):
        evaluate_natural(own)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sise": SISE(mu=0.5, engine="reference")}, r"sise: holds .* with settings\.mu 0\.95, now 0\.5"),
        ({"masks": "segments"}, r"with settings\.masks boxes, now segments"),
        ({"size": 96}, r"with settings\.size 64, now 96"),
    ],
)
def test_rows_made_otherwise_are_not_mixed(
    evaluated: Evaluated, settings: Settings, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_natural(changed(settings, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": "sise,nothing"}, "method 'nothing', expected one of"),
        ({"images_at_most": 0}, "images_at_most 0, expected 1 or more"),
        ({"seeds": 0}, "seeds 0, expected 1 or more, at most 100"),
        ({"size": 32}, "size 32, expected 64 or more"),
        ({"architecture": "vgg16", "size": 223}, "size 223, expected 224 or more"),
        ({"images": Path("nowhere")}, r"nowhere: no VOCdevkit/VOC2007/ImageSets/Main/test\.txt in it"),
        ({"dataset": "coco2014"}, r"no annotations/instances_val2014\.json in it"),
        (
            {"weights": Path("none.pth.tar")},
            r"none\.pth\.tar: no such file, .*resnet50_voc-9ca920d6\.pth\.tar",
        ),
        ({"weights": None}, r"weights/resnet50_voc-9ca920d6\.pth\.tar: no such file"),
        ({"architecture": "vgg16", "size": 224}, r"'conv1\.weight' is none of the network's tensors"),
    ],
)
def test_wrong_settings(settings: Settings, tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_natural(changed(settings, output=tmp_path / "out", **changes))
    assert not list(tmp_path.glob("out/*/*.json"))


def test_a_folder_of_other_things_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(InputError, match=r"holds 'mine\.txt', expected an empty folder or an evaluation's"):
        evaluate_natural(changed(settings, output=tmp_path))
    with pytest.raises(InputError, match="a file, expected a folder to make"):
        evaluate_natural(changed(settings, output=tmp_path / "mine.txt"))


def test_the_command_works_by_its_flags_on_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_coco(tmp_path)
    save_resnet50(tmp_path / "coco.pth.tar", classes=80, seed=1)
    flags = "--dataset coco2014 --masks segments --methods grad_cam --size 64 --steps 2 --device cpu"
    paths = ["--images", tmp_path, "--weights", tmp_path / "coco.pth.tar", "--output", tmp_path / "out"]
    assert main([*flags.split(), *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{tmp_path / 'out'}: 4 pairs of 2 images; begin with")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "# MS COCO 2014 (validation), ResNet-50" in report
    assert "Images without an object are left out: 1." in report
    assert re.search(r"\| grad_cam \|.*\| 33\.42 \|.*\| 48\.39 \|", report)  # Table 4
    assert "Insertion AUC" in report
    table = pd.read_parquet(tmp_path / "out" / "per_pair.parquet")
    assert "COCO_val2014_000000000002_traffic_light" in set(table["pair"])
    answer = json.loads((tmp_path / "out" / "answers" / "COCO_val2014_000000000002.json").read_text())
    assert len(answer["likeliest"]) == 5
