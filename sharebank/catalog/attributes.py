"""The free facts of a resource (`wifi=yes`): the words screens show them with, and the way back.

Stored keys and values are English words; a key that is not in the table is shown as it was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sharebank.catalog.service import fold
from sharebank.core.errors import N_

Words = Callable[[str], str]
"""Says an English text in the reader's language."""

LABELS: dict[str, tuple[str, str]] = {
    # getting in and around
    "accessible": (N_("Wheelchair access"), ""),
    "floor": (N_("Floor"), ""),
    "lift": (N_("Lift"), ""),
    "ramp": (N_("Ramp"), ""),
    "wheelchair_places": (N_("Wheelchair places"), ""),
    "keys": (N_("Keys to collect"), ""),
    "parking": (N_("Parking places"), ""),
    # in a room
    "wifi": (N_("Wi-Fi"), ""),
    "wired_network": (N_("Wired network"), ""),
    "screen": (N_("Screen"), ""),
    "blackout": (N_("Blackout curtains"), ""),
    "stage": (N_("Stage"), ""),
    "bar": (N_("Bar"), ""),
    "sound": (N_("Sound system"), ""),
    "sound_limiter": (N_("Sound limiter"), ""),
    "soundproof": (N_("Soundproof"), ""),
    "piano": (N_("Piano"), ""),
    "music_stands": (N_("Music stands"), ""),
    "mirrors": (N_("Mirrors"), ""),
    "tatami_m2": (N_("Tatami"), "m²"),
    "showers": (N_("Showers"), ""),
    "lockers": (N_("Lockers"), ""),
    "desks": (N_("Desks"), ""),
    "confidential": (N_("Confidential conversations"), ""),
    "workbenches": (N_("Workbenches"), ""),
    "shelves_m": (N_("Shelves"), "m"),
    "mailboxes": (N_("Letter boxes"), ""),
    "changing_table": (N_("Changing table"), ""),
    "greenhouse_m2": (N_("Greenhouse"), "m²"),
    "stations": (N_("Work places"), ""),
    "dishwasher": (N_("Dishwasher"), ""),
    "extraction": (N_("Extractor hood"), ""),
    "cold_room": (N_("Cold room"), ""),
    "sink": (N_("Sink"), ""),
    "water": (N_("Water"), ""),
    "induction": (N_("Induction hob"), ""),
    "haccp": (N_("Food safety equipment (HACCP)"), ""),
    "haccp_plan": (N_("Food safety plan (HACCP)"), ""),
    # vehicles
    "licence": (N_("Driving licence"), ""),
    "fuel": (N_("Fuel"), ""),
    "odometer_km": (N_("Odometer"), "km"),
    "range_km": (N_("Range"), "km"),
    "year": (N_("Year"), ""),
    "child_seats": (N_("Child seats"), ""),
    "child_bench": (N_("Child bench (places)"), ""),
    "towbar": (N_("Towbar"), ""),
    "volume_m3": (N_("Load space"), "m³"),
    "payload_kg": (N_("Payload"), "kg"),
    "gross_weight_kg": (N_("Gross weight"), "kg"),
    "battery_wh": (N_("Battery"), "Wh"),
    "helmet": (N_("Helmet supplied"), ""),
    "helmets": (N_("Helmets supplied"), ""),
    "marking": (N_("Bicycle marking"), ""),
    "trailer": (N_("On a trailer"), ""),
    # what it needs, what it can do
    "power_w": (N_("Power"), "W"),
    "voltage": (N_("Voltage"), "V"),
    "plug": (N_("Plug"), ""),
    "rcd": (N_("Residual-current device"), ""),
    "ip": (N_("Protection index (IP)"), ""),
    "gas": (N_("Gas"), ""),
    "wood": (N_("Wood"), ""),
    "batteries": (N_("Batteries"), ""),
    "battery_h": (N_("Battery life"), "h"),
    "volume_l": (N_("Volume"), "l"),
    "oil_l": (N_("Oil"), "l"),
    "weight_kg": (N_("Weight"), "kg"),
    "max_kg": (N_("Up to"), "kg"),
    "batch_kg": (N_("At a time"), "kg"),
    "step_g": (N_("Reads to"), "g"),
    "load_kg_m2": (N_("Load"), "kg/m²"),
    "length_m": (N_("Length"), "m"),
    "cable_m": (N_("Cable"), "m"),
    "range_m": (N_("Reach"), "m"),
    "screen_m": (N_("Screen width"), "m"),
    "width_cm": (N_("Width"), "cm"),
    "diameter_cm": (N_("Diameter"), "cm"),
    "diameter_mm": (N_("Fine diameter"), "mm"),
    "depth_mm": (N_("Depth"), "mm"),
    "blade_mm": (N_("Blade"), "mm"),
    "shaft_cm": (N_("Shaft"), "cm"),
    "heights_cm": (N_("Heights"), "cm"),
    "size_m": (N_("Size"), "m"),
    "size_cm": (N_("Dimensions"), "cm"),
    "sizes": (N_("Sizes"), ""),
    "format": (N_("Format"), ""),
    "gn": (N_("Gastronorm size"), ""),
    "levels": (N_("Levels"), ""),
    "max_wind_kmh": (N_("Take down above a wind of"), "km/h"),
    "weights": (N_("Ballast weights"), ""),
    "outdoor": (N_("For outdoors"), ""),
    "outdoor_only": (N_("Outdoors only"), ""),
    "indoor_only": (N_("Indoors only"), ""),
    "season": (N_("Season"), ""),
    "training": (N_("Training to have followed"), ""),
    # what comes with it
    "pieces": (N_("Pieces in the set"), ""),
    "crate_of": (N_("Crates of"), ""),
    "trolley_of": (N_("Trolleys of"), ""),
    "seats": (N_("Places"), ""),
    "age": (N_("Age"), ""),
    "max_children": (N_("Children at a time"), ""),
    "games": (N_("Games"), ""),
    "boards": (N_("Boards"), ""),
    "list": (N_("List of contents"), ""),
    "lid": (N_("Lid"), ""),
    "cover": (N_("Cover"), ""),
    "stand": (N_("Stand"), ""),
    "hooks": (N_("Hooks"), ""),
    "hangers": (N_("Hangers"), ""),
    "bulbs": (N_("Bulbs"), ""),
    "discs": (N_("Discs"), ""),
    "trays": (N_("Trays"), ""),
    "taps": (N_("Taps"), ""),
    "scale": (N_("Scales"), ""),
    "cut_glove": (N_("Cut-resistant glove"), ""),
    "ice_packs": (N_("Ice packs"), ""),
    "portions": (N_("Portions"), ""),
    "jars_1l": (N_("One-litre jars"), ""),
    "jars_500ml": (N_("Half-litre jars"), ""),
    "covers_jars_per_day": (N_("Jars a day"), ""),
    "pressure_vessel": (N_("Pressure vessel"), ""),
    "deposit_per_cup_eur": (N_("Deposit a cup"), "€"),
    "washing": (N_("Washing"), ""),
    # sound, image, computers
    "microphones": (N_("Microphones"), ""),
    "channels": (N_("Channels"), ""),
    "mixer_channels": (N_("Mixer channels"), ""),
    "splitter": (N_("Headphone splitter"), ""),
    "lumens": (N_("Brightness"), "lm"),
    "hdmi": (N_("HDMI"), ""),
    "usb": (N_("USB"), ""),
    "card_gb": (N_("Memory card"), N_("GB")),
    "storage_gb": (N_("Storage"), N_("GB")),
    "ram_gb": (N_("Memory"), N_("GB")),
    "data_gb": (N_("Mobile data"), N_("GB")),
    "os": (N_("Operating system"), ""),
    "refurbished": (N_("Refurbished"), ""),
    "ppm": (N_("Pages a minute"), ""),
    "sheets": (N_("Sheets at a time"), ""),
    "stitches": (N_("Stitches"), ""),
}
VALUES = {
    "yes": N_("yes"),
    "no": N_("no"),
    "partial": N_("partial"),
    "diesel": N_("diesel"),
    "electric": N_("electric"),
    "propane": N_("propane"),
    "butane": N_("butane"),
    "on request": N_("on request"),
    "not included": N_("not included"),
    "returned clean": N_("returned clean"),
    "child/adult": N_("child/adult"),
    "sep-nov": N_("September to November"),
    "32A three-phase": N_("32 A three-phase"),
    "kitchen_training": N_("kitchen hygiene training"),
}
LINE = N_("%(label)s: %(value)s")
SINCE = "inactive_since"
"""The day a thing went out of service."""
APART = frozenset({"status", "reason", SINCE})
"""Facts about its service, which is shown and changed apart."""
_KEYS = {fold(key): key for key in LABELS}

KEY_LENGTH = 40
VALUE_LENGTH = 100
MOST = 40
"""How many facts a resource may have."""


def shown(attributes: Mapping[str, str], say: Words, number: Callable[[int], str]) -> list[tuple[str, str]]:
    """Label and value, in the reader's words, units added: `("Puissance", "1 650 W")`."""
    pairs = []
    for key, value in attributes.items():
        if key in APART:
            continue
        label, unit = LABELS.get(key, (key, ""))
        words = say(VALUES[value]) if value in VALUES else value
        if unit:
            words = f"{number(int(value)) if value.isdecimal() and len(value) < 10 else value}\u00a0{say(unit)}"
        pairs.append((say(label) if key in LABELS else label, words))
    return pairs


def to_text(attributes: Mapping[str, str], say: Words) -> str:
    """One fact a line, in the reader's words, to be edited: `Puissance (W) : 1650`."""
    return "\n".join(
        say(LINE) % {"label": _label(key, say), "value": say(VALUES[value]) if value in VALUES else value}
        for key, value in attributes.items()
        if key not in APART
    )


def from_text(text: str, say: Words) -> dict[str, str]:
    """Back to what is stored; a label or a value the table knows becomes its English word.

    Raises ValueError with the line that cannot be stored.
    """
    keys = _KEYS | {fold(_label(key, say)): key for key in LABELS} | {fold(say(LABELS[key][0])): key for key in LABELS}
    values = {fold(say(words)): value for value, words in VALUES.items()}
    found: dict[str, str] = {}
    for line in filter(None, (" ".join(raw.split()) for raw in text.splitlines())):
        label, colon, value = (part.strip() for part in line.partition(":"))
        key = keys.get(fold(label), label)
        # `;` and `=` are what tells facts apart in the exchange files.
        if not (colon and key and value) or ";" in line or "=" in key or key in found:
            raise ValueError(line)
        if len(key) > KEY_LENGTH or len(value) > VALUE_LENGTH or len(found) == MOST:
            raise ValueError(line)
        found[key] = values.get(fold(value), value)
    return found


def _label(key: str, say: Words) -> str:
    if key not in LABELS:
        return key
    label, unit = LABELS[key]
    return f"{say(label)} ({say(unit)})" if unit else say(label)
