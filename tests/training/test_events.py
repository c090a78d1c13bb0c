"""What TensorBoard is told, read back record by record."""

import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from training.events import open_events
from training.history import Epoch

FIRST = Epoch(1, 0.1, 1.5, 0.5, 1.4, 0.6, 10.0, 3.0)


def records(path: Path) -> Iterator[Event]:
    """The events of a file: each a length, a checksum of it, the event, a checksum."""
    content = path.read_bytes()
    while content:
        (size,) = struct.unpack("<Q", content[:8])
        yield Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]


def scalars(path: Path) -> dict[tuple[str, int], float]:
    return {
        (value.tag, event.step): value.simple_value
        for event in records(path)
        for value in event.summary.value
    }


def test_each_epoch_is_told_by_its_number(tmp_path: Path) -> None:
    with open_events(tmp_path) as events:
        events.add(FIRST)
        events.add(dataclasses.replace(FIRST, epoch=2, train_loss=0.25))
    (path,) = tmp_path.iterdir()
    found = scalars(path)
    assert len(found) == 2 * 6
    assert found["loss/training", 1] == 1.5
    assert found["loss/training", 2] == 0.25
    assert found["learning_rate", 1] == pytest.approx(0.1)
    assert found["top-1/validation", 2] == pytest.approx(0.6)


def test_a_run_that_goes_on_replaces_what_a_killed_one_wrote_from_there(tmp_path: Path) -> None:
    with open_events(tmp_path) as events:
        events.add(dataclasses.replace(FIRST, epoch=7))
    (path,) = tmp_path.iterdir()
    purges = [event.step for event in records(path) if event.session_log.status == SessionLog.START]
    assert purges == [7]


def test_without_an_epoch_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_events(tmp_path / "events"):
        raise KeyboardInterrupt
    assert not (tmp_path / "events").exists()
