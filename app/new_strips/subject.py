"""What is shown of one new image: its picture, its windows, and what the model says of each."""

from dataclasses import dataclass

import streamlit as st

from app.new_strips import desk as at
from app.new_strips.answers import Answer, Shares
from app.new_strips.desk import Desk
from app.new_strips.images import Grey, grey_of, parts
from app.new_strips.tables import Listed
from severstal_xai.files import sha256
from severstal_xai.imaging import NoSteel
from severstal_xai.strips import patch_name


@dataclass(frozen=True)
class Part:
    """A window's picture.

    Args:
        name: What a patch of it would be called.
        grey: Its grey values.
        image: Their checksum, which names it in a `Request`.
        shares: What the model says of it; why it shows no steel where it does not.
    """

    name: str
    grey: Grey
    image: str
    shares: Shares | NoSteel


@dataclass(frozen=True)
class Subject:
    """An image.

    Args:
        one: As it is listed.
        grey: Its grey values.
        answer: What the model says of it.
        parts: Its windows, from left to right.
    """

    one: Listed
    grey: Grey
    answer: Answer
    parts: tuple[Part, ...]


def read_new_subject(desk: Desk, one: Listed) -> Subject:
    """Read an image; ask the model unless that was done.

    Raises:
        InputError: It is no longer where it was.
    """
    content = at.read(desk, one)
    grey, answer = grey_of(content), one.answer
    if answer is None:
        with st.spinner("Asking the model …"):
            answer = at.answer_to(desk, one.image, content)
    stem, windows = one.image.stem, one.image.windows
    found = tuple(
        Part(
            patch_name(stem, window.index) if one.image.is_strip else stem,
            part,
            sha256(part.tobytes()),
            shares,
        )
        for window, part, shares in zip(windows, parts(one.image, grey), answer.windows, strict=True)
    )
    return Subject(one, grey, answer, found)


def say_where_it_lives(one: Listed) -> None:
    """Say of an upload that its address is worth nothing elsewhere."""
    if one.uploaded:
        st.caption(
            "Uploaded: it lives in this session alone, until this page is closed or loaded anew. Its address opens nothing for anybody else."
        )
