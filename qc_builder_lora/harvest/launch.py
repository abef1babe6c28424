"""Run one script as `python SCRIPT ARGS` would, with the hooks attached as its names are defined.

Started by path, as `python launch.py HOME SCRIPT ARGS`, in a process of its own; never imported.
It reads the script, adds a call after each statement that defines one of the host's names (the
file is not touched, and line numbers stay), empties its own namespace and becomes the script:
exit code, tracebacks, Ctrl-C, exit functions and `__main__` are then Python's own doing. If
anything on our side fails before that, it replaces itself by plain `python SCRIPT ARGS`.
"""

import sys


def _become_script():  # type: ignore[no-untyped-def]
    """The script's code object; on return nothing of this file is left in `__main__`."""
    import os

    home, script, *arguments = sys.argv[1:]
    flags = sys.orig_argv[1 : -len(sys.argv)]
    try:
        code = _prepare(home, script)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 (whatever it is, the host must run)
        _note(home, script, error)  # type: ignore[no-untyped-call]
        os.execv(sys.executable, [sys.executable, *flags, script, *arguments])
    sys.argv[:] = [script, *arguments]
    sys.orig_argv[1:] = [*flags, script, *arguments]
    names = globals()
    path = names["__loader__"].path
    # As Python does it: absolute, but neither resolved nor normalised.
    names["__file__"] = names["__loader__"].path = os.path.join(os.getcwd(), script)  # noqa: PTH109, PTH118
    if sys.path and sys.path[0] == os.path.dirname(os.path.realpath(path)):  # noqa: PTH120
        sys.path[0] = os.path.dirname(os.path.realpath(script))  # noqa: PTH120
    names["__doc__"] = None
    for name in ("sys", "_become_script", "_prepare", "_note"):
        del names[name]
    return code


def _prepare(home, script):  # type: ignore[no-untyped-def]
    import os
    import warnings

    with open(script, "rb") as file:  # noqa: PTH123
        source = file.read()
    filename = os.path.join(os.getcwd(), script)  # noqa: PTH109, PTH118
    with warnings.catch_warnings():
        # Only to see whether it compiles: if not, Python itself shall say so.
        warnings.simplefilter("ignore")
        compile(source, filename, "exec", dont_inherit=True)

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    sys.path.insert(0, root)
    try:
        from qc_builder_lora.plugin import prepare_script
    finally:
        sys.path.remove(root)
    return prepare_script(source, filename, home, sys.modules["__main__"])


def _note(home, script, error):  # type: ignore[no-untyped-def]
    import os
    import time

    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        os.makedirs(home, exist_ok=True)  # noqa: PTH103
        with open(os.path.join(home, "run.log"), "a", encoding="utf-8") as log:  # noqa: PTH118, PTH123
            log.write(f"{moment} {script}: run without hooks: {type(error).__name__}: {error}\n")
    except OSError:
        return


try:
    exec(_become_script())  # type: ignore[no-untyped-call]
except BaseException as _error:
    # Leaves this file out of the traceback; a bare `raise` does not add it again.
    _error.__traceback__ = _error.__traceback__ and _error.__traceback__.tb_next
    raise
