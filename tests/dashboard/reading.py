"""Pages of the dashboard as a tree of elements, found by id, tag and class; a page that is not well-formed fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.test import Client

ROOT = "/costs/"
VOID = {"meta", "link", "input", "img", "br"}


@dataclass(slots=True)
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "", *, class_: str = "") -> list[Element]:
        """Those below it with that tag and that class, in order."""
        return [
            one
            for one in self._below()
            if tag in ("", one.tag) and (not class_ or class_ in one.attributes.get("class", "").split())
        ]

    def one(self, tag: str = "", *, class_: str = "") -> Element:
        """The only one of them."""
        [found] = self.all(tag, class_=class_)
        return found

    def by_id(self, id_: str) -> Element:
        """The one with that id."""
        [found] = [one for one in self._below() if one.attributes.get("id") == id_]
        return found

    def has(self, id_: str) -> bool:
        """Whether there is one with that id."""
        return any(one.attributes.get("id") == id_ for one in self._below())

    @property
    def text(self) -> str:
        """What can be read in it, with single blanks."""
        parts = (child if isinstance(child, str) else f" {child.text} " for child in self.children)
        return " ".join("".join(parts).split())

    @property
    def rows(self) -> list[list[str]]:
        """Of a table: the cells of each row of its body."""
        body = self.one("tbody")
        return [[cell.text for cell in row.children if isinstance(cell, Element)] for row in body.all("tr")]

    def _below(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child._below()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        one = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(one)
        if tag not in VOID:
            self.open.append(one)

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> where <{closed.tag}> is open"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def document(html: str) -> Element:
    """The tree of a page, or of a part of one; every element is closed, and no id is there twice."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root], f"never closed: {[one.tag for one in reader.open[1:]]}"
    ids = [one.attributes["id"] for one in reader.root.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids)), f"ids that are there twice: {sorted({one for one in ids if ids.count(one) > 1})}"
    return reader.root


def opened(client: Client, path: str = "", /, *, answers: int = 200, **query: str) -> Element:
    """The page of that path below the dashboard's own."""
    answer = client.get(ROOT + path, query)
    assert answer.status_code == answers, (answer.status_code, answer.content[-2000:])
    return document(answer.content.decode())


def tile(page: Element, id_: str) -> str:
    """What a tile says."""
    return page.by_id(f"ct-tile-{id_}").text
