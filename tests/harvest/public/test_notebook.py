import ast
import json

import pytest

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.public.notebook import cells_of

from .texts import STRATEGY, named, notebook


def test_cells_with_a_strategy_come_with_imports_before_them_and_the_prose_above() -> None:
    text = notebook(
        ("code", "%matplotlib inline\nimport numpy as np\nqb = QuantBook()\n"),
        ("markdown", "## Trend of [IBM](http://x)\nFollows *IBM*.\n"),
        ("code", "!pip install x\n" + named("First")),
        ("code", "print(1)"),
        ("code", named("Second")),
    )
    first, second = cells_of(text)
    assert (first.number, second.number) == (3, 5)
    assert first.code.startswith("import numpy as np\n")
    assert "pip" not in first.code
    assert "QuantBook" not in first.code
    assert first.about == "Trend of IBM Follows IBM."
    assert second.about is None
    assert ast.parse(first.code)


def test_a_notebook_of_research_alone_has_no_strategy() -> None:
    assert list(cells_of(notebook(("code", "qb = QuantBook()  # no QCAlgorithm here")))) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"cells": 3}',
        STRATEGY,
        "[" * 100_000,
        '{"worksheets": {"cells": []}}',
    ],
)
def test_what_is_no_notebook_says_so(text: str) -> None:
    with pytest.raises(InputError, match="not a notebook"):
        list(cells_of(text))


def test_a_notebook_of_format_3_is_read_like_one_of_format_4() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["Trend of IBM\n"]},
        {"cell_type": "code", "input": ["%%time\n", *STRATEGY.splitlines(keepends=True)]},
    ]
    old = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}, {}, 3]})
    (one,) = cells_of(old)
    assert (one.number, one.code, one.about) == (2, STRATEGY, "Trend of IBM")
    assert list(cells_of('{"worksheets": []}')) == []


def test_cells_of_an_odd_shape_are_passed_over() -> None:
    odd = '{"cells": [null, 3, {"cell_type": "code"}, {"cell_type": "code", "source": [1, {}]}]}'
    assert list(cells_of(odd)) == []
