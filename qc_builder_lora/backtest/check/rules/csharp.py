"""C# in Python's clothes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake

_LINQ = {
    "ForEach": "for item in items:",
    "Select": "[f(item) for item in items]",
    "SelectMany": "[part for item in items for part in item]",
    "Where": "[item for item in items if f(item)]",
    "OrderBy": "sorted(items, key=f)",
    "OrderByDescending": "sorted(items, key=f, reverse=True)",
    "ThenBy": "sorted(items, key=lambda item: (f(item), g(item)))",
    "ThenByDescending": "sorted(items, key=...)",
    "ToList": "list(items)",
    "ToDictionary": "{key(item): item for item in items}",
    "FirstOrDefault": "next(iter(items), None)",
    "LastOrDefault": "items[-1] if items else None",
    "Skip": "items[n:]",
    "Take": "items[:n]",
}


def _linq(code: Code) -> Iterator[Found]:
    imported = {name.asname or name.name.partition(".")[0] for _, name in code.imported}
    imported |= {"Enumerable", "Linq"}
    for call in code.all(ast.Call):
        function = call.func
        if not isinstance(function, ast.Attribute) or function.attr in code.own_names:
            continue
        base = function.value.id if isinstance(function.value, ast.Name) else ""
        if base in imported:
            continue
        frame = function.attr == "GetValue" and code.types.of(function.value) == "DataFrame"
        if function.attr in _LINQ or frame:
            yield Found(
                node=call,
                message=f"{function.attr} is C#'s; Python's collections do not have it",
                cure=f"Write {_LINQ.get(function.attr, 'frame.loc[row, column]')}",
            )


LINQ = Rule(
    id="QC005",
    name="csharp-idiom",
    severity=Severity.ERROR,
    summary="C#'s way to go through a collection.",
    why="Select, Where, OrderBy, ForEach and their like are extension methods of C#. Python does not "
    "see them on LEAN's collections, and lists, dicts and frames never had them: AttributeError.",
    bad="def _trade(self):\n    held = self.portfolio.values().Where(lambda h: h.invested)\n"
    "    self.log(str(held))\n",
    good="def _trade(self):\n    held = [h for h in self.portfolio.values() if h.invested]\n"
    "    self.log(str(held))\n",
    find=_linq,
)

_WORDS = {"true": "True", "false": "False", "null": "None", "nil": "None", "undefined": "None"}


def _foreign_words(code: Code) -> Iterator[Found]:
    bound = {node.id for node in code.all(ast.Name) if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in code.all(ast.arg)}
    for node in code.all(ast.Name):
        if node.id in _WORDS and node.id not in bound and isinstance(node.ctx, ast.Load):
            yield Found(
                node=node,
                message=f"Python has no {node.id}",
                cure=f"Write {_WORDS[node.id]}",
                edits=(code.instead(node, _WORDS[node.id]),),
            )


FOREIGN_WORDS = Rule(
    id="QC046",
    name="foreign-constant",
    severity=Severity.ERROR,
    summary="true, false or null as other languages write them.",
    why="To Python they are names like any other, and nothing has these names: NameError when the "
    "line is reached.",
    bad="def on_data(self, data):\n    self._done = true\n",
    good="def on_data(self, data):\n    self._done = True\n",
    find=_foreign_words,
    repairs=True,
)

_PLAIN = ("datetime", "float", "int", "bool")


def _to_string(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        function = call.func
        if not isinstance(function, ast.Attribute) or snake(function.attr) != "to_string":
            continue
        if code.types.of(function.value) in _PLAIN:
            text = f"str({code.source(function.value)})"
            yield Found(
                node=call,
                message=f"{code.source(function.value)} is Python's own and has no {function.attr}",
                cure=f"Write {text}, or format it in an f-string",
                edits=(code.instead(call, text),) if not call.args else (),
            )


TO_STRING = Rule(
    id="QC072",
    name="to-string",
    severity=Severity.ERROR,
    summary="ToString of a number or a time.",
    why="LEAN hands numbers and times to Python as Python's own float and datetime, which have no "
    "ToString: AttributeError.",
    bad="def on_data(self, data):\n    self.log(self.time.ToString())\n",
    good="def on_data(self, data):\n    self.log(str(self.time))\n",
    find=_to_string,
    repairs=True,
)

_DOTNET_TIME = {
    "DayOfWeek": "weekday()", "AddDays": "+ timedelta(days)", "Date": "date()",
    "TimeOfDay": "time()", "Hour": "hour", "Minute": "minute", "Second": "second", "Day": "day",
    "Month": "month", "Year": "year", "DayOfYear": "timetuple().tm_yday", "AddHours": "+ timedelta",
    "AddMinutes": "+ timedelta", "AddMonths": "+ relativedelta", "ToString": "strftime(...)",
    "day_of_week": "weekday()", "add_days": "+ timedelta(days)", "time_of_day": "time()",
    "day_of_year": "timetuple().tm_yday",
}  # fmt: skip


def _dotnet_time(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Attribute):
        if node.attr not in _DOTNET_TIME or code.types.of(node.value) != "datetime":
            continue
        instead = _DOTNET_TIME[node.attr]
        plain = instead.isidentifier() or instead.endswith("()")
        parent = code.parent(node)
        called = isinstance(parent, ast.Call) and parent.func is node
        if node.attr == "ToString":
            continue  # has a rule of its own
        yield Found(
            node=node,
            message=f"{code.source(node.value)} is Python's datetime and has no {node.attr}",
            cure=f"Write {instead}",
            edits=(code.rename(node, instead),) if plain and not called else (),
        )


DOTNET_TIME = Rule(
    id="QC073",
    name="dotnet-time",
    severity=Severity.ERROR,
    summary="A member of .NET's DateTime asked of a Python datetime.",
    why="LEAN hands times to Python as datetime. self.Time.Hour, DayOfWeek and AddDays are .NET's "
    "and raise AttributeError; Python has hour, weekday() and + timedelta.",
    bad="def on_data(self, data):\n    if self.time.Hour == 10:\n        self.liquidate()\n",
    good="def on_data(self, data):\n    if self.time.hour == 10:\n        self.liquidate()\n",
    find=_dotnet_time,
    repairs=True,
)

RULES = (LINQ, FOREIGN_WORDS, TO_STRING, DOTNET_TIME)
