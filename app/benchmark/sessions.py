"""Many browsers at once: does each get the maps of its own patch?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Found, explain
from app.asking.question import usual_class
from app.benchmark.clicks import patient, settled
from app.benchmark.served import Served
from app.patch.layers import png_address
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.overlay import heat_colours

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_METHODS = ("grad_cam", "sise")
_PATIENCE = 900_000
"""Milliseconds for the last of them: all wait for the same two cores."""


def mixed_up(
    browser: "Browser",
    inspector: Served,
    manifest: Manifest,
    checkpoint: Checkpoint,
    patches: Sequence[Patch],
) -> int:
    """Open each patch in a browser of its own, all at once; return how many maps differ, by bytes, from those made here."""
    contexts = [browser.new_context(viewport={"width": 1366, "height": 768}) for _ in patches]
    pages = [patient(context.new_page()) for context in contexts]
    for page, patch in zip(pages, patches, strict=True):
        page.set_default_timeout(_PATIENCE)
        page.goto(
            f"{inspector.address}/patch?patch={patch.patch}&method=sise&compare=grad_cam&effort=fast",
            wait_until="commit",
        )
    wrong = 0
    for page, context, patch in zip(pages, contexts, patches, strict=True):
        for method in _METHODS:
            alt = f"Patch {patch.patch} with the heat of {CATALOGUE[method].title}"
            picture = page.get_by_alt_text(alt).first
            picture.wait_for()
            settled(page)
            shown = picture.evaluate("image => image.parentElement.querySelector('.heat').src")
            wrong += shown != _expected(manifest, checkpoint, patch, method)
        context.close()
    return wrong


def _expected(manifest: Manifest, checkpoint: Checkpoint, patch: Patch, method: str) -> str:
    """Return the address of the picture of a patch's heat, made here."""
    grey = manifest.read_image(patch)
    with torch.no_grad():
        shares = checkpoint.model(torch.from_numpy(model_input(grey))[None]).softmax(dim=1)[0].tolist()
    target = usual_class(shares)
    request = request_for(method, "fast", target, checkpoint.card.weights_sha256, patch.image_sha256)
    found = explain(request, checkpoint.model, grey)
    if not isinstance(found, Found):
        raise InputError(f"patch {patch.patch}: {method} failed here ({found.reason})")
    return png_address(heat_colours(found.saliency * shares[target]))
