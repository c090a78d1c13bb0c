"""The command `python -m data_prep`: strips and annotations become patches and a manifest."""

from collections.abc import Sequence

from data_prep.build import Outcome, build
from data_prep.rejects import REJECTED_FILE
from data_prep.report import REPORT_FILE
from data_prep.settings import DataPrepSettings
from severstal_xai.command import CONFIGS, DONE, WRONG_INPUT, parse_settings, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a data folder; return the exit status."""
    settings = parse_settings(
        DataPrepSettings,
        command="python -m data_prep",
        description="Cut Severstal's strips into labelled patches, as the SISE paper recasts them.",
        defaults=CONFIGS / "data_prep.yaml",
        arguments=arguments,
    )
    outcome = build(settings)
    print(_in_words(settings, outcome))
    return WRONG_INPUT if settings.strict and outcome.rejected else DONE


def _in_words(settings: DataPrepSettings, outcome: Outcome) -> str:
    folder = settings.output
    rejected = f"{outcome.rejected} rejected" + (
        f", listed in {folder / REJECTED_FILE}" if outcome.rejected else ""
    )
    if outcome.patches is None:
        return f"{folder}: nothing has changed, nothing to do ({rejected})"
    return f"{folder}: {outcome.patches} patches, {rejected}; read {folder / REPORT_FILE}"


if __name__ == "__main__":
    run(main)
