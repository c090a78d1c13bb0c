"""What a run saves while it trains: each epoch's model and history, and its state, to go on from."""

import dataclasses
import time
from collections.abc import Sequence

from torch import nn
from torch.optim import SGD

from severstal_xai.checkpoint import ModelCard, save_checkpoint
from severstal_xai.command import to_plain, to_yaml
from severstal_xai.files import write_text
from severstal_xai.manifest import Manifest
from training import run_folder
from training.contact_sheet import contact_sheet
from training.figures import write_figure
from training.history import Epoch, best_of, table_of
from training.settings import Settings
from training.state import Begun, Place, capture, save_state
from training.work import Work

_AGREE_EVERY = 20
"""Steps after which several processes ask each other whether to save: asking makes them wait for each other."""


def keep(settings: Settings, manifest: Manifest, model: nn.Module, epochs: Sequence[Epoch]) -> None:
    """Save the model as the last and, if it is, as the best; an earlier run gives way to the first epoch."""
    epoch, folder = epochs[-1].epoch, settings.output
    if len(epochs) == 1:
        run_folder.clear(folder)
        write_figure(folder / run_folder.AUGMENTATION_FILE, contact_sheet(settings, manifest))
    write_text(folder / run_folder.SETTINGS_FILE, to_yaml(settings))
    card = ModelCard(settings.architecture, manifest.checksum, epoch, to_plain(settings))
    save_checkpoint(folder, model, card, run_folder.LAST)
    if best_of(epochs).epoch == epoch:
        run_folder.clear_exports(folder)
        save_checkpoint(folder, model, card, run_folder.BEST)
    write_text(folder / run_folder.HISTORY_FILE, table_of(epochs).to_csv(index=False, lineterminator="\n"))


class Saver:
    """Saves a run's state: when told to, and after a step where it is time."""

    def __init__(self, work: Work, network: nn.Module, optimizer: SGD) -> None:
        self._settings, self._manifest, self._compute = work.settings, work.manifest, work.compute
        self._network, self._optimizer = network, optimizer
        self._saved = time.monotonic()

    def after_step(self, place: Place) -> None:
        """Save where the last time is `save_every` minutes ago, unless the last loss is no number."""
        if self._is_due(place.tally.steps):
            place.tally.check_finite()
            self.save(place)

    def _is_due(self, steps: int) -> bool:
        due = time.monotonic() - self._saved >= 60 * self._settings.save_every
        if self._compute.processes == 1:
            return due
        return steps % _AGREE_EVERY == 0 and self._compute.agree(due)

    def save(self, place: Place) -> None:
        """Save; of several processes the first writes what all came to."""
        tally = place.tally.of_all()
        self._saved = time.monotonic()
        if not self._compute.leads:
            return
        weights, momentum = capture(self._network, self._optimizer)
        begun = Begun(
            dataclasses.replace(place, tally=tally),
            to_plain(self._settings),
            self._manifest.checksum,
            self._compute.precision,
            weights,
            momentum,
        )
        save_state(self._settings.output / run_folder.STATE_FILE, begun)
