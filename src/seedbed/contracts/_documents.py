"""The one way to read YAML and JSON that people write: a key that stands twice is refused, so that no value is lost."""

import json
import re
from typing import Any

import yaml

__all__ = ["parse_json_once", "parse_yaml"]

_MERGE = "tag:yaml.org,2002:merge"
_OTHER_BASE = re.compile(r"[-+]?(0[0-9_]+|[0-9_.]+(:[0-9_.]+)+)")
"""A number to the base of 8 or of 60, as YAML 1.1 reads 010 and 1:30, and nobody who writes them."""


class _Loader(yaml.SafeLoader):
    """Plain values alone. Whatever is wrong is a `yaml.YAMLError` with its line, also where PyYAML raises others."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping whose keys differ. It is looked at as it is written, since what `<<` merges may be overridden."""
        mapping = super().compose_mapping_node(anchor)
        lines: dict[Any, int] = {}
        for key, _ in mapping.value:
            if isinstance(key, yaml.ScalarNode):
                name = key.value if key.tag == _MERGE else self.construct_object(key)
                if name in lines:
                    twice = f"{key.value} appears twice under one heading, first on line {lines[name]}"
                    raise yaml.MarkedYAMLError(problem=f"{twice}; keep one of them", problem_mark=key.start_mark)
                lines[name] = key.start_mark.line + 1
        return mapping

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node. A number that YAML reads as another than it looks is refused."""
        try:
            found = super().construct_object(node, deep=deep)
        except (AttributeError, LookupError, OverflowError, ValueError) as problem:
            kind, mark = node.tag.rpartition(":")[2], node.start_mark
            raise yaml.MarkedYAMLError(problem=f"it is no {kind}: {problem}", problem_mark=mark) from None
        if type(found) in {int, float} and found != 0 and _OTHER_BASE.fullmatch(node.value):
            reads = (
                f"YAML reads {node.value} as {found!r}; write {found!r} if you mean that, or '{node.value}' for a text"
            )
            raise yaml.MarkedYAMLError(problem=reads, problem_mark=node.start_mark)
        return found


def parse_yaml(text: str) -> Any:
    """The plain value that YAML or JSON in `text` means. Raises yaml.YAMLError, also for a key that stands twice."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply; write it flatter") from None
    except (OverflowError, ValueError) as problem:  # the scanner's, such as for a character beyond all
        raise yaml.MarkedYAMLError(problem=f"it cannot be read: {problem}", problem_mark=loader.get_mark()) from None


def parse_json_once(data: str | bytes) -> Any:
    """The value that JSON means. Raises ValueError, also for a key that stands twice in one object."""
    try:
        return json.loads(data, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deeply; write it flatter") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} appears twice in one object; keep one of them")
        found[key] = value
    return found
