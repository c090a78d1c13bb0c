"""`python -m explain.evaluate`: what is in the table, that it goes on, and that the report says what the table says."""

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from explain.engines import choose_engine
from explain.evaluate import evaluate, main
from explain.evaluation.controls import CONTROLS
from explain.evaluation.counterfactual import counterfactual
from explain.evaluation.evidence import Group
from explain.evaluation.findings import findings
from explain.evaluation.rows import evaluate_patch
from explain.evaluation.settings import Settings
from explain.evaluation.summary import Evaluated, figures_of
from explain.methods import METHODS
from explain.methods.sise import SISE
from explain.metrics.localisation import box_score, energy_pointing, top_iou
from explain.paper import TABLE_2
from explain.subjects import choose_patches
from severstal_xai.checkpoint import ModelCard, load_checkpoint, read_card, save_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Split, write_manifest
from severstal_xai.model import build_classifier
from severstal_xai.paper import TABLE_5
from tests.conftest import Launch

QUICK = SISE(mu=0.9, engine="reference")
METHODS_HERE = "grad_cam,sise"
NAMES = ["grad_cam", "sise", "sise_ordered", "sise_mu_0.95", *CONTROLS]
ALONE: dict[str, Any] = {"counterfactual": False, "sure": None, "sanity_patches": 0}
"""Settings of an evaluation of the metrics alone."""
MAIN = [name for name in NAMES if name != "sise_mu_0.95"]


@pytest.fixture(scope="module")
def made_run(made_data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    network = build_classifier("resnet18", 5, seed=0)
    network.get_parameter("fc.bias").data[3] += 2  # it names class 3, whatever it sees
    save_checkpoint(folder, network, ModelCard("resnet18", made_data.checksum, 1, {}))
    return folder


@pytest.fixture(scope="module")
def settings(made_data: Manifest, made_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        run=made_run,
        data=made_data.root,
        split="test",
        subset="evaluation",
        patches_per_class=None,
        methods=METHODS_HERE,
        sise=QUICK,
        mus=(0.95,),
        seeds=1,
        steps=2,
        counterfactual=True,
        sure=0.2,
        sanity="grad_cam",
        sanity_patches=1,
        seed=0,
        output=tmp_path_factory.mktemp("evaluation") / "out",
        overwrite=False,
        device="cpu",
    )


@pytest.fixture(scope="module")
def evaluated(settings: Settings) -> Evaluated:
    done = evaluate(settings)
    assert done
    return done


def folder_of(settings: Settings) -> Path:
    assert settings.output
    return settings.output


def test_there_is_a_row_for_each_patch_and_method(
    evaluated: Evaluated, settings: Settings, made_data: Manifest
) -> None:
    table = pd.read_parquet(folder_of(settings) / "per_patch.parquet")
    pd.testing.assert_frame_equal(table, evaluated.rows)
    patches = [patch for patch in made_data.of_split(Split.TEST) if patch.evaluation]
    assert sorted(table["patch"].unique()) == sorted(patch.patch for patch in patches)
    assert (table.groupby("method").size() == 4).all()
    assert list(dict.fromkeys(table["method"])) == NAMES
    for column in (
        "drop",
        "insertion",
        "deletion",
        "energy_pointing",
        "top_iou",
        "box_score",
        "whole",
        "top",
    ):
        assert table[column].between(0, 1).all(), column
    both = table.pivot_table(index="patch", columns="method", values="energy_pointing")
    assert (both["sise"] == both["sise_ordered"]).all()  # energy knows no ties


def test_ties_are_ordered_in_one_of_sises_rows_and_fall_row_by_row_in_the_other(
    evaluated: Evaluated, made_run: Path, made_data: Manifest
) -> None:
    model = load_checkpoint(made_run).model
    rows = evaluated.rows.set_index(["method", "patch"])
    name = str(evaluated.rows["patch"].iloc[0])
    patch = made_data.find(name)
    image = torch.from_numpy(model_input(made_data.read_image(patch)))
    mask = torch.from_numpy(made_data.read_mask(patch))
    found = QUICK.explain(model, image, patch.label)
    for method, ties in (("sise", None), ("sise_ordered", found.tie_order)):
        for column, metric in (("top_iou", top_iou), ("box_score", box_score)):
            expected = metric(found.saliency, mask, ties)
            assert rows.loc[(method, name), column] == pytest.approx(expected, abs=1e-3), (method, column)
    both = [float(rows["top_iou"][method, name]) for method in ("sise", "sise_ordered")]
    assert both[0] != both[1]


def test_the_maps_that_are_shown_are_of_patches_that_were_evaluated(
    settings: Settings, made_data: Manifest, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(made_data.root, tmp_path / "data"))
    lot = [one for one in made_data.patches if one.label == 3 and not one.evaluation]
    (evaluated_one,) = [one for one in made_data.patches if one.label == 3 and one.evaluation]
    both = [
        dataclasses.replace(made_data, patches=(dataclasses.replace(one, split=Split.TEST), evaluated_one))
        for one in lot
    ]
    other = next(
        one
        for one, manifest in zip(lot, both, strict=True)
        if choose_patches(manifest, Split.TEST, 1)[0].patch == one.patch
    )
    write_manifest(
        data,
        [dataclasses.replace(one, split=Split.TEST) if one == other else one for one in made_data.patches],
    )
    done = evaluate(
        changed(settings, data=data, output=tmp_path / "out", methods="grad_cam", mus=(), steps=0, **ALONE)
    )
    assert done
    kept = {path.stem for path in (tmp_path / "out" / "grad_cam").glob("*.npy")}
    assert kept == set(done.rows["patch"])  # one a class is all of them
    assert evaluated_one.patch in kept


def test_the_report_is_made_again_without_the_weights(
    evaluated: Evaluated, settings: Settings, made_run: Path, tmp_path: Path
) -> None:
    before = (folder_of(settings) / "report.md").read_text()
    out = Path(shutil.copytree(folder_of(settings), tmp_path / "out"))
    run = Path(shutil.copytree(made_run, tmp_path / made_run.name))
    (run / "model.safetensors").unlink()
    for name in ("report.md", "report.html", "evaluation.png"):
        (out / name).unlink()
    assert evaluate(changed(settings, run=run, output=out))
    assert (out / "report.md").read_text() == before
    assert (out / "evaluation.png").is_file()


def test_the_worst_cases_that_are_shown_are_the_first_of_the_evidence(
    evaluated: Evaluated, settings: Settings
) -> None:
    listed = pd.read_csv(folder_of(settings) / "evidence.csv")
    groups = [Group.RIGHT_ELSEWHERE, Group.WRONG_ELSEWHERE]
    worst = [name for group in groups for name in listed[listed["group"] == str(group)]["patch"].head(2)]
    on_defect = listed[listed["group"] == str(Group.WRONG_ON_DEFECT)]
    worst += on_defect.sort_values("whole", kind="stable")["patch"].head(2).tolist()
    shown = [one.patch for one in evaluated.studies["worst"]]
    assert shown == worst
    report = (folder_of(settings) / "report.md").read_text()
    assert ("(worst.png)" in report) == bool(worst)
    assert "By grad_cam " in report


def test_each_row_and_the_report_name_what_answered_for_the_model(
    evaluated: Evaluated, settings: Settings, made_run: Path
) -> None:
    model = load_checkpoint(made_run).model
    name = choose_engine(model, torch.zeros(3, 256, 256)).name
    assert set(evaluated.rows["engine"]) == {name}
    report = (folder_of(settings) / "report.md").read_text()
    assert f"What answered for the network when the metrics asked: {name}." in report
    two = dataclasses.replace(
        evaluated, rows=evaluated.rows.assign(engine=["", *["half"] * (len(evaluated.rows) - 1)])
    )
    assert two.engines == f"half ({len(evaluated.rows) - 1} rows), not noted (1 rows)"


def test_weights_that_are_replaced_meanwhile_are_not_evaluated_under_the_old_ones_name(
    settings: Settings, made_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = dataclasses.replace(read_card(made_run), weights_sha256="0" * 64)
    monkeypatch.setattr("explain.evaluate.read_card", lambda _: card)
    with pytest.raises(
        InputError, match="now, at the start 000000000000, expected a run that stays as it is"
    ):
        evaluate(changed(settings, output=tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*/*.json"))


def test_rows_say_of_which_image_and_mask_they_are(evaluated: Evaluated, made_data: Manifest) -> None:
    for row in evaluated.rows.itertuples():
        patch = made_data.find(str(row.patch))
        assert (row.image_sha256, row.mask_sha256) == (patch.image_sha256, patch.mask_sha256)


def test_a_kept_map_gives_its_row(evaluated: Evaluated, settings: Settings, made_data: Manifest) -> None:
    rows = evaluated.rows.set_index(["method", "patch"])
    for patch in made_data.of_split(Split.TEST):
        if patch.evaluation:
            kept = np.load(folder_of(settings) / "grad_cam" / f"{patch.patch}.npy").astype(np.float32)
            mask = torch.from_numpy(made_data.read_mask(patch))
            expected = rows.loc[("grad_cam", patch.patch), "energy_pointing"]
            assert energy_pointing(torch.from_numpy(kept), mask) == pytest.approx(expected, abs=1e-3)


def test_the_report_says_what_the_table_says(evaluated: Evaluated, settings: Settings) -> None:
    folder = folder_of(settings)
    report = (folder / "report.md").read_text()
    means = 100 * evaluated.rows.groupby("method")[["drop", "energy_pointing"]].mean()
    for name in MAIN:
        shown = f"*{name}*" if name in CONTROLS else name
        for column in ("drop", "energy_pointing"):
            mean = float(means[column][name])
            assert re.search(rf"\| {re.escape(shown)} \|.* {mean:.2f} \(", report)
    assert "| sise |" in report
    assert " 61.06 |" in report
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(list(folder.glob("*.png")))
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert not re.search("https?:", page)  # a colon is nothing that a picture in base64 could hold
    for picture in (
        "evaluation",
        "maps",
        "masks",
        "thresholds",
        "counterfactual",
        "sanity",
        "cascade_grad_cam",
    ):
        assert (folder / f"{picture}.png").stat().st_size > 10_000, picture
        assert f"({picture}.png)" in report


def test_the_papers_tables_are_the_rows_means(evaluated: Evaluated, settings: Settings) -> None:
    report = (folder_of(settings) / "report.md").read_text()
    rows = evaluated.rows
    at = {0.9: "sise", 0.95: "sise_mu_0.95"}
    for mu, name in at.items():  # Table 6
        own = rows[rows["method"] == name]
        line = next(line for line in report.splitlines() if line.startswith(f"| {mu:g} |"))
        for column in ("drop", "increase", "energy_pointing", "top_iou", "box_score"):
            assert f"| {100 * own[column].mean():.2f} (" in line, column
        assert f"| {own['seconds'].median():.3g} (" in line
    seconds = rows[rows["method"] == "grad_cam"]["seconds"]  # Table 7
    shown = rf"\| grad_cam \| {seconds.median():.3g} \([^|]*\) \| {seconds.mean():.3g} \| 0\.006 \| 0\.019 \|"
    assert re.search(shown, report)
    assert "sise_mu_0.95" not in report  # it is in the section on thresholds alone
    assert "| 3 scratches and scabs | 3 | 1 | 8,166 | 3,500 |" in report  # Table 3


def test_the_answers_are_table_5(evaluated: Evaluated, settings: Settings, made_data: Manifest) -> None:
    folder = folder_of(settings)
    answers = pd.read_parquet(folder / "answers.parquet")
    assert sorted(answers["patch"]) == sorted(patch.patch for patch in made_data.of_split(Split.TEST))
    assert (answers["strip"] == [made_data.find(patch).strip for patch in answers["patch"]]).all()
    report = (folder / "report.md").read_text()
    right = (answers["label"] == answers["prediction"]).mean()
    assert f"Top-1, the share of right answers: {right:.1%} (" in report
    for label, some in answers.groupby("label"):
        shares = [(some["prediction"] == known.id).mean() for known in CLASSES]
        paper = TABLE_5[int(str(label))]
        cells = [
            rf"{ours:.1%} \([^|]*\) \[{theirs:.1%}\]" for ours, theirs in zip(shares, paper, strict=True)
        ]
        assert re.search(r" \| ".join(cells), report)
    answers = pd.read_parquet(folder / "suspects.parquet")
    looked_at = answers[(answers["prediction"] > 0) & (answers["probability"] >= settings.sure)]
    assert len(looked_at) == len(answers)
    assert set(answers[answers["energy"].notna()]["patch"]) <= set(looked_at["patch"])
    assert f"calls {answers['energy'].notna().sum()} a defect" in report


def test_the_counterfactual_is_told_as_its_records_say(evaluated: Evaluated, settings: Settings) -> None:
    records = pd.read_parquet(folder_of(settings) / "counterfactual.parquet")
    assert len(records) == 4
    report = (folder_of(settings) / "report.md").read_text()
    means = " | ".join(f"{records[column].mean():.3f}" for column in ("whole", "painted", "elsewhere"))
    lost = (records["whole"] - records["painted"]).mean()
    assert f"| all | 4 | {means} | {lost:+.3f} (" in report


def test_the_sanity_check_is_told_as_its_records_say(evaluated: Evaluated, settings: Settings) -> None:
    records = pd.read_parquet(folder_of(settings) / "cascade_grad_cam.parquet")
    assert len(records) == 4
    report = (folder_of(settings) / "report.md").read_text()
    both = zip(
        np.array(list(records["spearman"])).mean(axis=0),
        np.array(list(records["ssim"])).mean(axis=0),
        strict=True,
    )
    cells = [rf"{one:.2f} \([^|]*\) / {other:.2f} \([^|]*\)" for one, other in both]
    assert re.search(r"\| grad_cam \| " + r" \| ".join(cells), report)
    assert records["parts"][0].tolist() == ["fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]


def test_a_study_goes_on_where_it_was(
    evaluated: Evaluated, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = folder_of(settings), []
    usual = counterfactual

    def watched(model: Any, subject: Any) -> Any:
        asked.append(subject.name)
        return usual(model, subject)

    monkeypatch.setattr("explain.evaluation.studies.counterfactual", watched)
    monkeypatch.setattr("explain.evaluate.write_evaluation", lambda *_: None)
    again = evaluate(settings)
    assert again
    assert asked == []
    assert again.studies == evaluated.studies
    (lost,) = (folder / "counterfactual").glob("strip3*.json")
    lost.write_text("{")
    repaired = evaluate(settings)
    assert repaired
    assert asked == [lost.stem]
    assert repaired.studies == evaluated.studies
    with pytest.raises(InputError, match=r"suspects: holds .* with settings\.sure 0\.2, now 0\.5"):
        evaluate(changed(settings, sure=0.5))


def changed(settings: Settings, **changes: Any) -> Settings:
    return dataclasses.replace(settings, **changes)


def test_what_is_there_is_not_made_again_and_what_is_damaged_is(
    evaluated: Evaluated, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []
    usual = evaluate_patch

    def watched(model: Any, subject: Any, methods: Any, steps: int) -> Any:
        asked.append((subject.name, tuple(methods)))
        return usual(model, subject, methods, steps)

    monkeypatch.setattr("explain.evaluate.evaluate_patch", watched)
    monkeypatch.setattr("explain.evaluate.write_evaluation", lambda *_: None)
    again = evaluate(settings)
    assert again
    assert asked == []
    pd.testing.assert_frame_equal(again.rows, evaluated.rows)

    names = evaluated.rows["patch"].unique()
    (folder_of(settings) / "grad_cam" / f"{names[0]}.json").write_text('{"row": ')
    (folder_of(settings) / "sise_ordered" / f"{names[1]}.json").unlink()
    repaired = evaluate(settings)
    assert repaired
    assert sorted(asked) == sorted([(names[0], ("grad_cam",)), (names[1], ("sise",))])
    same = [column for column in evaluated.rows if column != "seconds"]
    pd.testing.assert_frame_equal(repaired.rows[same], evaluated.rows[same])

    asked.clear()
    folder = folder_of(settings)
    (folder / "grad_cam" / f"{names[0]}.npy").unlink()
    (folder / "random" / f"{names[1]}.npy").write_bytes(b"")
    (folder / "edges" / f"{names[2]}.json").write_text("[1, 2]")
    masks = next((folder / "masks").glob("*.npy"))
    drawn = masks.read_bytes()
    masks.write_bytes(drawn[:-1])
    evaluate(settings)
    assert sorted(asked) == sorted(zip(names, (("grad_cam",), ("random",), ("edges",)), strict=False))
    assert masks.read_bytes() == drawn

    asked.clear()
    more = evaluate(changed(settings, methods="grad_cam,sise,xgrad_cam"))
    assert more
    assert {methods for _, methods in asked} == {("xgrad_cam",)}
    assert len(more.rows) == len(evaluated.rows) + 4


def test_killed_in_the_midst_it_goes_on(
    evaluated: Evaluated, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, calls = evaluate_patch, 0

    def breaking(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return usual(*arguments)

    elsewhere = changed(settings, output=tmp_path / "out", methods="grad_cam", mus=(), **ALONE)
    monkeypatch.setattr("explain.evaluate.evaluate_patch", breaking)
    with pytest.raises(KeyboardInterrupt):
        evaluate(elsewhere)
    assert len(list((tmp_path / "out" / "grad_cam").glob("*.json"))) == 2
    done = evaluate(elsewhere)
    assert done
    assert calls == 3 + 2
    same = [column for column in evaluated.rows if column != "seconds"]
    expected = evaluated.rows[~evaluated.rows["method"].str.startswith("sise")][same]
    pd.testing.assert_frame_equal(done.rows[same], expected.reset_index(drop=True))


def test_two_processes_share_the_patches(
    evaluated: Evaluated, settings: Settings, tmp_path: Path, launch: Launch
) -> None:
    out = tmp_path / "out"
    flags = f"--run {settings.run} --data {settings.data} --output {out} --methods grad_cam --steps 2 --device cpu"
    little = "--mus [] --sure null --sanity_patches 0"
    done = launch(2, "explain.evaluate", *flags.split(), *little.split())
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out / "per_patch.parquet")
    same = [column for column in rows if column != "seconds"]
    expected = evaluated.rows[~evaluated.rows["method"].str.startswith("sise")][same].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[same], expected, atol=1e-5)
    records = pd.read_parquet(out / "counterfactual.parquet")
    pd.testing.assert_frame_equal(
        records, pd.read_parquet(folder_of(settings) / "counterfactual.parquet"), atol=1e-5
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sise": SISE(mu=0.5, engine="reference")}, r"sise: holds .* with settings\.mu 0\.9, now 0\.5"),
        ({"steps": 3}, r"with settings\.steps 2, now 3"),
    ],
)
def test_rows_made_otherwise_are_not_mixed(
    evaluated: Evaluated, settings: Settings, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        evaluate(changed(settings, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": "sise,nothing"}, "method 'nothing', expected one of"),
        ({"methods": "sise,sise"}, "named 2 times"),
        ({"patches_per_class": 0}, "patches_per_class 0, expected 1 or more"),
        ({"steps": -1}, "steps -1, expected 0 or more"),
        ({"mus": (0.1, -1.0)}, "mus -1.0, expected 0 or more, below 1"),
        ({"mus": (0.1, 1.0)}, "mus 1.0, expected 0 or more, below 1"),
        ({"mus": (0.1, 0.1)}, "expected each threshold once"),
        ({"mus": (0.3, 0.3000000001)}, r"mus 0\.3 and 0\.3000000001, expected thresholds that differ"),
        (
            {"mus": (0.9000000001,)},
            r"mus 0\.9 and 0\.9000000001, expected thresholds that differ",
        ),  # SISE's own is 0.9
        ({"seeds": 0}, "seeds 0, expected 1"),
        ({"sure": 1.5}, "sure 1.5, expected 0 or more, at most 1"),
        ({"sanity": "sise,nothing"}, "method 'nothing', expected one of"),
        ({"sanity_patches": -1}, "sanity_patches -1, expected 0 or more"),
        ({"run": Path("nowhere")}, "nowhere.*no such file, expected a run folder"),
        ({"data": Path("nowhere")}, "nowhere"),
    ],
)
def test_wrong_settings(settings: Settings, tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate(changed(settings, output=tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("subset", "what"), [("all", "patch"), ("evaluation", "patch with a defect")])
def test_a_split_without_such_a_patch_is_refused(
    settings: Settings, made_data: Manifest, tmp_path: Path, subset: str, what: str
) -> None:
    data = Path(shutil.copytree(made_data.root, tmp_path / "data"))
    write_manifest(data, [one for one in made_data.patches if one.split != Split.VALIDATION])
    with pytest.raises(InputError, match=f"no {what} in the validation split, expected one at least"):
        evaluate(changed(settings, data=data, split="validation", subset=subset, output=tmp_path / "out"))


def test_a_folder_of_other_things_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(InputError, match=r"holds 'mine\.txt', expected an empty folder or an evaluation's"):
        evaluate(changed(settings, output=tmp_path))


def test_nothing_is_written_into_the_data_folder(settings: Settings, made_data: Manifest) -> None:
    with pytest.raises(InputError, match="lies in the data folder"):
        evaluate(changed(settings, output=made_data.root / "evaluation"))


def test_the_command_works_by_its_flags(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = (
        f"--run {settings.run} --data {settings.data} --methods grad_cam --subset all --patches_per_class 1"
    )
    assert (
        main(
            [
                *flags.split(),
                "--steps",
                "0",
                "--sanity_patches",
                "0",
                "--counterfactual",
                "false",
                "--sure",
                "null",
                "--output",
                str(tmp_path / "out"),
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    assert "5 patches; begin with" in capsys.readouterr().out
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Left out: 1 patch without a mask." in report
    assert "Insertion AUC" not in report
    assert set(METHODS) > {"grad_cam"}


def made_rows(values: dict[str, list[float]]) -> pd.DataFrame:
    """Rows of methods whose drop is given, patch by patch; every patch is of its own strip."""
    columns = ("increase", "insertion", "deletion", "energy_pointing", "top_iou", "box_score")
    rows = [
        {
            "strip": f"s{place}",
            "patch": f"s{place}_0",
            "label": 1,
            "method": name,
            "drop": drop,
            "empty": False,
            "engine": "reference",
        }
        | dict.fromkeys(columns, np.nan)
        for name, drops in values.items()
        for place, drop in enumerate(drops)
    ]
    return pd.DataFrame(rows)


def of_drops(made_data: Manifest, values: dict[str, list[float]]) -> Evaluated:
    controls = {name: [0.5 + 0.1 * (place % 2) for place in range(40)] for name in CONTROLS}
    return Evaluated(
        run="run",
        architecture="resnet18",
        weights_sha256="0" * 64,
        same_data=True,
        manifest=made_data,
        split=Split.TEST,
        device="cpu",
        rows=made_rows(values | controls).assign(seconds=1.0),
        sise=SISE(),
        steps=0,
        sure=None,
        seed=0,
        studies={},
    )


def test_a_method_that_does_not_beat_the_controls_is_marked(made_data: Manifest) -> None:
    chance = np.random.default_rng(0)
    made = of_drops(
        made_data,
        {
            "sise": [0.2] * 40,
            "grad_cam": [0.9] * 40,
            "rise": list(0.55 + chance.normal(0, 0.1, 40)),
        },
    )
    (drop,) = figures_of(made.main, seed=0)  # the other metrics are nowhere defined
    assert drop.beaten["sise"]
    assert not drop.beaten["grad_cam"]
    assert not drop.beaten["rise"]  # no difference that could be told
    assert drop.measures["sise"].value == pytest.approx(20)
    said = " ".join(findings(made, [drop]))
    assert (
        "not shown to beat the best control, random (55.00, as centred_gaussian and edges): grad_cam, rise."
        in said
    )


def test_the_order_is_held_beside_the_papers(made_data: Manifest) -> None:
    as_paper = {name: [drop / 100] * 40 for name, (drop, _) in TABLE_2.items()}
    (drop,) = figures_of(of_drops(made_data, as_paper).main, seed=0)
    said = " ".join(findings(of_drops(made_data, as_paper), [drop]))
    assert (
        "best of the paper's methods is sise here, sise in the paper; rank correlation of the two orders 1.00"
        in said
    )
    assert "SISE is number 1 of 6 here, 1 of 6 in the paper." in said
    turned = {name: [1 - drop / 100] * 40 for name, (drop, _) in TABLE_2.items()}
    (drop,) = figures_of(of_drops(made_data, turned).main, seed=0)
    said = " ".join(findings(of_drops(made_data, turned), [drop]))
    assert "is full_grad here, sise in the paper; rank correlation of the two orders -1.00" in said
    assert "SISE is number 6 of 6 here" in said
    (drop,) = figures_of(of_drops(made_data, dict.fromkeys(TABLE_2, [0.5] * 40)).main, seed=0)
    said = " ".join(findings(of_drops(made_data, as_paper), [drop]))
    assert "SISE is number 1 (shared) of 6 here" in said
    assert f"best of the paper's methods is {' and '.join(TABLE_2)} here, sise in the paper." in said
