"""Look through the catalogue, keep it, photograph and label what is in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, may_rules, require
from sharebank.accounts.web import me
from sharebank.catalog import browsing, editing, forms, labels, photos, rule_sets, rules, service, wording
from sharebank.catalog.models import Resource
from sharebank.catalog.rules import FAMILIES
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.core.period import to_local
from sharebank.core.server import LARGEST_BODY
from sharebank.core.texts import gettext as _
from sharebank.core.texts import name_words
from sharebank.core.web import public

bp = Blueprint("catalog", __name__)
Page = str | Answer | tuple[str, int]

UPLOAD_BYTES = LARGEST_BODY
"""Several photos in one go; each has its own limit."""
FOR_EVER = "private, max-age=31536000, immutable"


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"amount": wording.amount, "rule_set_name": name_words}


@bp.url_value_preprocessor
def _room_for_photos(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    # Before the CSRF check, which is the first to read the body.
    if endpoint == "catalog.add_photos":
        request.max_content_length = UPLOAD_BYTES


# -- looking ---------------------------------------------------------------------------------------


@bp.get("/resources")
def resources() -> Page:
    """Everything the houses lend, narrowed to what is looked for."""
    session, actor = db.session(), me()
    form = forms.Filters.of(request.args, directory.houses(session), service.categories(session))
    ok = form.validate()
    shelves = browsing.shelves(session, form.wish(), actor.house) if ok else []
    page = render_template("catalog/resources.html", form=form, shelves=shelves, searched=any(request.args.values()))
    return page, 200 if ok else 422


@bp.get("/resources/<code>")
def resource(code: str) -> Page:
    """One thing: what it is, where, under which rules."""
    found, actor = browsing.resource(db.session(), code), me()
    own = found.rule_set
    return render_template(
        "catalog/resource.html",
        resource=found,
        facts=list(wording.facts(found)),
        rules=wording.rules(rule_sets.terms_of(own), own.buffer_before_min, own.buffer_after_min, found.deposit_cents),
        may_edit_rules=may_rules(actor, "edit_rules", frozenset({found.house_id})),
        out_since=wording.out_since(found),
        may_edit=may_house(actor, "edit_catalogue", found.house_id),
    )


@bp.get("/rules", endpoint="rule_sets")
def all_rules() -> Page:
    """Every rule set in words."""
    sets = [
        (own, wording.rules(rule_sets.terms_of(own), own.buffer_before_min, own.buffer_after_min))
        for own in browsing.rule_sets(db.session())
    ]
    return render_template("catalog/rule_sets.html", sets=sets, may_rules=may_rules(me(), "see_rules_desk"))


# -- keeping ---------------------------------------------------------------------------------------


@bp.route("/resources/new", methods=["GET", "POST"])
def new() -> Page:
    """Add a thing: first what and where, then its description."""
    session, actor = db.session(), me()
    houses = editing.editable_houses(session, actor)
    require(bool(houses))
    if request.args.get("house"):
        editing.editable_house(session, actor, request.args["house"])
    choice = forms.FamilyForm.of(request.args, houses)
    asked = "family" in request.args
    if not (asked and choice.validate()):
        return render_template("catalog/choose_family.html", form=choice), 422 if asked else 200
    house, family = choice.house.data, choice.family.data
    form = forms.ResourceForm.of(_sent(), FAMILIES[family].kind, browsing.rule_sets(session))
    status = 200
    if request.method == "GET":
        form.code.data, form.quantity.data = editing.propose_code(session, house, family), 1
    elif not form.validate():
        status = 422
    else:
        try:
            with transaction() as writing:
                made = editing.create(writing, actor, house, family, form.code.data or "", form.values())
        except Refused as refused:
            status = forms.blame(form, refused)
        else:
            flash(_("%(name)s is in the catalogue. Add photos: they help people choose.", name=made.name), "success")
            return redirect(url_for("catalog.edit", code=made.code, _anchor="photos"), 303)
    page = render_template(
        "catalog/new.html", form=form, family=FAMILIES[family], house=house, categories=service.categories(session)
    )
    return page, status


@bp.route("/resources/<code>/edit", methods=["GET", "POST"])
def edit(code: str) -> Page:
    """Change what a thing is; its photos and its service have forms of their own on this page."""
    actor = me()
    found = editing.editable(db.session(), actor, code)
    if request.method == "GET":
        return _edit_page(found)
    form = forms.ResourceForm.of(_sent(), found.kind, browsing.rule_sets(db.session()), found)
    status = 422
    if form.validate():
        try:
            with transaction() as session:
                editing.change(session, actor, code, form.values(), form.seen.data)
        except Refused as refused:
            status = forms.blame(form, refused)
            # Whoever sends it once more has been told, and means it.
            form.seen.data = editing.mark(editing.editable(db.session(), actor, code))
        else:
            flash(_("Your changes are kept."), "success")
            return redirect(url_for("catalog.resource", code=code), 303)
    return _edit_page(editing.editable(db.session(), actor, code), form), status


@bp.post("/resources/<code>/service")
def set_service(code: str) -> Page:
    """Take a thing out of service with a reason, or put it back."""
    actor, form = me(), forms.ServiceForm()
    found = editing.editable(db.session(), actor, code)
    back = request.form.get("act") == "back"
    if not back and not form.validate():
        return _edit_page(found, form), 422
    with transaction() as session:
        if back:
            editing.put_in_service(session, actor, code)
        else:
            today = to_local(clock.now(), web.tz()).date()
            editing.take_out_of_service(session, actor, code, form.reason.data or "", today)
    flash(_("It can be lent again.") if back else _("It is out of service: nobody can book it."), "success")
    return redirect(url_for("catalog.resource", code=code), 303)


def _sent() -> Any:
    return request.form if request.method == "POST" else None


def _edit_page(found: Resource, wrong: Any = None) -> str:
    """The edit page: the form that went wrong with what was typed in it, the others as stored."""
    session = db.session()
    fresh = (
        forms.ResourceForm.of(None, found.kind, browsing.rule_sets(session), found),
        forms.PhotosForm(None),
        forms.ServiceForm(None),
    )
    details, shots, out = (wrong if isinstance(wrong, type(form)) else form for form in fresh)
    captions = {photo.id: forms.PhotoForm.of(None, photo) for photo in found.photos}
    if isinstance(wrong, forms.PhotoForm):
        captions[wrong.photo_id] = wrong
    return render_template(
        "catalog/edit.html",
        resource=found,
        details=details,
        shots=shots,
        service=out,
        captions=captions,
        wrong=wrong,
        categories=service.categories(session),
        most=photos.MOST_PHOTOS,
    )


# -- photos ----------------------------------------------------------------------------------------


@bp.post("/resources/<code>/photos")
def add_photos(code: str) -> Page:
    """Add photos to a thing."""
    actor, form = me(), forms.PhotosForm()
    editing.editable(db.session(), actor, code)
    try:
        pictures = form.pictures()  # outside the transaction: decoding is slow, and others wait to write
        with transaction() as session:
            photos.add(session, actor, code, pictures, clock.now())
    except Refused as refused:
        status = forms.blame(form, refused)
        return _edit_page(editing.editable(db.session(), actor, code), form), status
    flash(_("The photos are kept."), "success")
    return redirect(url_for("catalog.edit", code=code, _anchor="photos"), 303)


PHOTO_ACTS: dict[str, Callable[[Session, Actor, int], Resource]] = {
    "earlier": partial(photos.move, earlier=True),
    "later": partial(photos.move, earlier=False),
    "delete": photos.remove,
}


@bp.post("/photos/<int(max=2147483647):photo_id>")
def caption_photo(photo_id: int) -> Page:
    """Say what a photo shows."""
    actor, found = me(), photos.editable(db.session(), me(), photo_id)
    form = forms.PhotoForm.of(request.form, found)
    if not form.validate():
        return _edit_page(found.resource, form), 422
    with transaction() as session:
        code = photos.caption(session, actor, photo_id, form.caption.data or "").code
    return redirect(url_for("catalog.edit", code=code, _anchor="photos"), 303)


@bp.post("/photos/<int(max=2147483647):photo_id>/<any(earlier,later,delete):act>")
def change_photo(photo_id: int, act: str) -> Page:
    """Move a photo among the others, or delete it."""
    with transaction() as session:
        code = PHOTO_ACTS[act](session, me(), photo_id).code
    return redirect(url_for("catalog.edit", code=code, _anchor="photos"), 303)


@bp.get("/photos/<int(max=2147483647):photo_id>-<string(length=8):mark>.jpg", defaults={"small": False})
@bp.get("/photos/<int(max=2147483647):photo_id>-<string(length=8):mark>-s.jpg", defaults={"small": True})
def photo(photo_id: int, mark: str, small: bool) -> Page:
    """A photo or its thumbnail; its address names its content, so a browser never asks twice."""
    answer = Response(browsing.picture(db.session(), photo_id, mark, small=small), mimetype="image/jpeg")
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


# -- labels ----------------------------------------------------------------------------------------


@bp.get("/r/<code>")
def label(code: str) -> Page:
    """What the QR label on a thing leads to; typed by hand, in any case."""
    return redirect(url_for("catalog.resource", code=browsing.canonical_code(db.session(), code)))


@bp.get("/labels", endpoint="labels")
def label_sheet() -> Page:
    """Labels to print, 24 a sheet."""
    session, actor, codes = db.session(), me(), request.args.getlist("code")
    houses = editing.editable_houses(session, actor)
    require(bool(houses))
    if request.args.get("house"):
        editing.editable_house(session, actor, request.args["house"])
    form = forms.LabelForm.of(request.args, houses)
    ok = form.validate()
    things = browsing.to_label(session, actor, form.wish(), codes) if ok else []
    page = render_template(
        "print/labels.html",
        form=form,
        places=labels.places(things, form.start.data or 1),
        codes=codes,
        qr=lambda code: labels.qr_data(web.absolute("catalog.label", code=code)),
    )
    return page, 200 if ok else 422


@bp.get("/labels/<code>.svg")
def label_code(code: str) -> Page:
    """The QR code of one thing."""
    found = browsing.canonical_code(db.session(), code)
    answer = Response(labels.qr_svg(web.absolute("catalog.label", code=found)), mimetype="image/svg+xml")
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


@bp.get("/houses.css")
@public
def houses_css() -> Page:
    """Each house's colour, for every page."""
    text = rules.house_colours((house.code, house.colour) for house in directory.houses(db.session()))
    answer = Response(text, mimetype="text/css")
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.add_etag()
    return answer.make_conditional(request)
