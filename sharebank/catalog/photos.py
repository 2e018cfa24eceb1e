"""Photos: made anew from what was sent, so that nothing of the file but its picture is kept."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from PIL import Image, ImageOps
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.catalog import editing
from sharebank.catalog.models import Photo, Resource
from sharebank.catalog.rules import BadPhoto, PhotoTooHeavy, PhotoTooLarge, TooManyPhotos
from sharebank.core.errors import NotFound

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES = 10_000_000
MOST_PIXELS = 40_000_000
MOST_PHOTOS = 8
SIDE, SMALL_SIDE = 1600, 320
QUALITY = 82


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo ready to be stored: two JPEG files and the size of the first, in pixels."""

    image: bytes
    thumbnail: bytes
    width: int
    height: int


def read(data: bytes, name: str) -> Picture:
    """Decode a photo, turn it upright, bring it to size; its content decides what it is, never its name.

    Raises BadPhoto, PhotoTooHeavy, PhotoTooLarge.
    """
    if len(data) > MOST_BYTES:
        raise PhotoTooHeavy("photos", name=name, most=MOST_BYTES // 1_000_000)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as source:
            # The header says how large it is before anything is decoded.
            if source.width * source.height > MOST_PIXELS:
                raise PhotoTooLarge("photos", name=name, most=MOST_PIXELS // 1_000_000)
            source.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded near the size that is kept
            large = _plain(ImageOps.exif_transpose(source))
    except BadPhoto:
        raise
    except Image.DecompressionBombError as bomb:
        raise PhotoTooLarge("photos", name=name, most=MOST_PIXELS // 1_000_000) from bomb
    except Exception as error:  # a broken file breaks its decoder in any way it likes
        raise BadPhoto("photos", name=name) from error
    large.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    small = large.copy()
    small.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
    return Picture(_jpeg(large), _jpeg(small), *large.size)


def _plain(source: Image.Image) -> Image.Image:
    """The pixels alone, on white: a new image carries no EXIF, comment or profile along."""
    plain = Image.new("RGB", source.size, "white")
    if source.has_transparency_data:
        layered = source.convert("RGBA")
        plain.paste(layered, mask=layered)
    else:
        plain.paste(source.convert("RGB"))
    return plain


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue()


def add(session: Session, actor: Actor, code: str, pictures: Sequence[Picture], now: datetime) -> None:
    """Put photos after those a resource has; raises TooManyPhotos."""
    resource = editing.editable(session, actor, code)
    there = len(resource.photos)
    if there + len(pictures) > MOST_PHOTOS:
        raise TooManyPhotos("photos", most=MOST_PHOTOS, there=there)
    last = max((photo.position for photo in resource.photos), default=-1)
    for position, picture in enumerate(pictures, last + 1):
        resource.photos.append(
            Photo(
                position=position,
                width=picture.width,
                height=picture.height,
                sha256=hashlib.sha256(picture.image).hexdigest(),
                image=picture.image,
                thumbnail=picture.thumbnail,
                created_at=now,
            )
        )


def editable(session: Session, actor: Actor, photo_id: int) -> Photo:
    """A photo the actor may change; raises NotFound, NotAllowed."""
    photo = session.get(Photo, photo_id)
    if photo is None:
        raise NotFound
    editing.require_editor(actor, photo.resource)
    return photo


def caption(session: Session, actor: Actor, photo_id: int, words: str) -> Resource:
    """Say what a photo shows, for those who do not see it; returns its resource."""
    photo = editable(session, actor, photo_id)
    photo.caption = words
    return photo.resource


def move(session: Session, actor: Actor, photo_id: int, *, earlier: bool) -> Resource:
    """Let a photo change places with its neighbour; the first one stands for the resource."""
    photo = editable(session, actor, photo_id)
    # A list of its own: to take a photo out of the resource's, even to put it back, deletes it.
    row = sorted(photo.resource.photos, key=lambda each: (each.position, each.id))
    here = row.index(photo)
    there = max(0, here - 1) if earlier else here + 1
    row.insert(there, row.pop(here))
    for position, each in enumerate(row):
        each.position = position
    return photo.resource


def remove(session: Session, actor: Actor, photo_id: int) -> Resource:
    """Delete a photo for good."""
    photo = editable(session, actor, photo_id)
    resource = photo.resource
    resource.photos.remove(photo)
    return resource
