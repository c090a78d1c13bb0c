"""The Gaussian process, against the textbook's formulas with plain inverses."""

import math

import pytest
import torch
from torch import Tensor

from explain.surrogate import Posterior, predict, squared_distances


@pytest.fixture
def points() -> Tensor:
    return torch.rand(40, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


MEASURED = torch.arange(0, 40, 3)


def kernel(first: Tensor, second: Tensor, length: float, unit: float) -> Tensor:
    distances = torch.stack([(one - second).square().sum(dim=1) for one in first])
    return torch.exp(-distances / unit / (2 * length))


def slow(points: Tensor, values: Tensor) -> tuple[float, Tensor, Tensor]:
    """Rasmussen and Williams, Eq. 2.23, 2.24 and 2.30, by inverses; the likeliest of all lengths and noises."""
    known, count = points[MEASURED], len(MEASURED)
    pairs = [
        float((known[i] - known[j]).square().sum()) for i in range(count) for j in range(count) if i != j
    ]
    unit = sorted(pairs)[(len(pairs) - 1) // 2]
    centred = values - values.mean()
    found = []
    for length in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0):
        for noise in (1e-3, 1e-2, 0.1, 0.5):
            among = kernel(known, known, length, unit) + noise * torch.eye(count, dtype=torch.float64)
            scale = float(centred @ among.inverse() @ centred) / count
            likelihood = -0.5 * (count * math.log(scale) + float(among.logdet()))
            across = kernel(points, known, length, unit)
            mean = values.mean() + across @ among.inverse() @ centred
            variance = scale * (1 + noise - (across @ among.inverse() * across).sum(dim=1))
            found.append((likelihood, mean, variance))
    return max(found, key=lambda one: one[0])


def of_points(points: Tensor, measured: Tensor, confidences: Tensor) -> Posterior:
    return predict(squared_distances(points, points), measured, confidences)


@pytest.mark.parametrize("rough", [False, True])
def test_mean_and_deviation_are_the_textbooks(points: Tensor, rough: bool) -> None:
    smooth = points.sum(dim=1).sin()
    values = (torch.rand(40, generator=torch.Generator().manual_seed(1)).double() if rough else smooth)[
        MEASURED
    ]
    _, mean, variance = slow(points, values)
    posterior = of_points(points, MEASURED, values)
    torch.testing.assert_close(posterior.mean, mean, atol=1e-7, rtol=0)
    torch.testing.assert_close(posterior.deviation.square(), variance, atol=1e-5, rtol=1e-3)


def test_a_smooth_confidence_is_predicted_and_a_rough_one_known_not_to_be() -> None:
    plane = torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    smooth = plane.sum(dim=1).sin()
    rough = torch.rand(200, generator=torch.Generator().manual_seed(1)).double()
    measured = torch.arange(0, 200, 5)
    known, unknown = (of_points(plane, measured, values[measured]) for values in (smooth, rough))
    assert (known.mean - smooth).square().mean().sqrt() < 0.05 * smooth.std()
    assert unknown.deviation.mean() > 0.5 * rough.std()


def test_draws_have_the_posteriors_mean_and_deviation(points: Tensor) -> None:
    posterior = of_points(points, MEASURED, points.sum(dim=1).sin()[MEASURED])
    draws = posterior.draw(4000, torch.Generator().manual_seed(0))
    # of 4,000 draws the mean is off by sigma / 63 and the deviation by 1.1 %, each standard: five times that is allowed
    assert ((draws.mean(dim=0) - posterior.mean).abs() <= 5 * posterior.deviation / math.sqrt(4000)).all()
    torch.testing.assert_close(draws.std(dim=0), posterior.deviation, rtol=0.06, atol=0)


def test_predicting_leaves_the_distances_as_they_were(points: Tensor) -> None:
    distances = squared_distances(points, points)
    kept = distances.clone()
    predict(distances, MEASURED, points.sum(dim=1)[MEASURED])
    assert torch.equal(distances, kept)


def test_equal_confidences_and_equal_points_are_no_trouble(points: Tensor) -> None:
    for some in (points, torch.ones_like(points)):
        posterior = of_points(some, MEASURED, torch.full((len(MEASURED),), 0.3, dtype=torch.float64))
        torch.testing.assert_close(posterior.mean, torch.full((40,), 0.3, dtype=torch.float64))
        assert posterior.draw(2, torch.Generator().manual_seed(0)).isfinite().all()
        kept = posterior.spread[posterior.spread != 0].abs()
        assert (kept > torch.finfo(torch.float64).tiny).all(), (
            "below that a processor takes a hundred times as long"
        )
