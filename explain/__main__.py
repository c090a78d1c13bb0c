"""The command `python -m explain`: maps and pictures for a split of a data folder, or for image files."""

from collections.abc import Sequence

from explain.gallery import explain_all
from explain.settings import ExplainSettings
from severstal_xai.command import CONFIGS, DONE, parse_settings, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Explain; return the exit status."""
    settings = parse_settings(
        ExplainSettings,
        command="python -m explain",
        description="Show why a trained model answers as it does: maps and pictures, by one or several methods.",
        defaults=CONFIGS / "explain.yaml",
        arguments=arguments,
    )
    gallery = explain_all(settings)
    if gallery:
        before = f" ({gallery.done_before} before)" * bool(gallery.done_before)
        listed = f", listed in {gallery.folder / 'rejected.csv'}" * bool(gallery.rejects)
        print(
            f"{gallery.folder}: {gallery.explained} explained{before}, {len(gallery.rejects)} rejected{listed}"
        )
    return DONE


if __name__ == "__main__":
    run(main)
