"""What stands on a page: its sections, and the words of an element."""

import xml.etree.ElementTree as ET


def text_of(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def section(page: str, name: str) -> ET.Element:
    return next(found for found in ET.fromstring(page).iter("section") if found.get("id") == name)
