"""OpenVINO, without its reports to its makers; the one module that imports it.

OpenVINO reports each import and each conversion over the network, if its package `openvino_telemetry` can be imported. An
inspection machine reports to nobody: the package is hidden while OpenVINO is imported, which then takes its own
stand-in that does nothing.
"""

import sys
from types import ModuleType
from typing import Any

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """Return the module `openvino`."""
    loaded: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None is Python's "do not import"
    loaded.setdefault(_TELEMETRY, None)
    import openvino  # noqa: PLC0415 -- here, behind the guard, and a second of start-up that not everyone needs

    return openvino
