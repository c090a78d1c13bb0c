"""The report's sections on the model's reasons: does it look at the defect, hang on it, and on what it learnt?"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from explain.evaluation.answers import Answer
from explain.evaluation.cascade import Cascade
from explain.evaluation.controls import CONTROLS
from explain.evaluation.counterfactual import LARGEST, MARGIN, Counterfactual
from explain.evaluation.evidence import BLIND, Group, count_groups, groups_of
from explain.evaluation.studies import CASCADE, COUNTERFACTUAL, SUSPECTS, worst_first
from explain.evaluation.summary import Evaluated, lots_of, mean_of
from explain.metrics.sanity import similarity
from explain.words import patches_in_words
from severstal_xai.bootstrap import (
    FEWEST_STRIPS,
    RESAMPLES,
    SHARE_INTERVAL,
    Measure,
    Weights,
    rate,
    resample,
)
from severstal_xai.classes import CLASSES
from severstal_xai.markdown import table

_WORST, _WORST_WRONG = 10, 3
"""Patches that are named as the worst cases: those that are answered rightly, and of each group of the others."""
_LISTED = 30
"""Suspected label errors that the report lists; all are in the table of suspects."""


def right_reason(evaluated: Evaluated, groups: pd.DataFrame) -> str:
    """Tell for each class how often the model is right, and how often it looks at the defect, by the first method."""
    if groups.empty:
        return ""
    counts = count_groups(groups, evaluated.seed)
    rows = [
        [
            _class(label),
            *(
                f"{one.patches} ({one.share.low:.0%} to {one.share.high:.0%})"
                for one in counts
                if one.label == label
            ),
        ]
        for label in dict.fromkeys(one.label for one in counts)
    ]
    worst = "\n".join(
        f"- {said}: {_named(worst_first(groups, group).head(count))}."
        for group, said, count in (
            (Group.RIGHT_ELSEWHERE, "Right, but farthest from the defect", _WORST),
            (Group.WRONG_ELSEWHERE, "Wrong, and farthest from the defect", _WORST_WRONG),
            (Group.WRONG_ON_DEFECT, "Wrong, though on the defect, the least likely first", _WORST_WRONG),
        )
    )
    beside = " ".join(_beside(evaluated, name) for name in CONTROLS if name not in BLIND)
    return f"""## Right for the right reason

Where the evidence for the patch's class lies, by {evaluated.first_method}: on the defect where more of the map's energy is inside the mask than of the random
map's and the bell's on the same patch; a map of zeros found nothing, and is in none of the four groups. Patches,
and the 95 % interval of their share of the class, {SHARE_INTERVAL}.

{table(["class", *(str(group) for group in Group)], rows)}

{beside}

{worst}

All patches by their group are in `evidence.csv`."""


def _named(worst: pd.DataFrame) -> str:
    """Name patches with the probability of their class, and where the evidence lies."""
    return (
        "; ".join(
            f"{one.patch} (class {one.label}, {one.whole:.2f}; {one.energy_pointing:.1%} of the energy on the defect, "
            f"{one.threshold:.1%} of a blind map's)"
            for one in worst.itertuples()
        )
        or "none"
    )


def _beside(evaluated: Evaluated, control: str) -> str:
    """Say how often the evidence would be called on the defect by a map that knows the image, and not the model."""

    def on_the_defect(name: str) -> str:
        groups = groups_of(evaluated.main, name)
        on = groups["group"].isin([Group.RIGHT_ON_DEFECT, Group.WRONG_ON_DEFECT]).to_numpy(dtype=bool)
        share = rate(
            on, np.ones(len(on), dtype=bool), resample(list(groups["strip"]), RESAMPLES, evaluated.seed)
        )
        return f"{on.sum()} of {patches_in_words(len(on))} ({share.low:.0%} to {share.high:.0%})"

    return (
        f"By {evaluated.first_method} the evidence lies on the defect on {on_the_defect(evaluated.first_method)}; by {control}, a map that "
        f"sees the steel and nothing of the model, it would on {on_the_defect(control)}."
    )


def _class(label: int | None) -> str:
    return "all" if label is None else f"{label} {CLASSES[label].name}"


def the_counterfactual(evaluated: Evaluated) -> str:
    """Tell what becomes of the answer when the defect is painted over; nothing where nobody asked."""
    records: tuple[Counterfactual, ...] = evaluated.studies.get(COUNTERFACTUAL, ())
    whole = [one for one in records if one.painted is not None and one.elsewhere is not None]
    if not records:
        return ""
    large = sum(one.painted is None for one in records)
    no_room = len(records) - large - len(whole)
    reasons = [
        f"{patches_in_words(count)} because {why}"
        for count, why in (
            (large, f"the defect covers more than {LARGEST:.0%} of it"),
            (no_room, "the rest of the patch has no room for the same shape"),
        )
        if count
    ]
    left_out = f" Left out of {patches_in_words(len(records))}: {', '.join(reasons)}." * bool(reasons)
    begin = f"""## The defect painted over

A counterfactual, without any map: the defect, with {MARGIN} pixels around it, takes on the grey values of its surroundings; beside it the same shape
is painted elsewhere on the patch. Means of the probability of the patch's own class.{left_out}"""
    if not whole:
        return begin
    values = np.array([[one.whole, one.painted, one.elsewhere] for one in whole], dtype=float)
    labels = np.array([one.label for one in whole])
    strips = evaluated.strips([one.patch for one in whole])
    lots = lots_of(strips, evaluated.seed)
    rows, verdicts = [], []
    for label in [*sorted(set(labels.tolist())), None]:
        among = np.ones(len(labels), dtype=bool) if label is None else labels == label
        own = np.where(among[:, None], values, np.nan)
        effect, control = own[:, 0] - own[:, 1], own[:, 0] - own[:, 2]
        measured = [mean_of(some, lots) for some in (effect, control, effect - control)]
        means = np.nanmean(own, axis=0)
        rows.append(
            [_class(label), int(among.sum()), *(f"{mean:.3f}" for mean in means), *map(_signed, measured)]
        )
        several = len({strip for strip, one in zip(strips, among, strict=True) if one}) >= FEWEST_STRIPS
        verdicts.append(f"{_class(label)}: {_hangs(measured[2]) if several else 'too few strips to tell'}")
    header = [
        *("class", "patches", "as it is", "defect painted", "elsewhere painted"),
        *("lost with the defect", "lost elsewhere", "difference"),
    ]
    return f"""{begin}

{table(header, rows)}

Does the answer hang on the defect? {"; ".join(verdicts)}.

![Patches painted over](counterfactual.png)"""


def _signed(measure: Measure) -> str:
    return f"{measure.value:+.3f} ({measure.low:+.3f} to {measure.high:+.3f})"


def _hangs(difference: Measure) -> str:
    if difference.low > 0:
        return "yes"
    return "no, as much elsewhere costs more" if difference.high < 0 else "not shown"


def suspects(evaluated: Evaluated) -> str:
    """List the suspected label errors; nothing where nobody asked."""
    answers: tuple[Answer, ...] = evaluated.studies.get(SUSPECTS, ())
    if not answers or evaluated.sure is None:
        return ""
    looked_at = sum(one.energy is not None for one in answers)
    found = suspected(answers)
    begin = f"""## Suspected label errors

Of {patches_in_words(len(answers))} the model calls {looked_at:,} a defect with a probability of {evaluated.sure:g} or more. Suspected are those whose evidence, by
{evaluated.first_method}, is one region that holds at least half of the map's energy and of which at most a tenth lies on the marked defect. A person
decides: the model may as well be sure for a wrong reason."""
    if not found:
        return f"{begin}\n\nNone."
    counts = Counter(one.suspected for one in found)
    rows = [
        [
            one.patch,
            _class(one.label),
            _class(one.prediction),
            f"{one.probability:.3f}",
            f"{one.energy:.0%}",
            f"{one.overlap:.0%}",
            _place(one.box),
            str(one.suspected),
        ]
        for one in found[:_LISTED]
    ]
    header = [
        *("patch", "marked", "answer", "probability", "energy in the region", "of it on the mask"),
        *("rows, columns", "suspicion"),
    ]
    more = f"\n\n{len(found) - _LISTED} more are in `suspects.parquet`." if len(found) > _LISTED else ""
    kinds = "\n".join(f"- {count}: {kind}" for kind, count in counts.items())
    return f"""{begin}

{kinds}

{table(header, rows)}{more}

![Suspected label errors](suspects.png)"""


def suspected(answers: Sequence[Answer]) -> list[Answer]:
    """Return the suspected label errors, the surest answers first."""
    return sorted((one for one in answers if one.suspected), key=lambda one: (-one.probability, one.patch))


def _place(box: Sequence[int] | None) -> str:
    if box is None:
        return ""
    top, left, bottom, right = box
    return f"{top} to {bottom - 1}, {left} to {right - 1}"


def cascades(evaluated: Evaluated) -> list[tuple[str, tuple[Cascade, ...]]]:
    """Return the sanity check's records by the method's name; a method without any is left out."""
    return [
        (name.removeprefix(CASCADE), records)
        for name, records in evaluated.studies.items()
        if name.startswith(CASCADE) and records
    ]


def sanity(evaluated: Evaluated, originals: dict[str, list[np.ndarray]]) -> str:
    """Tell how the maps change with the network's parameters.

    Args:
        evaluated: What was found.
        originals: The trained network's maps of several patches, by the method's name.
    """
    known = cascades(evaluated)
    if not known:
        return ""
    lines, verdicts, pictures = [], [], []
    for name, records in known:
        by_step = np.array([one.spearman for one in records])
        alike = np.array([one.ssim for one in records])
        lots = lots_of(evaluated.strips([one.patch for one in records]), evaluated.seed)
        lines.append(
            [
                name,
                *(
                    f"{_with_ends(mean_of(step, lots))} / {_with_ends(mean_of(other, lots))}"
                    for step, other in zip(by_step.T, alike.T, strict=True)
                ),
            ]
        )
        verdicts.append(_depends(name, by_step[:, -1], lots, originals[name]))
        pictures.append(f"![Maps by {name}](cascade_{name}.png)")
    header = [
        "method",
        *(f"and {part}" if place else part for place, part in enumerate(known[0][1][0].parts)),
    ]
    return f"""## Sanity check

The paper's Fig. 11 and 13 (Adebayo et al. 2018): from the output to the image, ever more of the network's parameters are those of an untrained
one; the last column is the untrained network. How alike the map is to the trained network's, by rank correlation / structural similarity,
means over {patches_in_words(len(known[0][1]))} with their intervals. A method that shows what the network learnt must fall; one that shows the image stays. In the paper,
on photographs, SISE's maps alter as more becomes random, and it passes.

{table(header, lines)}

{" ".join(verdicts)}

{" ".join(pictures)}

![How alike the maps stay](sanity.png)"""


def _with_ends(measure: Measure) -> str:
    return f"{measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f})"


def _depends(
    name: str, untrained: Float[np.ndarray, " patches"], lots: Weights, originals: Sequence[np.ndarray]
) -> str:
    """Say whether the untrained network's maps are more like the trained one's than other patches' maps are."""
    found = mean_of(untrained, lots)
    said = f"{name}: {_with_ends(found)} at the end"
    pairs = [
        similarity(torch.from_numpy(one), torch.from_numpy(other)).spearman
        for one, other in combinations(originals, 2)
    ]
    if not pairs:
        return f"{said}."
    chance = float(np.mean(pairs))
    if len(untrained) < FEWEST_STRIPS:
        verdict = "too few patches to tell"
    elif found.low <= chance:
        verdict = "not shown to be more alike than the maps of different patches are: not shown to fail"
    else:
        verdict = "more alike than the maps of different patches: a part of them may show the image, not what was learnt"
    return f"{said}, the trained network's maps of different patches {chance:.2f}; {verdict}."
