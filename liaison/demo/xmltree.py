"""Writing XML: one function that makes an element with its attributes and content."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def node(tag: str, *content: str | ET.Element, **attributes: str) -> ET.Element:
    """An element; text comes before any child element, as CDA data types have it, or between them as the narrative does."""
    element = ET.Element(tag, attributes)
    last: ET.Element | None = None
    for part in content:
        if isinstance(part, ET.Element):
            element.append(part)
            last = part
        elif last is None:
            element.text = (element.text or "") + part
        else:
            last.tail = (last.tail or "") + part
    return element
