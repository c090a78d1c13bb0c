"""What the README tells its readers to do works."""

import importlib
import re
from pathlib import Path

import pytest
import torch

from severstal_xai.checkpoint import ModelCard, save_checkpoint
from severstal_xai.command import CONFIGS
from severstal_xai.manifest import Manifest
from severstal_xai.model import build_classifier

ROOT = CONFIGS.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_in_the_readme_runs(made_data: Manifest, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, build_classifier("resnet18", 5, seed=0), ModelCard("resnet18", "", 1, {}))
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {"folder": made_data.root, "run": tmp_path}
    exec(code.replace("mu=0.3", "mu=0.95"), names)  # fewer masks: quicker
    maps = names["maps"]
    assert isinstance(maps, torch.Tensor)
    assert maps.shape == (1, 256, 256)


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([a-z_.]+)", README))))
def test_every_command_in_the_readme_is_there_and_explains_itself(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: others start them as their users do, and to import torch for each takes minutes."""
    found = importlib.import_module(module)
    command = importlib.import_module(f"{module}.__main__") if hasattr(found, "__path__") else found
    monkeypatch.setattr("sys.argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {module}")


@pytest.mark.parametrize(
    "path", re.findall(r"\]\((?!http)([^)#]+)\)", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
)
def test_every_link_in_the_readme_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()
