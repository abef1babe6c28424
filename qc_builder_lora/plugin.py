"""What the host loads: hooks on the names of `autonomous_build.py`.

Two ways, neither of which needs an edit of the host's logic:

    qc-lora run autonomous_build.py ARGS...

or one line in the host, above its `if __name__ == "__main__":`

    import qc_builder_lora; qc_builder_lora.install(sys.modules[__name__])

What is recorded goes to an append-only file under the home and from there, later, to the store.
Nothing here raises into the host. Two things of ours can be seen by a host that looks for them:
the hooked functions are `wrapt` proxies, and a listing of the call stack (not a traceback) has
lines of ours in it.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from qc_builder_lora.harvest.hooks import Hooks

SPOOL_FOLDER = "spool"
_ATTACH = "__qc_lora_attach__"


class Installed(NamedTuple):
    """What `install` did; asked again at any time for what it has recorded."""

    hooks: Hooks | None
    problem: str | None = None
    """Why there are no hooks (the host runs as without us), or what is wrong with the settings."""

    def status(self) -> dict[str, Any]:
        """Names hooked and missing, records written and lost, and the file they are in."""
        if self.hooks is None:
            return {"hooked": [], "missing": [], "problem": self.problem}
        writer = self.hooks.writer
        return {
            "hooked": list(self.hooks.hooked),
            "missing": list(self.hooks.missing),
            "recorded": writer.recorded,
            "lost": writer.lost,
            "last_error": writer.last_error,
            "spool": str(writer.path) if writer.path else None,
            "problem": self.problem,
        }


def install(module: ModuleType, home: Path | str | None = None) -> Installed:
    """Attach the hooks to the host's names in a module. Never raises.

    A name the module does not have, or has as something else, is listed by `status`.
    """
    try:
        folder, problem = (Path(home), None) if home is not None else usable_home()
        hooks = _hooks_of_this_process(folder)
        for name, value in list(vars(module).items()):
            hooked = hooks.attach(name, value)
            if hooked is not value:
                setattr(module, name, hooked)
        hooks.attach_coder()
    except Exception as error:  # noqa: BLE001 (the host must not notice, whatever it is)
        return Installed(None, f"{type(error).__name__}: {error}")
    return Installed(hooks, problem)


def run_script(path: Path | str, argv: Sequence[str] = (), home: Path | str | None = None) -> int:
    """Run a script as `python PATH ARGV` would, with hooks; its exit code, negative for a signal.

    It runs in a process of its own: standard streams, signals and exit code are passed through.
    """
    from qc_builder_lora.harvest.supervise import supervise

    launch = Path(__file__).with_name("harvest") / "launch.py"
    folder = str((usable_home()[0] if home is None else Path(home)).absolute())
    return supervise(
        [sys.executable, str(launch), folder, str(path), *argv],
        instead=[sys.executable, str(path), *argv],
    )


def usable_home() -> tuple[Path, str | None]:
    """The home to record under, and what is wrong with the settings if they cannot be read.

    A broken settings file must not cost the host's work: the default home is used then.
    """
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.errors import QcLoraError

    try:
        return load_settings().home, None
    except (QcLoraError, OSError) as error:
        return Path(os.environ.get("QC_LORA_HOME") or ".qc-lora"), str(error)


def prepare_script(source: bytes, filename: str, home: str, main: ModuleType) -> CodeType:
    """The script's code with hooks attached to `main` as its names are defined.

    For `harvest/launch.py` only. Raises whatever goes wrong; the script then runs without us.
    """
    import wrapt

    from qc_builder_lora.harvest.events import HOST_MODULE

    hooks = _hooks_of_this_process(home)
    setattr(builtins, _ATTACH, _attacher(hooks, vars(main)))
    # For a script that imports the host.
    wrapt.register_post_import_hook(lambda module: install(module, home), HOST_MODULE)
    tree = _AttachAfter().visit(ast.parse(source, filename))
    code: CodeType = compile(tree, filename, "exec", dont_inherit=True)
    hooks.attach_coder()
    return code


_process_hooks: dict[str, Hooks] = {}


def _hooks_of_this_process(home: Path | str) -> Hooks:
    """One set of hooks a home, so that installing twice does not record twice."""
    from qc_builder_lora.harvest.hooks import Hooks
    from qc_builder_lora.harvest.spool import SpoolWriter

    # Absolute now: the host may change its working folder.
    folder = str(Path(home).absolute() / SPOOL_FOLDER)
    if folder not in _process_hooks:
        _process_hooks[folder] = Hooks(SpoolWriter(folder))
    return _process_hooks[folder]


def _attacher(hooks: Hooks, names: dict[str, Any]) -> Callable[[str], None]:
    from qc_builder_lora.harvest.events import HOST_NAMES

    def attach(name: str) -> None:
        for wanted in HOST_NAMES if name == "*" else (name,):
            try:
                names[wanted] = hooks.attach(wanted, names[wanted])
            except Exception as error:  # noqa: BLE001 (the host must not notice)
                hooks.writer.last_error = f"{type(error).__name__}: {error}"

    return attach


class _AttachAfter(ast.NodeTransformer):
    """Adds a call of ours after each statement of module level that binds a name of the host.

    A namespace that hooks names as they are stored would do without this, but Python looks every
    name of module level up in it, which a host that works at module level would pay for.
    """

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                setattr(node, field, [item for old in statements for item in self._with_call(old)])
        return node

    def _with_call(self, statement: ast.AST) -> list[ast.AST]:
        names = _bound(statement)
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.generic_visit(statement)
        return [statement, *(_call(name, statement) for name in names)]


def _bound(statement: ast.AST) -> list[str]:
    from qc_builder_lora.harvest.events import HOST_NAMES

    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            names = [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            names = [alias.asname or alias.name for alias in aliases]
        case ast.Assign(targets=targets):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        case _:
            return []
    return [name for name in names if name in HOST_NAMES or name == "*"]


def _call(name: str, statement: ast.AST) -> ast.stmt:
    call = ast.Expr(ast.Call(ast.Name(_ATTACH, ast.Load()), [ast.Constant(name)], []))
    return ast.fix_missing_locations(ast.copy_location(call, statement))
