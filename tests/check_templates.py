"""Templates and style sheets hold nothing nobody uses: run by `make check` as `python -m tests.check_templates`.

- every name a template imports, sets, or takes as a macro's argument is read in it; every macro is called by somebody,
  and every argument with a default is given by somebody;
- every template is rendered, included or sent by somebody;
- every class and variable of the style sheets stands on some page, and every class on a page is somebody's to style.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
STYLES = sorted((ROOT / "sharebank/static").glob("*.css"))
# What these say is how everything looks that says nothing else.
PLAIN = {"info", "secondary", "portrait", "js"}
# A class that is put together while the page is made: `house-{{ code }}`, `door-{{ size }}`.
MADE = re.compile(r"([\w-]+-)\{\{")


def read(node: nodes.Node) -> set[str]:
    """The names a piece of a template reads."""
    own = {node.name} if isinstance(node, nodes.Name) and node.ctx == "load" else set()
    return own | {name.name for name in node.find_all(nodes.Name) if name.ctx == "load"}


def idle_names(trees: dict[str, nodes.Template]) -> Iterator[str]:
    """What templates import, set or ask for, and do not use."""
    callers: dict[tuple[str, str], list[nodes.Call]] = {}
    for path, tree in trees.items():
        home = {macro.name: path for macro in tree.find_all(nodes.Macro)}
        for line in tree.find_all(nodes.FromImport):
            for one in line.names:
                name, here = one if isinstance(one, tuple) else (one, one)
                home[here] = line.template.value  # type: ignore[attr-defined]
                if here not in read(tree):
                    yield f"{path}: {name} is imported for nothing"
        for target in (assign.target for assign in tree.find_all(nodes.Assign)):
            if isinstance(target, nodes.Name) and target.name not in read(tree):
                yield f"{path}: {target.name} is set for nothing"
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in home:
                callers.setdefault((home[call.node.name], call.node.name), []).append(call)
    for path, tree in trees.items():
        for macro in tree.find_all(nodes.Macro):
            calls = callers.get((path, macro.name), [])
            if not calls:
                yield f"{path}: nobody calls {macro.name}"
            inside = set().union(*map(read, macro.body))
            required = len(macro.args) - len(macro.defaults)
            for place, argument in enumerate(macro.args):
                given = any(_gives(call, place, argument.name) for call in calls)
                if argument.name not in inside or (place >= required and not given):
                    yield f"{path}: {macro.name} wants {argument.name} for nothing"


def _gives(call: nodes.Call, place: int, name: str) -> bool:
    """Does this call say the argument?"""
    return len(call.args) > place or bool(call.dyn_kwargs) or any(keyword.key == name for keyword in call.kwargs)


def idle_templates(trees: dict[str, nodes.Template], code: str) -> Iterator[str]:
    """Pages nobody shows; letters go by their name without folder and ending."""
    pages = "\n".join((TEMPLATES / path).read_text() for path in trees)
    for path in trees:
        name = Path(path).stem if path.startswith("email/") else path
        if not re.search(rf"[\"'/]{re.escape(name)}[\"'.]", code + pages):
            yield f"{path}: nobody shows it"


def idle_classes(trees: dict[str, nodes.Template], code: str) -> Iterator[str]:
    """Classes that only a style sheet knows, or only a page."""
    styles = re.sub(r"/\*.*?\*/", "", "\n".join(path.read_text() for path in STYLES), flags=re.DOTALL)
    pages = "\n".join((TEMPLATES / path).read_text() for path in trees if not path.startswith("email/"))
    styled = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^{}]*\}", "{}", styles)))
    made = tuple(MADE.findall(pages))
    for name in sorted(styled - PLAIN):
        if not name.startswith(made) and not re.search(rf"(?<![\w-]){name}(?![\w-])", pages + code):
            yield f".{name}: on no page"
    for variable in sorted(set(re.findall(r"(--[\w-]+)\s*:", styles))):
        if f"var({variable}" not in styles + code:
            yield f"{variable}: read by no style"
    for path in (path for path in trees if not path.startswith("email/")):
        for said in re.findall(r'class="([^"]*)"', (TEMPLATES / path).read_text()):
            plain = re.sub(r"[\w-]*\{\{.*?\}\}[\w-]*|\{%.*?%\}", " ", said)
            for name in sorted(set(re.findall(r"[\w-]+", plain)) - styled - PLAIN):
                yield f"{path}: class {name} is no style's"


def main() -> None:
    """Print what is idle; exit 1 when there is any."""
    environment = Environment(autoescape=True)
    paths = sorted(path for path in TEMPLATES.rglob("*") if path.suffix in (".html", ".txt"))
    trees = {path.relative_to(TEMPLATES).as_posix(): environment.parse(path.read_text()) for path in paths}
    sources = [path for end in ("py", "js") for path in (ROOT / "sharebank").rglob(f"*.{end}")]
    code = "\n".join(path.read_text() for path in sources)
    found = [*idle_names(trees), *idle_templates(trees, code), *idle_classes(trees, code)]
    print("\n".join(found) or "templates: nothing idle")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
