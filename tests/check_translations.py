"""Nothing reaches a screen half said: run by `make check` as `python -m tests.check_translations`.

- every sentence marked in the code and templates has its French, with the same placeholders;
- no French is left over from sentences that are gone;
- what marks a sentence goes by a name the collector knows;
- French typography: a no-break space before ; : ! ? » and after «, no straight apostrophe;
- templates hold no visible text of their own.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
FRENCH = ROOT / "sharebank/translations/fr/LC_MESSAGES/messages.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|%%")
# A plain space, or none, where French wants a no-break one. Times (18:30), addresses and codes are left alone.
LOOSE = re.compile(
    r"(?<![\u202f\u00a0])[;!?»](?![\w&])|(?<![\u202f\u00a0\d/a-z]):(?=\s|$)|«(?![\u202f\u00a0])|[\w]'[\w]"
)
# What is typed into files follows the file's own signs.
FORMAT = re.compile(r"mon-fri .*closed|clé=valeur; clé=valeur")
# The blocks that hold names of classes go first, whole.
JINJA = re.compile(
    r"{% block (?:wide|body_class|page_class) %}.*?{% endblock %}|{#.*?#}|"
    r"{%-?\s*trans\b.*?endtrans\s*-?%}|{%.*?%}|{{.*?}}",
    re.DOTALL,
)
# Besides babel's own words for it.
MARKS = ("N_", "lazy_gettext")
# Names, and signs that read the same in every language.
SAME_EVERYWHERE = re.compile(r"sharebank|Français|English|[\W\d_]+|m²|px|JSON|API|OpenAPI|[A-Z]{2,}")


def extracted() -> Catalog:
    """The sentences marked in the code and templates."""
    with tempfile.TemporaryDirectory() as folder:
        pot = Path(folder) / "messages.pot"
        command = ["-m", "babel.messages.frontend", "-q", "extract", "-F", "pyproject.toml"]
        words = [*(word for mark in MARKS for word in ("-k", mark)), "-o", str(pot), "."]
        subprocess.run([sys.executable, *command, *words], cwd=ROOT, check=True)
        with pot.open("rb") as file:
            return read_po(file)


def unheard_marks() -> Iterator[str]:
    """Functions that mark sentences under a name by which nothing is collected."""
    known = {*DEFAULT_KEYWORDS, *MARKS}
    for path in sorted((ROOT / "sharebank").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[tuple[str, str]] = []
            if isinstance(node, ast.ImportFrom):
                names = [(one.name, one.asname or one.name) for one in node.names]
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
                names = [(node.value.id, ast.unparse(target)) for target in node.targets]
            for name, here in names:
                if (name == "N_" or name.endswith("gettext")) and here not in known:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: what {here}() says is not collected: call it _"


def forms(message: Message) -> list[tuple[str, str]]:
    """Each English form with its French one."""
    english = [message.id] if isinstance(message.id, str) else list(message.id)
    french = [message.string] if isinstance(message.string, str) else list(message.string)
    return list(zip(english, french, strict=True))


def wrong_sentences() -> Iterator[str]:
    """What is missing, left over or badly set in the French catalogue."""
    with FRENCH.open("rb") as file:
        french = read_po(file)
    if french.fuzzy:
        yield "the catalogue's head says fuzzy: it would not be compiled"
    wanted = {message.id for message in extracted() if message.id}
    for message in french:
        if message.id and message.id not in wanted:
            yield f"nobody says this any more: {message.id!r}"
    for sentence in sorted(wanted, key=str):
        message = french.get(sentence[0] if isinstance(sentence, tuple) else sentence)
        if message is None or message.fuzzy or not all(text for _, text in forms(message)):
            yield f"no French for: {sentence!r}"
            continue
        for english, text in forms(message):
            if set(PLACEHOLDER.findall(english)) != set(PLACEHOLDER.findall(text)):
                yield f"other placeholders: {english!r} / {text!r}"
            if loose := LOOSE.search(FORMAT.sub("", text)):
                yield f"typography near {loose.group()!r}: {text!r}"


SPOKEN = ("title", "alt", "placeholder", "aria-label")


class _Visible(HTMLParser):
    """Collects what a reader would see: text, and the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.skipping = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipping += tag in ("style", "script")
        self.found += [value for name, value in attrs if value and name in SPOKEN]

    def handle_endtag(self, tag: str) -> None:
        self.skipping -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.found.append(data)


def stray_texts() -> Iterator[str]:
    """Visible words written into a template."""
    for path in sorted((ROOT / "templates").rglob("*.*")):
        bare = JINJA.sub(" ", path.read_text())
        if path.suffix == ".html":
            parser = _Visible()
            parser.feed(bare)
            texts = parser.found
        else:
            texts = [line for line in bare.splitlines() if not line.startswith("Subject:")]
        for text in texts:
            if words := SAME_EVERYWHERE.sub("", text).strip():
                yield f"{path.relative_to(ROOT)}: {words!r} stands outside the catalogue"


def main() -> int:
    """Print what is wrong; 0 when nothing is."""
    wrong = [*unheard_marks(), *wrong_sentences(), *stray_texts()]
    print(*wrong, sep="\n")
    print(f"translations: {len(wrong)} wrong" if wrong else "translations: complete")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
