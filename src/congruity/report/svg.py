"""Turn a matplotlib figure into SVG that belongs to a page: its fonts, its colours, unique ids, nothing external."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from congruity.report import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_LONG = re.compile(r"-?\d+\.\d{3,}")
_COLOUR = re.compile(r"\b(fill|stroke): (#[0-9a-f]{6})\b")
_FONT = re.compile(r"font(?:-family)?: [^;]*;?")


def inline(figure: Figure, *, key: str, label: str) -> str:
    """Return ``figure`` as an ``<svg>`` element for use inside HTML.

    Args:
        figure: drawn by `congruity.report.plots`.
        key: letters and digits, unique in the page; all ids begin with it.
        label: what the figure shows, for readers who do not see it.

    Returns:
        Markup in which text is text, colours are CSS variables (``--cg-ink`` and so on, with the printed colour as the
        fallback), and no namespace, metadata, style sheet or script is left.

    Example:
        ``inline(plots.figure(comparison, "strip"), key="f1", label="Strip plot ...")``
    """
    buffer = io.StringIO()
    with plots.style(), warnings.catch_warnings():
        # the reader's browser draws the text; which glyphs the measuring font lacks does not matter
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _prune(root)
    _name(root, key)
    for element in root.iter():
        _restyle(element)
    _hoist(root)
    width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
    root.attrib = {
        "viewBox": f"0 0 {width:g} {height:g}",
        "role": "img",
        "aria-label": label,
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _prune(root: ElementTree.Element) -> None:
    """Drop metadata (it holds web addresses) and the style sheet (it would apply to the whole page)."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style") or not child.tag.startswith(_SVG):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)


def _name(root: ElementTree.Element, key: str) -> None:
    """Prefix the ids that something refers to, and drop the others: two figures in one page must not share any."""
    used: set[str] = set()
    for element in root.iter():
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
        for value in element.attrib.values():
            used.update(re.findall(r"url\(#([^)]+)\)", value))
        if element.get("href", "").startswith("#"):
            used.add(element.attrib["href"][1:])
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in used:
            element.set("id", f"{key}-{own}")
        for name, value in element.attrib.items():
            if name == "href" and value.startswith("#"):
                element.set(name, f"#{key}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, value.replace("url(#", f"url(#{key}-"))


def _restyle(element: ElementTree.Element) -> None:
    """Two decimals are enough for print; fonts and colours come from the page."""
    for name in ("d", "x", "y", "transform", "points"):
        if name in element.attrib:
            element.set(name, _LONG.sub(_short, element.attrib[name]))
    text = element.get("style")
    if text is None:
        return
    size = re.search(r"(?:font-size: |font: (?:\w+ )*)([\d.]+px)", text)
    bold = "bold" in text
    text = _FONT.sub("", text) if element.tag == "text" else text
    if size and "font-size" not in text and element.tag == "text":
        text = f"font-size: {size[1]};{' font-weight: bold;' if bold else ''} {text}"
    element.set("style", _COLOUR.sub(_variable, text).strip())


def _short(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _variable(found: re.Match[str]) -> str:
    from congruity.report.panels import INK, MUTED, PAPER, RULE, SIDES

    names = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", SIDES[0]: "a", SIDES[1]: "b", "#000000": "ink"}
    prop, colour = found[1], found[2]
    return f"{prop}: var(--cg-{names[colour]}, {colour})" if colour in names else found[0]


def _hoist(root: ElementTree.Element) -> None:
    """Move a style that all points of a group share to the group: a third of the size of a scatter plot."""
    for group in root.iter("g"):
        points = [child for child in group if child.tag == "use"]
        styles = {child.get("style", "") for child in points}
        if len(points) > 3 and len(points) == len([c for c in group if c.tag != "defs"]) and len(styles) == 1:
            shared = styles.pop()
            if shared and not re.search(r"(^|[ ;])opacity:", shared):
                group.set("style", shared)
                for child in points:
                    child.attrib.pop("style", None)
