"""Whatever the form, what is wrong is said once, and in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Form

from sharebank.core.forms import Plain
from sharebank.reservations.forms import SearchForm
from tests.counter import STAFF_STN, book
from tests.web.test_handover import NAMES, ref, sent

__all__ = ["book", "ref"]  # fixtures
ENGLISH = ("Not a valid", "This field is required", "must be between", "cannot be longer")


@pytest.mark.usefixtures("app")
def test_no_form_speaks_the_library_s_own_english() -> None:
    """A part of a form has no token, and must still ask for its words where the others do."""

    def below(one: type) -> Iterator[type]:
        for sub in one.__subclasses__():
            yield sub
            yield from below(sub)

    own = [form for form in below(Form) if form.__module__.startswith("sharebank.")]
    assert len(own) > 30
    assert [form for form in own if not issubclass(form, Plain | FlaskForm)] == []


@pytest.mark.parametrize("wrong", [{"l0-seal": "glued"}, {"l0-quantity": ""}, {"l0-note": "x" * 501}])
def test_a_hand_over_answers_in_french(wrong: dict[str, str], ref: str, signed_in: Callable[[str], Any]) -> None:
    answer = signed_in(STAFF_STN).post(f"/handover/{ref}", data={"l0-quantity": "60", **NAMES} | wrong)
    assert answer.status_code == 422
    assert [words for words in ENGLISH if words in sent(answer)] == []


@pytest.mark.parametrize(("typed", "messages"), [("2.5", 1), ("many", 1), ("0", 1), ("9" * 12, 1), ("", 0), ("60", 0)])
def test_a_number_that_is_none_has_one_message(app: Flask, typed: str, messages: int) -> None:
    """Not a whole number, and then not within bounds either: the first says it."""
    with app.test_request_context():
        form = SearchForm(MultiDict({"n": typed}))
        form.offer([], [])
        form.validate()
        assert len(form.n.errors) == messages
