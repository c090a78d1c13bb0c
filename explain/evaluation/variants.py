r"""One method several times: SISE at other thresholds $\mu$ (the paper's Table 6), and lots drawn with other seeds.

A variant's rows have a name of their own, `sise_mu_0.3` or `rise_seed_1`. What a method that draws lots comes to is the mean over
its seeds, as in the paper, which averages three runs.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from explain.explainer import Explainer
from explain.methods.extremal_perturbation import ExtremalPerturbation
from explain.methods.rise import RISE
from explain.methods.sise import SISE
from severstal_xai.errors import InputError

_SEED, _MU = "_seed_", "_mu_"


def variants_of(
    explainers: Mapping[str, Explainer], mus: Sequence[float], seeds: int
) -> dict[str, Explainer]:
    r"""Return the methods and their variants by name, each method's after it.

    Args:
        explainers: The methods.
        mus: $\mu$ at which SISE is evaluated, if it is among them.
        seeds: How often methods that draw lots are evaluated.

    Example:
        >>> list(variants_of({"sise": SISE(), "rise": RISE()}, mus=[0.0, 0.3], seeds=2))
        ['sise', 'sise_mu_0.3', 'rise', 'rise_seed_1']
    """
    found: dict[str, Explainer] = {}
    for name, explainer in explainers.items():
        found[name] = explainer
        if isinstance(explainer, SISE):
            others = [mu for mu in mus if mu != explainer.mu]
            found |= {f"{name}{_MU}{mu:g}": dataclasses.replace(explainer, mu=mu) for mu in others}
        if isinstance(explainer, RISE | ExtremalPerturbation):
            found |= {
                f"{name}{_SEED}{seed}": dataclasses.replace(explainer, seed=seed) for seed in range(1, seeds)
            }
    return found


def check_told_apart(mus: Sequence[float], own: float) -> None:
    r"""Refuse thresholds that are not equal, but whose rows and folders would have one name.

    Args:
        mus: $\mu$ at which SISE is evaluated besides.
        own: Its own.

    Example:
        >>> check_told_apart([0.3, 0.3000000001], own=0.0)
        Traceback (most recent call last):
            ...
        severstal_xai.errors.InputError: mus 0.3 and 0.3000000001, expected thresholds that differ in their first six digits
    """
    by_name: dict[str, float] = {}
    for mu in [own, *mus]:
        first = by_name.setdefault(f"{mu:g}", mu)
        if first != mu:
            raise InputError(
                f"mus {first!r} and {mu!r}, expected thresholds that differ in their first six digits"
            )


def is_variant(name: str) -> bool:
    """Whether a name is a variant's and not the method's own."""
    return _SEED in name or _MU in name


def over_seeds(rows: pd.DataFrame, unit: str = "patch") -> pd.DataFrame:
    """Return a row for each unit and method: seeds averaged, SISE at its own threshold only.

    Args:
        rows: `explain.evaluation.rows.Row`s.
        unit: The column that names what each method was asked about.
    """
    kept = rows[~rows["method"].str.contains(_MU, regex=False)]
    kept = kept.assign(method=kept["method"].str.partition(_SEED)[0])
    if not kept.duplicated([unit, "method"]).any():
        return kept
    numbers = kept.select_dtypes("number").columns.difference(["label", "prediction"])
    how = {
        column: "mean" if column in numbers else "all" if column == "empty" else "first"
        for column in kept
        if column not in {unit, "method"}
    }
    averaged = kept.groupby(["method", unit], sort=False, as_index=False).agg(how)
    return averaged[list(kept)]


def seeds_of(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Return the names of the rows of each method that was evaluated with several seeds."""
    names = list(dict.fromkeys(rows["method"]))
    families = {name.partition(_SEED)[0]: [] for name in names if _SEED in name}  # type: dict[str, list[str]]
    for name in names:
        if name.partition(_SEED)[0] in families:
            families[name.partition(_SEED)[0]].append(name)
    return families


def thresholds_of(rows: pd.DataFrame, own: float) -> dict[float, str]:
    r"""Return the names of SISE's rows by its $\mu$, ascending; nothing where it was evaluated at one alone.

    Args:
        rows: `explain.evaluation.rows.Row`s.
        own: $\mu$ of the rows that are called `sise`.
    """
    names = [name for name in dict.fromkeys(rows["method"]) if name.startswith(f"sise{_MU}")]
    if not names:
        return {}
    return dict(sorted([(own, "sise"), *((float(name.removeprefix(f"sise{_MU}")), name) for name in names)]))
