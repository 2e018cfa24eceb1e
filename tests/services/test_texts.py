"""Texts kept a language: the right one each time, and none remembered from where nobody reads."""

from __future__ import annotations

from contextvars import Context
from decimal import Decimal

from flask import Flask
from flask_babel import force_locale

from sharebank.core import texts, web
from sharebank.orders.filling_words import category_word


def test_each_reader_has_their_language(app: Flask) -> None:
    word = texts.lazy_gettext("Add %(what)s", what="x")
    for locale, planning in (("fr", "Planning"), ("en", "Planning")):
        with app.app_context(), app.test_request_context(headers={"Cookie": f"locale={locale}"}):
            assert (texts.language(), web.locale_code()) == (locale, locale)
            assert texts.gettext("Planning") == planning
            assert texts.gettext("Sign out") == {"fr": "Se déconnecter", "en": "Sign out"}[locale]
            with force_locale("en"):
                assert (texts.gettext("Sign out"), web.hour_words(14)) == ("Sign out", "2 PM")
            assert texts.gettext("Sign out") == {"fr": "Se déconnecter", "en": "Sign out"}[locale]
            assert str(word) == texts.gettext("Add %(what)s", what="x")


def test_where_nobody_reads_nothing_is_remembered(app: Flask) -> None:
    """What runs outside the application speaks English; the pages after it do not."""
    texts._found.cache_clear()
    outside = Context()
    assert outside.run(texts.language) == ""
    assert outside.run(web.locale_code) == "fr"
    assert outside.run(texts.gettext, "Sign out") == "Sign out"
    with app.app_context(), app.test_request_context():
        assert texts.gettext("Sign out") == "Se déconnecter"


def test_a_zero_is_written_as_one() -> None:
    assert [web.number_words(zero) for zero in (Decimal("-0.0"), 0)] == ["0", "0"]


def test_a_category_is_written_without_underscores() -> None:
    assert category_word("hygiene_entretien") == "hygiene entretien"


def test_an_address_is_built_for_where_the_program_stands(app: Flask) -> None:
    for root in ("", "/prets", ""):
        with app.app_context(), app.test_request_context(base_url=f"http://127.0.0.1:5000{root}"):
            assert web.address("reservations.planning") == f"{root}/planning"
            assert web.address("static", filename="style.css") == f"{root}/static/style.css"
            assert web.address("reservations.show", ref="R26-AAAAAA") == f"{root}/reservations/R26-AAAAAA"
