"""Write docs/public-surface.txt: what each room offers, one line a name, as its source states it.

Nothing is imported: the names are those of each room's `__all__`, and kind and signature are read from the file that
defines them. A change of the file is a change that users feel, and belongs into CHANGELOG.md.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "public-surface.txt"
SOURCE = ROOT / "src"

_KIND_OF_BASE = {"StrEnum": "enum", "Message": "message", "BaseModel": "message", "Protocol": "protocol"}
_FIELDS_ARE_ARGUMENTS = ("dataclass", "message")


def surface() -> str:
    """The whole file's text."""
    return "".join(f"{line}\n" for room in _rooms() for line in _lines_of_room(room))


def _rooms() -> list[str]:
    package = SOURCE / "seedbed"
    folders = [init.parent for init in package.rglob("__init__.py")]
    return sorted(
        ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in (*folders, package / "errors.py")
    )


def _lines_of_room(room: str) -> Iterator[str]:
    for name in _exported(room):
        for qualified, kind, signature in _describe(*_definition(room, name)):
            yield f"{room}.{qualified}  {kind}  {signature}".rstrip()


@cache
def _module(name: str) -> ast.Module:
    path = SOURCE.joinpath(*name.split("."))
    stub, init = path / "__init__.pyi", path / "__init__.py"
    return ast.parse((stub if stub.exists() else init if path.is_dir() else path.with_suffix(".py")).read_text("utf-8"))


def _exported(room: str) -> list[str]:
    statement = next(node for node in _module(room).body if _assigns(node, "__all__"))
    return sorted(ast.literal_eval(ast.unparse(statement).partition("=")[2].strip()))


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
    TARGET.write_text(surface(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")
