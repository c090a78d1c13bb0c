"""`python -m training`: train a classifier on a data folder and score it."""

from tqdm import tqdm

from severstal_xai.command import CONFIGS, DONE, parse_settings, run
from training.fit import fit
from training.settings import Settings


def main() -> int:
    """Run the command and return its exit status."""
    settings = parse_settings(
        Settings,
        command="python -m training",
        description="Train a classifier on a data folder of python -m data_prep, and score it on the test split.",
        defaults=CONFIGS / "training.yaml",
    )
    finished = fit(settings, tqdm.write)
    if not finished:
        return DONE  # another process leads, and tells
    test = finished.test
    print(
        f"Test split, {test.count} patches: top-1 {test.top1:.2%}, top-3 {test.top3:.2%} (paper: 86.58%, 99.60%)"
    )
    costs = finished.operating_point.costs
    print(
        f"Thresholds for misses at {list(costs.miss)} and false alarms at {list(costs.alarm)}, classes 1 to 4; "
        "python -m training.operating_point sets others"
    )
    print(f"The run lies in {settings.output}; begin with {settings.output / 'README.md'}")
    return DONE


if __name__ == "__main__":
    run(main)
