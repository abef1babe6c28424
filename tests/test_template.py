import jinja2
import pytest

from qc_builder_lora.errors import InputError, NotFound
from qc_builder_lora.template import GEMMA, INST, TEMPLATES, extract_code, get_template, user_text

STRATEGY = """from AlgorithmImports import *


class Cross(QCAlgorithm):
    def initialize(self):
        self.set_cash(100000)
"""


def as_jinja(template, messages, **environment):
    source = jinja2.Environment(keep_trailing_newline=True, **environment).from_string(
        template.jinja
    )
    return source.render(messages=messages, bos_token="<BOS>", add_generation_prompt=True)


def test_gemma_text_is_exactly_the_turns():
    assert GEMMA.render("Buy SPY", system="Be brief") == (
        "<start_of_turn>user\nBe brief\n\nBuy SPY<end_of_turn>\n<start_of_turn>model\n"
    )
    assert GEMMA.completion(STRATEGY).endswith("(100000)<end_of_turn>")


def test_inst_prompt_ends_at_the_bracket_and_the_blank_belongs_to_the_completion():
    assert INST.render("Buy SPY", context="x = 1") == "[INST] Buy SPY\n\nx = 1 [/INST]"
    assert INST.completion("pass") == " pass</s>"


def test_no_text_carries_the_bos_token_that_the_tokenizer_adds():
    for template in TEMPLATES.values():
        assert template.bos
        assert not template.render("a", "b", "c").startswith(("<bos>", "<s>"))


CONVERSATIONS = [
    [("system", "Be brief"), ("user", "Buy SPY")],
    [("user", "  Buy SPY \n")],
    [("user", "a"), ("assistant", "b\n"), ("user", "c")],
    [("system", "x"), ("developer", "y"), ("user", "a"), ("assistant", "b"), ("user", "c")],
    [("system", ""), ("user", "a")],
]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
@pytest.mark.parametrize("turns", CONVERSATIONS)
@pytest.mark.parametrize("trim", [False, True])
def test_chat_template_gives_the_same_text(name, turns, trim):
    template = get_template(name)
    messages = [{"role": role, "content": content} for role, content in turns]
    rendered = as_jinja(template, messages, trim_blocks=trim, lstrip_blocks=trim)
    assert rendered == "<BOS>" + template.render_messages(messages)


def test_unknown_role_is_refused_by_name():
    with pytest.raises(InputError, match=r"role 'robot'\. Roles are system, user and assistant"):
        GEMMA.render_messages([{"role": "robot", "content": "x"}])


def test_unknown_template_names_the_known_ones():
    with pytest.raises(NotFound, match=r"No template named 'chatml'.*gemma, inst"):
        get_template("chatml")


def test_system_text_alone_becomes_a_turn():
    assert GEMMA.render_messages([{"role": "system", "content": "hi"}]) == GEMMA.render("hi")


def test_user_text_leaves_out_an_empty_context():
    assert user_text(" a ", "") == "a"
    assert user_text("a", " b\n") == "a\n\nb"


def test_answer_that_is_code_is_kept_whole():
    assert extract_code("\n" + STRATEGY) == STRATEGY


def test_code_is_taken_out_of_a_fence_between_prose():
    assert extract_code(f"Sure!\n\n```python\n{STRATEGY}```\nEnjoy: it's good.") == STRATEGY


def test_longest_python_block_wins_over_a_longer_shell_one():
    shell = "```bash\n" + "pip install lean\n" * 50 + "```\n"
    assert extract_code(f"Run\n{shell}then\n```py\nx = 1\n```\nor\n```\n{STRATEGY}```") == STRATEGY


def test_prose_in_an_untagged_fence_loses_to_shorter_code():
    prose = "```\n" + "This block only explains what the other one does, at length\n" * 9 + "```\n"
    assert extract_code(f"Well\n{prose}and\n```\n{STRATEGY}```") == STRATEGY


def test_fence_that_was_cut_off_still_counts():
    assert extract_code(f"Here:\n```python\n{STRATEGY}") == STRATEGY


def test_leading_prose_without_a_fence_is_stripped():
    assert extract_code("Here is what you asked for.\n\n" + STRATEGY) == STRATEGY


def test_prose_that_reads_like_a_statement_is_not_code():
    answer = f"# Strategy\nimport the library first.\nclass of 2020.\n{STRATEGY}and that is all"
    assert extract_code(answer).startswith("from AlgorithmImports")


def test_fence_inside_a_docstring_does_not_cut_the_code():
    code = 'def f():\n    """Use it:\n\n    ```python\n    f()\n    ```\n    """\n    return 1\n'
    assert extract_code(code) == code


def test_windows_line_ends_are_read():
    assert extract_code("Sure\r\n```python\r\nx = 1\r\n```\r\n") == "x = 1\n"


def test_text_without_code_stays_as_it_is():
    assert extract_code("I cannot do that, sorry.") == "I cannot do that, sorry.\n"
    assert extract_code("  ") == ""


def test_broken_code_stays_broken():
    broken = "from AlgorithmImports import *\nclass A(\n    pass\n"
    assert extract_code(broken) == broken


def test_null_bytes_and_deep_nesting_do_not_raise():
    assert extract_code("x\0y") == "x\0y\n"
    assert extract_code("(" * 5000).startswith("(((")
