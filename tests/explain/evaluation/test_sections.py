"""The report's sections say what the rows and records say: on rows whose figures are known beforehand."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from explain.evaluation import tables
from explain.evaluation.answers import Answer
from explain.evaluation.cascade import Cascade
from explain.evaluation.controls import CONTROLS
from explain.evaluation.counterfactual import Counterfactual
from explain.evaluation.evidence import groups_of
from explain.evaluation.findings import findings, what_they_say
from explain.evaluation.pictures import draw_thresholds
from explain.evaluation.reasons import right_reason, sanity, suspects, the_counterfactual
from explain.evaluation.report import as_html, report_of
from explain.evaluation.studies import ANSWERS, CASCADE, COUNTERFACTUAL, SUSPECTS
from explain.evaluation.summary import METRICS, Evaluated, figures_of, summarise
from explain.methods.sise import SISE
from explain.natural.paper import metrics_of
from explain.paper import TABLE_6, TABLE_7
from severstal_xai.manifest import Manifest, Split
from severstal_xai.markdown import table
from severstal_xai.paper import TABLE_3, TABLE_5
from tests.conftest import make_data

STRIPS = 20
"""The made data's, a patch each."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return make_data(tmp_path_factory.mktemp("data"))


def evaluated(
    data: Manifest,
    values: Mapping[str, Mapping[str, float]],
    studies: Mapping[str, Sequence[Any]] | None = None,
    *,
    right: int = STRIPS,
) -> Evaluated:
    """Rows of these columns, the same on every patch; the first `right` patches are answered rightly."""
    methods = {**values, **{name: values.get(name, {}) for name in CONTROLS}}
    rows = [
        {
            **{metric.column: np.nan for metric in METRICS},
            "strip": patch.strip,
            "patch": patch.patch,
            "label": patch.label,
            "method": name,
            "prediction": patch.label if place < right else (patch.label + 1) % 5,
            "whole": 0.5,
            "empty": False,
            "engine": "reference",
            "seconds": 1.0,
            "energy_pointing": 0.1,
            "drop": 0.5,
            "increase": 0.5,
            **own,
        }
        for name, own in methods.items()
        for place, patch in enumerate(data.patches)
    ]
    return Evaluated(
        run="run",
        architecture="resnet18",
        weights_sha256="0" * 64,
        same_data=True,
        manifest=data,
        split=Split.TEST,
        device="cpu",
        rows=pd.DataFrame(rows),
        sise=SISE(),
        steps=0,
        sure=0.9,
        seed=0,
        studies={name: tuple(records) for name, records in (studies or {}).items()},
    )


def names(data: Manifest) -> list[str]:
    return [patch.patch for patch in data.patches]


def whole_report(made: Evaluated) -> str:
    figures = figures_of(made.main, 0)
    return report_of(made, figures, groups_of(made.main, made.first_method), sanity_check="", pictures=())


def test_the_report_tells_what_it_is_of_and_where_that_is_not_the_papers(data: Manifest) -> None:
    made = dataclasses.replace(evaluated(data, {"sise": {}}), sise=SISE(mu=0.3, gate="soft"))
    told = whole_report(made)
    assert "The network: resnet18; the paper's Tables 2 and 5 are of resnet101" in told
    assert f"`{made.weights_sha256}`" in told
    assert f"the test split of a data folder whose manifest has the SHA-256 `{data.checksum}`" in told
    assert "SISE: mu 0.3 (the paper's: 0), gate soft (the paper's: hard), budget 1." in told
    papers = whole_report(dataclasses.replace(made, architecture="resnet101", sise=SISE()))
    assert "The network: resnet101, the paper's." in papers
    assert "SISE: mu 0, gate hard, budget 1: the paper's settings." in papers
    assert "- SISE: " not in whole_report(evaluated(data, {"rise": {}}))


def test_one_patch_is_counted_as_one_and_curves_that_were_left_out_are_not_explained(data: Manifest) -> None:
    made = evaluated(data, {"sise": {}})
    one = dataclasses.replace(made, rows=made.rows[made.rows["patch"] == names(data)[0]])
    told = whole_report(one)
    assert "1 patch of 1 strip (1 of class 0)" in told
    assert re.search(
        r"The model names\n100% of them \([23]% to 100%\) rightly\.", told
    )  # one of one: from 2.5 %
    assert "**Only 1 strip**" in told
    assert not re.search(r"\b1 (patches|strips)", told)
    assert "nsertion" not in told
    rows = made.rows.assign(insertion=0.5, deletion=0.5)
    curves = whole_report(dataclasses.replace(made, rows=rows, steps=4))
    assert "deletion ends with one of the mean grey; 4 steps each." in curves
    assert "The paper's Table 2, and insertion and deletion." in curves


def test_each_table_of_the_page_scrolls_in_a_box_of_its_own() -> None:
    page = as_html(f"{table(['a'], [['<table>']])}\n\nand\n\n{table(['b'], [[2]])}", {})
    assert page.count('<div class="wide" tabindex="0"><table>') == page.count("</table></div>") == 2
    assert page.count("<table>") == 2
    assert ".wide{overflow-x:auto}" in page


def test_a_method_that_does_not_beat_the_controls_has_a_mark_in_the_table(data: Manifest) -> None:
    made = evaluated(data, {"sise": {"drop": 0.2}, "rise": {"drop": 0.9}})
    told = tables.against_the_model(figures_of(made.main, 0))
    assert re.search(r"\| sise \| 20\.00 \(20\.0 to 20\.0\) \|", told)
    assert re.search(r"\| rise \| 90\.00 \(90\.0 to 90\.0\) † \|", told)
    assert "| *random* | 50.00 (50.0 to 50.0) |" in told


def test_thresholds_stand_beside_table_6_and_are_held_against_it_in_words(data: Manifest) -> None:
    made = evaluated(
        data,
        {
            "sise": {"drop": 0.3, "energy_pointing": 0.6, "seconds": 8.0},
            "sise_mu_0.75": {"drop": 0.4, "energy_pointing": 0.7, "seconds": 0.5},
        },
    )
    told = tables.threshold(made)
    lines = {line.partition(" |")[0]: line for line in told.splitlines() if line.startswith("| 0")}
    low, high = lines["| 0"], lines["| 0.75"]
    assert f"30.00 (30.0 to 30.0) [{TABLE_6[0.0]['drop']:g}]" in low
    assert f"40.00 (40.0 to 40.0) [{TABLE_6[0.75]['drop']:g}]" in high
    assert low.endswith("| 8 (8 to 8) [9.21] |")
    assert high.endswith("| 0.5 (0.5 to 0.5) [0.38] |")
    said = " ".join(findings(made, figures_of(made.main, 0)))
    assert (
        "Drop %, SISE at mu 0.75 less at 0: +10.00 (+10.0 to +10.0), in the paper +7.91: the same direction."
        in said
    )
    assert (
        "EBPG %, SISE at mu 0.75 less at 0: +10.00 (+10.0 to +10.0), in the paper -3.58: the opposite direction."
        in said
    )
    assert (
        "Increase %, SISE at mu 0.75 less at 0: +0.00 (+0.0 to +0.0), in the paper -4.13: no change that"
        in said
    )
    figure = draw_thresholds(made)
    assert figure
    last = figure.axes[-1]
    assert last.get_title().startswith("seconds")
    assert [np.asarray(line.get_ydata()).tolist() for line in last.lines] == [
        [8.0, 0.5],
        [TABLE_6[mu]["seconds"] for mu in TABLE_6],
    ]


def test_time_stands_beside_table_7_with_its_interval_and_order(data: Manifest) -> None:
    as_paper = {name: {"seconds": seconds} for name, (_, seconds) in TABLE_7.items()}
    made = evaluated(data, as_paper)
    told = tables.time(made)
    assert "| sise | 9.21 (9.21 to 9.21) | 9.21 | 5.9 | 9.21 |" in told
    said = " ".join(findings(made, figures_of(made.main, 0)))
    assert (
        "Time, by the median: of the paper's methods grad_cam is the fastest and extremal_perturbation the slowest; in the paper, with "
        "ResNet-50, grad_cam and extremal_perturbation; rank correlation of the two orders 1.00." in said
    )
    uneven = evaluated(data, {"sise": {}})
    uneven.rows["seconds"] = np.where(uneven.rows["strip"] == uneven.rows["strip"].iloc[0], 21.0, 1.0)
    assert "| sise | 1 (1 to 1) | 2 |" in tables.time(
        uneven
    )  # the first map's warming up is in the mean alone
    halves = np.arange(len(uneven.rows)) % 2 == 0
    even = dataclasses.replace(uneven, rows=uneven.rows.assign(seconds=np.where(halves, 3.0, 1.0)))
    assert "| sise | 2 (1 to 3) | 2 |" in tables.time(even)


def test_the_first_map_decides_nothing_of_the_order_by_time(data: Manifest) -> None:
    seconds = {"grad_cam": 0.1, "sise": 9.0, "rise": 26.0}
    made = evaluated(data, {name: {"seconds": one} for name, one in seconds.items()})
    first = (made.rows["method"] == "grad_cam") & (made.rows["patch"] == names(data)[0])
    made.rows.loc[first, "seconds"] = 1000.0
    assert "Time, by the median: of the 3 of" in (said := " ".join(findings(made, [])))
    assert "grad_cam is the fastest and rise the slowest" in said


def test_time_of_some_methods_is_held_against_these_and_against_the_whole_of_table_7(data: Manifest) -> None:
    seconds = {"sise": 1.0, "rise": 2.0, "full_grad": 3.0}
    made = evaluated(data, {name: {"seconds": one} for name, one in seconds.items()})
    said = " ".join(findings(made, []))
    assert (
        "of the 3 of the paper's 8 methods that were run sise is the fastest and full_grad the slowest"
        in said
    )
    assert (
        "in the paper, with ResNet-50, sise and full_grad; of all 8 in its table grad_cam and extremal_perturbation"
        in said
    )
    vgg = " ".join(findings(dataclasses.replace(made, architecture="vgg16"), []))
    assert (
        "in the paper, with VGG16, sise and rise; of all 8 in its table grad_cam and grad_cam_plus_plus"
        in vgg
    )


def test_some_of_the_papers_methods_have_their_places_in_its_whole_table(data: Manifest) -> None:
    figures = {"energy_pointing": 0.6, "top_iou": 0.3}, {"energy_pointing": 0.5, "top_iou": 0.2}
    blind = {name: {"top_iou": 0.1} for name in CONTROLS}
    made = evaluated(data, dict(zip(("sise", "grad_cam"), figures, strict=True)) | blind)
    metrics = metrics_of("voc2007", "vgg16")
    said = " ".join(what_they_say(summarise(made.main, metrics, 0, unit="patch", group="strip"), "of this"))
    assert (
        "EBPG %: best of the 2 of the paper's 8 methods that were run is sise here, sise in the paper, where the first of "
        "all 8 is extremal_perturbation. Here: sise, grad_cam; there: sise, grad_cam." in said
    )
    assert (
        "EBPG %: SISE is number 1 of 2 here, 1 of 2 in the paper, 2 of 8 in its whole table." in said
    )  # 60.54 beside 61.19
    assert "the first of all 8 is grad_cam_plus_plus" in said  # mIoU 28.1
    assert "mIoU %: SISE is number 1 of 2 here, 1 of 2 in the paper, 2 of 8 in its whole table." in said


def test_the_papers_figures_are_counted_where_they_lie_inside_our_intervals(data: Manifest) -> None:
    made = evaluated(data, {"sise": {}, "rise": {}, "full_grad": {"drop": 0.7723}})
    halves = np.arange(len(made.rows)) % 2 == 0
    varied = made.rows["method"].isin(["sise", "rise"])
    made.rows.loc[varied, "drop"] = np.where(halves, 0.5, 0.7)[varied]  # 60, the interval about 56 to 64
    said = " ".join(findings(made, figures_of(made.main, 0)))
    assert (
        "Drop %: the paper's figure lies inside our interval for 2 of 2 methods (the paper's are of resnet101 on the full "
        "Severstal data, ours of resnet18 on the data below)." in said
    )  # 61.06 and 63.25; FullGrad's 77.23 has no width here
    lower = dataclasses.replace(made, rows=made.rows.assign(drop=made.rows["drop"] - 0.3 * varied))
    said = " ".join(findings(lower, figures_of(lower.main, 0)))
    assert (
        "Drop %: the paper's figure lies inside our interval for 0 of 2 methods, outside for rise, sise ("
        in said
    )


def test_a_tie_with_the_controls_is_called_one(data: Manifest) -> None:
    def said(values: Mapping[str, Mapping[str, float]]) -> str:
        return " ".join(findings(made := evaluated(data, values), figures_of(made.main, 0)))

    alike = said({"sise": {}, "grad_cam": {}})
    assert "Drop %: all methods and all controls come to 50.00: it tells none from another here." in alike
    assert "no method is shown" not in alike
    some = said({"sise": {}, "grad_cam": {"drop": 0.6}, "edges": {"drop": 0.9}})
    controls = [name for name in CONTROLS if name != "edges"]
    best = f"{controls[0]} (50.00, as {' and '.join(controls[1:])})"
    assert f"Drop %: no method is shown to beat the best control, {best}. sise comes to the same." in some
    better = said({"sise": {"drop": 0.2}, "grad_cam": {"drop": 0.6}})
    assert "(50.00, as " in better
    assert ": grad_cam." in better


def test_runs_of_several_seeds_are_told_apart_and_their_mean_stands_in_the_tables(data: Manifest) -> None:
    made = evaluated(
        data, {"rise": {"drop": 0.2}, "rise_seed_1": {"drop": 0.3}, "rise_seed_2": {"drop": 0.7}}
    )
    low = made.rows["patch"].isin(names(data)[:10])
    made.rows.loc[(made.rows["method"] == "rise_seed_2") & low, "drop"] = 0.5
    made.rows.loc[(made.rows["method"] == "rise_seed_2") & ~low, "drop"] = 0.9
    told = tables.seeds(made.rows, 0)
    for name, mean in (("rise", 20), ("rise_seed_1", 30)):
        assert f"| {name} | {mean:.2f} ({mean:.1f} to {mean:.1f}) |" in told
    ((below, above),) = re.findall(r"\| rise_seed_2 \| 70\.00 \(([\d.]+) to ([\d.]+)\) \|", told)
    assert 55 < float(below) < 65  # 70 less twice 20 / sqrt(20)
    assert 75 < float(above) < 85
    assert "random" not in told
    assert "| rise | 40.00 (" in tables.against_the_model(figures_of(made.main, 0))
    assert not tables.seeds(evaluated(data, {"sise": {}}).rows, 0)


def data_of(data: Manifest, counts: Mapping[int, tuple[int, int]]) -> Manifest:
    """The same data with so many patches of each class for training and for the test."""
    patches = [
        one
        for label, both in counts.items()
        for split, count in zip((Split.TRAIN, Split.TEST), both, strict=True)
        for one in [dataclasses.replace(data.patches[0], label=label, split=split)] * count
    ]
    return dataclasses.replace(data, patches=tuple(patches))


def test_counts_are_held_against_table_3(data: Manifest) -> None:
    made = evaluated(data, {"sise": {}})
    papers = dataclasses.replace(made, manifest=data_of(data, TABLE_3))
    assert "All counts are the paper's." in tables.the_data(papers)
    by_strip = {label: (training - 7, test + 7) for label, (training, test) in TABLE_3.items()}
    told = tables.the_data(dataclasses.replace(made, manifest=data_of(data, by_strip)))
    assert "as many patches as the paper's, split otherwise: 0 of the 10 counts are the paper's." in told
    fewer = TABLE_3 | {3: (TABLE_3[3][0] - 1, TABLE_3[3][1])}
    told = tables.the_data(dataclasses.replace(made, manifest=data_of(data, fewer)))
    assert "9 of the 10 counts are the paper's, and of the 5 classes 4 have as many patches" in told


def test_the_made_data_has_none_of_table_3s_counts(data: Manifest) -> None:
    told = tables.the_data(evaluated(data, {"sise": {}}))
    assert (
        "0 of the 10 counts are the paper's, and of the 5 classes 0 have as many patches as the paper's"
        in told
    )
    assert "this is other data, or cut by other rules." in told
    assert f"| 3 scratches and scabs | 3 | 1 | {TABLE_3[3][0]:,} | {TABLE_3[3][1]:,} |" in told


def test_answers_have_intervals_and_those_that_the_paper_is_outside_of_are_named(data: Manifest) -> None:
    answers = [
        Answer(patch.patch, patch.label, 0 if patch.label == 1 else patch.label, 0.9)
        for patch in data.patches
    ]
    told = tables.the_model(evaluated(data, {"sise": {}}, {ANSWERS: answers}))
    assert (
        "their intervals, the wider of the bootstrap's over strips and the exact one of Clopper and Pearson"
        in told
    )
    # four of four: the exact interval of none is 0 to 1 - 0.025^(1/4)
    end = 1 - 0.025**0.25
    assert f"100.0% ({1 - end:.1%} to 100.0%) [{TABLE_5[1][0]:.1%}]" in told
    assert f"0.0% (0.0% to {end:.1%}) [{TABLE_5[1][1]:.1%}]" in told
    outside = re.findall(r"outside: (.*?)\.\n", told)[0]
    assert outside.split(", ") == ["1 answered 0"]
    assert "Of the paper's 25 shares\n24 lie inside" in told


def test_top_1_is_held_against_the_papers_of_a_whole_test_split_alone(data: Manifest) -> None:
    asked = [Answer(patch.patch, patch.label, patch.label, 0.9) for patch in data.of_split(Split.TEST)]
    whole = tables.the_model(evaluated(data, {"sise": {}}, {ANSWERS: asked}))
    assert f"asked about the whole test split ({len(asked)} patches)" in whole
    assert "in the paper 86.58%, which lies inside the interval." in whole
    drawn = tables.the_model(evaluated(data, {"sise": {}}, {ANSWERS: asked[:-1]}))
    assert (
        f"asked about {len(asked) - 1} of the {len(asked)} patches of the test split, drawn by class" in drawn
    )
    assert "It is not held against the paper's 86.58%: it hangs on the mix of the classes" in drawn
    assert "86.58%, which lies" not in drawn
    others = [Answer(one.patch, one.label, one.label, 0.9) for one in data.of_split(Split.TRAIN)]
    made = evaluated(data, {"sise": {}}, {ANSWERS: others})
    trained = tables.the_model(dataclasses.replace(made, split=Split.TRAIN))
    assert "It is not held against the paper's 86.58%, which is of a test split." in trained


def test_maps_of_zeros_are_counted_below_the_tables(data: Manifest) -> None:
    made = evaluated(data, {"sise": {"empty": True}, "rise": {}})
    figures = figures_of(made.main, 0)
    assert figures[0].nothing == {"sise": len(data.patches)}
    assert (
        f"Maps of zeros, which found nothing, are among these: sise {len(data.patches)}."
        in tables.metrics_table(figures)
    )
    told = right_reason(made, groups_of(made.main, "sise"))
    assert re.search(rf"\| all (\| 0 \([^|]*\) ){{4}}\| {len(data.patches)} \(", told)
    assert "Maps of zeros" not in tables.metrics_table(figures_of(evaluated(data, {"sise": {}}).main, 0))


def test_right_reasons_are_counted_beside_a_map_that_sees_the_steel(data: Manifest) -> None:
    made = evaluated(
        data, {"sise": {"energy_pointing": 0.4}, "edges": {"energy_pointing": 0.05}, "random": {}}, right=5
    )
    told = right_reason(made, groups_of(made.main, "sise"))
    assert re.search(r"\| all \| 5 \([^|]*\) \| 0 \([^|]*\) \| 15 \([^|]*\) \| 0 \(", told)
    end = 1 - 0.025 ** (1 / 20)  # of the exact interval of none of twenty
    assert (
        f"By sise the evidence lies on the defect on 20 of 20 patches ({1 - end:.0%} to 100%); by edges, a map"
        in told
    )
    assert (
        f"that sees the steel and nothing of the model, it would on 0 of 20 patches (0% to {end:.0%})."
        in told
    )
    assert "of their share of the class, the wider of the bootstrap's over strips and the exact one" in told
    assert "Right, but farthest from the defect: none." in told
    assert "Wrong, and farthest from the defect: none." in told
    wrong = made.rows["patch"] == names(data)[-1]
    made = dataclasses.replace(made, rows=made.rows.assign(whole=np.where(wrong, 0.1, 0.5)))
    again = right_reason(made, groups_of(made.main, "sise"))
    assert (
        f"Wrong, though on the defect, the least likely first: {names(data)[-1]} (class 4, 0.10; 40.0%"
        in again
    )
    elsewhere = evaluated(data, {"sise": {"energy_pointing": 0.01}}, right=2)
    named = right_reason(elsewhere, groups_of(elsewhere.main, "sise"))
    assert f"Wrong, and farthest from the defect: {names(data)[2]} (class 0, 0.50; 1.0%" in named
    for name in names(data)[:2]:
        assert f"{name} (class 0, 0.50; 1.0% of the energy on the defect, 10.0% of a blind map's)" in named


def painted(data: Manifest, defect: float, elsewhere: float) -> list[Counterfactual]:
    return [Counterfactual(name, 1, 0.1, 0.9, 0.9 - defect, 0.9 - elsewhere) for name in names(data)]


@pytest.mark.parametrize(
    ("defect", "elsewhere", "verdict"),
    [
        (0.5, 0.1, "yes"),
        (0.1, 0.5, "no, as much elsewhere costs more"),
        (0.2, 0.2, "not shown"),
    ],
)
def test_whether_an_answer_hangs_on_the_defect_is_said(
    data: Manifest, defect: float, elsewhere: float, verdict: str
) -> None:
    told = the_counterfactual(
        evaluated(data, {"sise": {}}, {COUNTERFACTUAL: painted(data, defect, elsewhere)})
    )
    assert f"Does the answer hang on the defect? 1 pitting: {verdict}; all: {verdict}." in told
    few = painted(data, defect, elsewhere)[:4]
    told = the_counterfactual(evaluated(data, {"sise": {}}, {COUNTERFACTUAL: few}))
    assert "all: too few strips to tell." in told


def test_patches_that_cannot_be_painted_are_counted_and_nothing_is_said_where_there_are_none(
    data: Manifest,
) -> None:
    whole = painted(data, 0.5, 0.1)
    assert "Left out" not in the_counterfactual(evaluated(data, {"sise": {}}, {COUNTERFACTUAL: whole}))
    large = dataclasses.replace(whole[0], painted=None, elsewhere=None)
    no_room = [dataclasses.replace(one, elsewhere=None) for one in whole[1:3]]
    told = the_counterfactual(evaluated(data, {"sise": {}}, {COUNTERFACTUAL: [large, *whole[1:]]}))
    assert re.search(
        r"Left out of 20 patches: 1 patch because the defect covers more than \d+% of it\.", told
    )
    told = the_counterfactual(evaluated(data, {"sise": {}}, {COUNTERFACTUAL: [whole[0], *no_room]}))
    assert (
        "Left out of 3 patches: 2 patches because the rest of the patch has no room for the same shape."
        in told
    )


def test_suspected_label_errors_are_listed_the_surest_first(data: Manifest) -> None:
    name, other, third = names(data)[:3]
    answers = [
        Answer(name, 0, 3, 0.91, energy=0.8, overlap=0.0, dark=0.0, box=[1, 2, 11, 22]),
        Answer(other, 2, 3, 0.99, energy=0.8, overlap=0.05, dark=0.0, box=[0, 0, 5, 5]),
        Answer(third, 3, 3, 0.95, energy=0.8, overlap=0.5, dark=0.0, box=[0, 0, 5, 5]),
        *(Answer(one, 0, 0, 0.99) for one in names(data)[3:]),
    ]
    told = suspects(evaluated(data, {"sise": {}}, {SUSPECTS: answers}))
    assert "Of 20 patches the model calls 3 a defect" in told
    listed = [line for line in told.splitlines() if line.startswith("| strip")]
    assert [line.split(" | ")[0].removeprefix("| ") for line in listed] == [other, name]
    assert "| 80% | 0% | 1 to 10, 2 to 21 | marked sound: a defect overlooked? |" in listed[1]
    assert "- 1: marked as another class" in told


@pytest.mark.parametrize(
    ("alike", "verdict"),
    [
        (0.9, "more alike than the maps of different patches: a part of them may show the image"),
        (0.0, "not shown to be more alike than the maps of different patches are: not shown to fail"),
    ],
)
def test_the_sanity_check_ends_in_a_verdict(data: Manifest, alike: float, verdict: str) -> None:
    chance = np.random.default_rng(0)
    originals = list(chance.random((5, 32, 32)).astype(np.float32))
    records = [Cascade(name, 1, ["fc", "conv1"], [0.99, alike], [0.9, 0.1]) for name in names(data)[:5]]
    told = sanity(evaluated(data, {"sise": {}}, {f"{CASCADE}sise": records}), {"sise": originals})
    fc, conv1 = (
        "0.99 (0.99 to 0.99) / 0.90 (0.90 to 0.90)",
        f"{alike:.2f} ({alike:.2f} to {alike:.2f}) / 0.10 (0.10 to 0.10)",
    )
    assert f"| sise | {fc} | {conv1} |" in told
    assert "means over 5 patches with their intervals" in told
    assert verdict in told
    few = {f"{CASCADE}sise": records[:4]}
    assert "too few patches to tell" in sanity(evaluated(data, {"sise": {}}, few), {"sise": originals[:4]})
