"""Nodes of a page; the standard library's serialiser escapes every text and attribute."""

import base64
import re
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None
KINDS = {".mp4": "video/mp4", ".png": "image/png"}


def node(tag: str, *children: Child, **attributes: str | int | bool | None) -> Element:
    """Make an element.

    Args:
        tag: its name.
        children: elements and texts in order; None is left out.
        attributes: `class_` is class, `aria_label` is aria-label; True has no value, None and
            False are left out.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            made.set(name.rstrip("_").replace("_", "-"), "" if value is True else str(value))
    add(made, *children)
    return made


def add(parent: Element, *children: Child) -> None:
    """Append elements and texts to an element."""
    for child in children:
        if isinstance(child, str):
            if len(parent):
                parent[-1].tail = (parent[-1].tail or "") + child
            else:
                parent.text = (parent.text or "") + child
        elif child is not None:
            parent.append(child)


def prose(text: str) -> list[Child]:
    """Read a text whose names of metrics and protocols stand in backquotes."""
    parts: list[Child] = []
    for number, part in enumerate(re.split(r"`([^`]*)`", text)):
        parts.append(node("code", part) if number % 2 else part)
    return parts


def embedded(path: Path) -> str:
    """Give a film's or picture's address that holds its bytes.

    Raises:
        ValueError: a file of another kind.
    """
    if path.suffix not in KINDS:
        raise ValueError(f"{path} is neither of {' '.join(KINDS)}: a page holds nothing else")
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def document(title: str, style: str, script: str, *body: Child) -> str:
    """Write a whole page, which the browser lets fetch nothing."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; media-src data:"
    )
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("title", title),
        node("style", style),
    )
    page = node("html", head, node("body", *body, node("script", script)), lang="en")
    return f"<!doctype html>\n{tostring(page, encoding='unicode', method='html')}\n"
