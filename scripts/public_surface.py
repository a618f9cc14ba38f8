"""Write what users may rely on: docs/public-surface.txt, and the API reference of each room in docs/api/.

docs/api/heads.toml says what users look up, the heads, and what belongs under each. Nothing is imported: the names are
those of each room's `__all__`, and kind and signature are read from the file that defines them. A change of these files
is a change that users feel, and belongs into CHANGELOG.md.

    python scripts/public_surface.py
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "public-surface.txt"
API = ROOT / "docs" / "api"
SOURCE = ROOT / "src"

_HEADER = """\
What users may rely on, room by room. A name at the margin is what one looks up; under it, indented, is what it takes,
gives or is used with. Everything else, sub-rooms such as seedbed.records.storage included, may change at any time.
Written by scripts/public_surface.py; a change of it belongs into CHANGELOG.md.
"""
_KIND_OF_BASE = {"StrEnum": "enum", "IntEnum": "enum", "Message": "message", "BaseModel": "message"} | {
    "Protocol": "protocol"
}
_FIELDS_ARE_ARGUMENTS = ("dataclass", "message")

Heads: TypeAlias = Mapping[str, Sequence[str]]
"""The heads of a room, and the names under each."""


def heads() -> dict[str, Heads]:
    """Every room's heads, as docs/api/heads.toml has them."""
    return {f"seedbed.{room}": names for room, names in tomllib.loads((API / "heads.toml").read_text("utf-8")).items()}


def pages() -> dict[Path, str]:
    """Everything that is written, each file with its text."""
    rooms = {API / f"{room.removeprefix('seedbed.')}.md": api_page(room, named) for room, named in heads().items()}
    return {TARGET: surface(), **rooms}


def surface() -> str:
    """The whole of docs/public-surface.txt."""
    return _HEADER + "".join(f"\n{room}\n{'-' * len(room)}\n{_listed(room, names)}" for room, names in heads().items())


def api_page(room: str, names: Heads) -> str:
    """One room's page of the API reference, for mkdocstrings to fill in."""
    source = _file(room).relative_to(ROOT).as_posix()
    doc = (ast.get_docstring(_module(room)) or "").partition("\n\n")[0]
    lines = [f"# {room}", "", doc, "", f"In the source: [`{source}`](../../{source}).", ""]
    for head, under in names.items():
        lines += [f"::: {_path(room, head)}", ""]
        for name in under:
            lines += [f"::: {_path(room, name)}", "    options:", "      heading_level: 3", ""]
    return "\n".join(lines)


def exported(room: str) -> list[str]:
    """The names in the room's `__all__`."""
    statement = next(node for node in _module(room).body if _assigns(node, "__all__"))
    return sorted(ast.literal_eval(ast.unparse(statement).partition("=")[2].strip()))


def _listed(room: str, names: Heads) -> str:
    lines: list[str] = []
    for head, under in names.items():
        lines += _described(room, head, "")
        for name in under:
            lines += _described(room, name, "    ")
    return "".join(f"{line}\n" for line in lines)


def _described(room: str, name: str, indent: str) -> Iterator[str]:
    for qualified, kind, signature in _describe(*_definition(room, name)):
        shown = f"  .{qualified.partition('.')[2]}" if "." in qualified else qualified
        yield f"{indent}{shown}  {kind}  {signature}".rstrip()


def _path(room: str, name: str) -> str:
    """Where mkdocstrings finds a name; a sub-room of the same name, such as records.compare, offers it too."""
    is_folder = (_file(room).parent / name).is_dir()
    return f"{room}.{name}.{name}" if is_folder else f"{room}.{name}"


def _file(module: str) -> Path:
    path = SOURCE.joinpath(*module.split("."))
    candidates = (path / "__init__.pyi", path / "__init__.py", path.with_suffix(".py"))
    return next(candidate for candidate in candidates if candidate.exists())


@cache
def _module(name: str) -> ast.Module:
    return ast.parse(_file(name).read_text("utf-8"))


def _definition(module: str, name: str) -> tuple[str, ast.stmt]:
    """The name and the statement that defines it, through any re-export."""
    for node in _module(module).body:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and name in [alias.asname or alias.name for alias in node.names]
        ):
            return _definition(f"{module}.{node.module}" if node.level else node.module, name)
        if getattr(node, "name", None) == name or _assigns(node, name):
            return name, node
    raise LookupError(f"{module} lists {name} in __all__ and does not define it")


def _assigns(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _describe(name: str, node: ast.stmt) -> Iterator[tuple[str, str, str]]:
    match node:
        case ast.ClassDef():
            yield from _describe_class(name, node)
        case ast.FunctionDef():
            yield name, "function", _call(node.args, node.returns)
        case (
            ast.AnnAssign(annotation=ast.Name(id="TypeAlias"), value=ast.expr() as value)
            | ast.Assign(value=ast.Subscript() | ast.BinOp() as value)
        ):
            yield name, "type", ast.unparse(value)
        case ast.AnnAssign():
            yield name, "constant", ast.unparse(node.annotation)
        case ast.Assign(value=ast.Call(func=func)):
            yield name, "constant", ast.unparse(func)
        case ast.Assign(value=ast.Constant(value=value)):
            yield name, "constant", type(value).__name__
        case _:
            raise LookupError(f"{name} is neither class, function, type nor annotated constant: {ast.unparse(node)}")


def _describe_class(name: str, node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    kind = _kind(node)
    yield name, kind, _constructor(node, kind)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            yield f"{name}.{member.name}", *_describe_member(member)


def _describe_member(member: ast.FunctionDef) -> tuple[str, str]:
    decorators = [ast.unparse(decorator) for decorator in member.decorator_list]
    if any("property" in decorator for decorator in decorators):
        return "property", "" if member.returns is None else ast.unparse(member.returns)
    return "method", _call(member.args, member.returns, bound="staticmethod" not in decorators)


def _kind(node: ast.ClassDef) -> str:
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return "dataclass"
    bases = [ast.unparse(base) for base in node.bases]
    return next((_KIND_OF_BASE[base] for base in bases if base in _KIND_OF_BASE), "class")


def _constructor(node: ast.ClassDef, kind: str) -> str:
    if kind == "enum":
        return ", ".join(ast.unparse(member.targets[0]) for member in node.body if isinstance(member, ast.Assign))
    if kind in _FIELDS_ARE_ARGUMENTS:
        fields = [member for member in node.body if isinstance(member, ast.AnnAssign)]
        return f"({', '.join(map(_field, fields))})"
    made = [member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"]
    if made:
        return _call(made[0].args, None, bound=True)
    return f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases and kind == "class" else ""


def _field(field: ast.AnnAssign) -> str:
    return f"{ast.unparse(field.target)}: {ast.unparse(field.annotation)}" + ("" if field.value is None else "=...")


def _call(arguments: ast.arguments, returns: ast.expr | None, *, bound: bool = False) -> str:
    if bound and arguments.args:
        arguments = ast.arguments(**{**dict(ast.iter_fields(arguments)), "args": arguments.args[1:]})
    return f"({ast.unparse(arguments)})" + ("" if returns is None else f" -> {ast.unparse(returns)}")


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)} and {len(heads())} pages of {API.relative_to(ROOT)}")
