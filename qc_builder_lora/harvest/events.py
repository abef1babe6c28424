"""The vocabulary between the hooks and the store: the host's names, the kinds of records in a
spool, and the tools of a QuantConnect MCP server under the names its versions give them.
"""

from __future__ import annotations

# The kinds of records. Stored in spools that may be read years later: never rename one.
OPENED = "opened"
MAIN_START = "main_start"
MAIN_END = "main_end"
NOTIFIED = "notify"
FITNESS = "fitness"
ROLLBACK = "rollback"
CLASSIFIED = "classify"
ERROR = "error"
MCP = "mcp"
CODER = "coder"
CODER_FILE = "coder_file"
KINDS = (
    OPENED, MAIN_START, MAIN_END, NOTIFIED, FITNESS, ROLLBACK, CLASSIFIED, ERROR, MCP, CODER,
    CODER_FILE,
)  # fmt: skip

HOST_CLASSES = {
    "FitnessTracker": ("record", "should_rollback"),
    "ErrorClassifier": ("classify", "record_error"),
}
HOST_FUNCTIONS = ("notify_build_progress", "call_mcp_with_retry", "main")
HOST_NAMES = (*HOST_CLASSES, *HOST_FUNCTIONS)
HOOKED_NAMES = (
    *(f"{owner}.{method}" for owner, methods in HOST_CLASSES.items() for method in methods),
    *HOST_FUNCTIONS,
)
HOST_MODULE = "autonomous_build"
"""The name under which another script imports the host."""

# What `notify_build_progress` tells.
SPEC_SUBMITTED = "spec_submitted"
ITERATION_START = "iteration_start"
BACKTEST_COMPLETE = "backtest_complete"
NEXT_ITERATION = "next_iteration"
BUILD_COMPLETE = "build_complete"

CREATE_PROJECT = "create_project"
WRITE_FILE = "write_file"
READ_FILE = "read_file"
COMPILE = "compile"
READ_COMPILE = "read_compile"
CREATE_BACKTEST = "create_backtest"
READ_BACKTEST = "read_backtest"

_TOOLS = {
    CREATE_PROJECT: ("create_project", "projects/create"),
    WRITE_FILE: (
        "create_file",
        "update_file_content",
        "update_file_contents",
        "update_file",
        "files/create",
        "files/update",
    ),
    READ_FILE: ("read_file", "files/read"),
    COMPILE: ("compile_project", "create_compile", "compile/create"),
    READ_COMPILE: ("read_compilation_result", "read_compile", "compile/read"),
    CREATE_BACKTEST: ("create_backtest", "backtests/create"),
    READ_BACKTEST: ("read_backtest", "read_backtest_results", "backtests/read"),
}
_TOOL_OF = {alias: tool for tool, aliases in _TOOLS.items() for alias in aliases}


def tool_named(name: object) -> str | None:
    """Our word for a tool of the QuantConnect server; None for all others."""
    return _TOOL_OF.get(name) if isinstance(name, str) else None
