"""An evaluation's folder: what lies about in it, and what of it is damaged."""

from pathlib import Path

import pytest
import torch

from explain.company import Company
from explain.evaluation.files import open_folders
from explain.gallery import _check_output
from explain.records import Maker
from severstal_xai.errors import InputError


def test_what_nobody_put_into_the_folder_does_not_stop_a_restart(tmp_path: Path) -> None:
    def start() -> None:
        _check_output(tmp_path)
        makers = {"answers": Maker("weights", "none", {})}
        company = Company(0, 1, torch.device("cpu"))
        open_folders(tmp_path, makers, lambda _: False, company, overwrite=False)

    for name in (".report.html.77.severstal_xai.part", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "mine.txt").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds 'mine\.txt'"):
        start()
    (tmp_path / "mine.txt").unlink()
    start()
