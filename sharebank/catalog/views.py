"""Look through the catalogue, keep it, photograph and label what is in it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from sharebank.accounts import directory
from sharebank.accounts.permissions import may_house, require
from sharebank.accounts.web import me
from sharebank.catalog import browsing, editing, forms, labels, photos, rules, service, wording
from sharebank.catalog.models import Resource
from sharebank.catalog.rules import FAMILIES
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.web import public

bp = Blueprint("catalog", __name__)
Page = str | Answer | tuple[str, int]

UPLOAD_BYTES = 48_000_000
"""Several photos in one go; each has its own limit."""
FOR_EVER = "private, max-age=31536000, immutable"


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"amount": wording.amount, "rule_set_name": forms.rule_set_name}


@bp.url_value_preprocessor
def _room_for_photos(endpoint: str | None, values: dict[str, Any] | None) -> None:
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
    return render_template(
        "catalog/resource.html",
        resource=found,
        facts=list(wording.facts(found)),
        rules=list(wording.rules(found.rule_set, found.deposit_cents)),
        fees=wording.fees(found.rule_set),
        may_edit=may_house(actor, "edit_catalogue", found.house_id),
    )


@bp.get("/rules")
def rule_sets() -> Page:
    """Every rule set in words."""
    sets = [(rs, list(wording.rules(rs)), wording.fees(rs)) for rs in browsing.rule_sets(db.session())]
    return render_template("catalog/rule_sets.html", sets=sets)


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
    if "family" not in request.args:
        return render_template("catalog/choose_family.html", form=choice)
    if not choice.validate():
        return render_template("catalog/choose_family.html", form=choice), 422
    house, family = choice.house.data, choice.family.data
    form = forms.ResourceForm.of(FAMILIES[family].kind, browsing.rule_sets(session))
    status = 200
    if request.method == "GET":
        form.code.data, form.quantity.data = editing.propose_code(session, house, family), 1
    elif not form.validate():
        status = 422
    else:
        try:
            with transaction() as session:
                made = editing.create(session, actor, house, family, form.code.data, form.values())
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
    """Change what a thing is, its photos, whether it can be lent."""
    actor = me()
    found = editing.editable(db.session(), actor, code)
    form = forms.ResourceForm.of(found.kind, browsing.rule_sets(db.session()), found)
    if request.method == "GET":
        return _edit_page(found, details=form)
    status = 422
    if form.validate():
        try:
            with transaction() as session:
                editing.change(session, actor, code, form.values())
        except Refused as refused:
            status = forms.blame(form, refused)
        else:
            flash(_("Your changes are kept."), "success")
            return redirect(url_for("catalog.resource", code=code), 303)
    return _edit_page(editing.editable(db.session(), actor, code), details=form), status


def _edit_page(found: Resource, **typed: Any) -> str:
    """The edit page with what was typed in one of its forms, the others as stored."""
    session = db.session()
    shown = {
        "details": typed.get("details") or forms.ResourceForm.of(found.kind, browsing.rule_sets(session), found),
        "shots": typed.get("shots") or forms.PhotosForm(formdata=None),
        "service": typed.get("service") or forms.ServiceForm(formdata=None),
    }
    captions = {photo.id: forms.PhotoForm(formdata=None, obj=photo, prefix=f"p{photo.id}-") for photo in found.photos}
    if wrong := typed.get("caption"):
        captions[wrong[0]] = wrong[1]
    return render_template(
        "catalog/edit.html",
        resource=found,
        captions=captions,
        typed=next((form for form in (*typed.values(),) if not isinstance(form, tuple)), None),
        categories=service.categories(session),
        most=photos.MOST_PHOTOS,
        **shown,
    )


@bp.post("/resources/<code>/service")
def set_service(code: str) -> Page:
    """Take a thing out of service with a reason, or put it back."""
    actor, form = me(), forms.ServiceForm()
    back = request.form.get("act") == "back"
    status = 422
    if back or form.validate():
        try:
            with transaction() as session:
                if back:
                    editing.put_in_service(session, actor, code)
                else:
                    editing.take_out_of_service(session, actor, code, form.reason.data)
        except rules.NoReason as refused:
            status = forms.blame(form, refused)
        else:
            flash(_("It can be lent again.") if back else _("It is out of service: nobody can book it."), "success")
            return redirect(url_for("catalog.resource", code=code), 303)
    return _edit_page(editing.editable(db.session(), actor, code), service=form), status


# -- photos ----------------------------------------------------------------------------------------


@bp.post("/resources/<code>/photos")
def add_photos(code: str) -> Page:
    """Add photos to a thing."""
    actor, form = me(), forms.PhotosForm()
    found = editing.editable(db.session(), actor, code)
    try:
        pictures = form.pictures()  # outside the transaction: decoding is slow, and others wait to write
        if not pictures:
            raise photos.NoPhoto("photos")
        with transaction() as session:
            photos.add(session, actor, code, pictures, clock.now())
    except Refused as refused:
        status = forms.blame(form, refused)
        return _edit_page(editing.editable(db.session(), actor, code), shots=form), status
    flash(_("The photos are kept."), "success")
    return redirect(url_for("catalog.edit", code=found.code, _anchor="photos"), 303)


@bp.post("/photos/<int(max=2147483647):photo_id>")
def keep_photo(photo_id: int) -> Page:
    """Caption a photo, move it, delete it."""
    actor, form = me(), forms.PhotoForm(prefix=f"p{photo_id}-")
    act = request.form.get("act", "")
    with transaction() as session:
        found = photos.of(session, actor, photo_id).resource
        ok = act != "caption" or form.validate()
        if ok:
            photos.ACTS.get(act, photos.unknown)(session, actor, photo_id, form.caption.data)
    if not ok:
        return _edit_page(editing.editable(db.session(), actor, found.code), caption=(photo_id, form)), 422
    return redirect(url_for("catalog.edit", code=found.code, _anchor="photos"), 303)


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


@bp.get("/labels")
def label_sheet() -> Page:
    """Labels to print, 24 a sheet."""
    session, actor = db.session(), me()
    form = forms.LabelForm.of(request.args, editing.editable_houses(session, actor))
    wish = service.Wish(house=request.args.get("house", ""), kind=request.args.get("kind", ""))
    ok = form.validate()
    things = browsing.to_label(session, actor, wish if ok else service.Wish(), request.args.getlist("code"))
    places = labels.places(things if ok else [], form.start.data or 1)
    return render_template("print/labels.html", form=form, places=places, codes=request.args.getlist("code")), (
        200 if ok else 422
    )


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
