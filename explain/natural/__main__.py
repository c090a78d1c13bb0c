"""The command `python -m explain.natural`: the paper's Tables 1 and 4."""

from collections.abc import Sequence

from explain.natural.evaluate import evaluate_natural
from explain.natural.settings import Settings
from explain.words import counted
from severstal_xai.command import CONFIGS, DONE, parse_settings, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and say where the report lies."""
    settings = parse_settings(
        Settings,
        command="python -m explain.natural",
        description="The paper's metrics on natural images, PASCAL VOC 2007 or MS COCO 2014, with TorchRay's networks.",
        defaults=CONFIGS / "natural.yaml",
        arguments=arguments,
    )
    evaluated = evaluate_natural(settings)
    if evaluated:
        folder, rows = settings.folder(), evaluated.rows
        listed = f", {len(evaluated.rejects)} listed in {folder / 'rejected.csv'}" * bool(evaluated.rejects)
        print(
            f"{folder}: {counted(rows['pair'].nunique(), 'pair')} of {counted(rows['image'].nunique(), 'image')}{listed}; "
            f"begin with {folder / 'report.html'}"
        )
    return DONE


if __name__ == "__main__":
    run(main)
