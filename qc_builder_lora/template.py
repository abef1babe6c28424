"""The prompt formats, in the one place that training, release and serving share, and the way code
is taken out of an answer.

A model that is served another text than it was trained on answers as if it had not been trained,
so nobody else writes a control token. The BOS token is never part of a text made here: whoever
tokenises adds it once where `Template.bos` says so.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qc_builder_lora.errors import InputError, NotFound

_BLANK_LINE = "\n\n"


@dataclass(frozen=True, kw_only=True)
class Template:
    """How one family of models marks the turns of a conversation."""

    name: str
    bos: bool
    """Whether the tokens start with BOS: the tokenizer's part, never a text's."""
    user_open: str
    user_close: str
    answer_open: str
    answer_lead: str
    """What stands between the prompt and the answer, and belongs to the completion."""
    end_of_turn: str
    """What every completion ends with; the model learns to stop by it."""
    turn_gap: str
    """What follows the end of an answer when the conversation goes on."""
    stop: tuple[str, ...]
    """Texts after which nothing of the answer is left."""

    def render(self, instruction: str, context: str = "", system: str = "") -> str:
        """The exact text before the completion."""
        user = user_text(instruction, context)
        return self.render_messages(
            [{"role": "system", "content": system}, {"role": "user", "content": user}]
        )

    def render_messages(self, messages: Iterable[Mapping[str, str]]) -> str:
        """The exact text before the next answer of a conversation.

        Roles are `system` (or `developer`), `user` and `assistant`. System text goes before the
        next user's text with a blank line, for no template here has a turn of its own for it.
        """
        parts: list[str] = []
        pending: list[str] = []
        for message in messages:
            role, content = message["role"], message["content"].strip()
            if role in ("system", "developer"):
                pending += [content] if content else []
            elif role == "user":
                text = _BLANK_LINE.join([*pending, content])
                parts += [self.user_open, text, self.user_close]
                pending = []
            elif role == "assistant":
                parts += [self.answer_open, self.completion(content), self.turn_gap]
            else:
                raise InputError(
                    f"A message has the role {role!r}. Roles are system, user and assistant."
                )
        if pending:
            parts += [self.user_open, _BLANK_LINE.join(pending), self.user_close]
        return "".join([*parts, self.answer_open])

    def completion(self, answer: str) -> str:
        """The text a model is trained to write after the prompt: lead, answer, end of turn."""
        return self.answer_lead + answer.strip() + self.end_of_turn

    @property
    def jinja(self) -> str:
        """The same as a chat template for other programs: needs `bos_token` and `messages`."""
        # Every literal is an expression: some environments eat the newline after a block tag.
        opened = f"{{{{ {self.user_open!r} + ns.system }}}}"
        lead = f"{{{{ {(self.answer_open + self.answer_lead)!r} }}}}"
        bos = "{{ bos_token }}" if self.bos else ""
        return (
            f"{bos}{{% set ns = namespace(system='') %}}"
            "{% for message in messages %}"
            "{% set content = message['content'] | trim %}"
            "{% if message['role'] in ['system', 'developer'] %}"
            "{% if content %}{% set ns.system = ns.system + content + '\\n\\n' %}{% endif %}"
            "{% elif message['role'] == 'user' %}"
            f"{opened}{{{{ content + {self.user_close!r} }}}}{{% set ns.system = '' %}}"
            "{% else %}"
            f"{lead}{{{{ content + {(self.end_of_turn + self.turn_gap)!r} }}}}"
            "{% endif %}{% endfor %}"
            f"{{% if add_generation_prompt %}}{{{{ {self.answer_open!r} }}}}{{% endif %}}"
        )


GEMMA = Template(
    name="gemma",
    bos=True,
    user_open="<start_of_turn>user\n",
    user_close="<end_of_turn>\n",
    answer_open="<start_of_turn>model\n",
    answer_lead="",
    end_of_turn="<end_of_turn>",
    turn_gap="\n",
    stop=("<end_of_turn>", "<start_of_turn>"),
)

# The prompt ends at the bracket and the blank belongs to the completion: SentencePiece writes a
# word and the blank before it as one token, so a prompt that ends in a blank is never followed
# by the token the model learned.
INST = Template(
    name="inst",
    bos=True,
    user_open="[INST] ",
    user_close=" [/INST]",
    answer_open="",
    answer_lead=" ",
    end_of_turn="</s>",
    turn_gap="",
    stop=("</s>", "[INST]"),
)

TEMPLATES = {template.name: template for template in (GEMMA, INST)}


def get_template(name: str) -> Template:
    """The template of that name; NotFound with the known names otherwise."""
    if name not in TEMPLATES:
        known = ", ".join(sorted(TEMPLATES))
        raise NotFound("template", name, f"Known templates: {known}.", TEMPLATES)
    return TEMPLATES[name]


def user_text(instruction: str, context: str = "") -> str:
    """What the user says: the instruction, and what it refers to after a blank line."""
    return _BLANK_LINE.join(part for part in (instruction.strip(), context.strip()) if part)


_FENCE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+.-]*)[^\n]*\n"
    r"(?P<code>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PYTHON_TAGS = frozenset({"", "python", "python3", "py", "py3"})
# No bare comment here: a Markdown heading looks the same.
_STATEMENT = re.compile(
    r"^(?:from\s+[\w.]+\s+import\b|import\s+[\w.]+\s*(?:,|as\b|#|$)|class\s+\w+\s*[(:]"
    r"|(?:async\s+)?def\s+\w+\s*\(|@\w|[\"']{3}|\w+\s*=[^=]|if\s+__name__)",
    re.MULTILINE,
)


def extract_code(answer: str) -> str:
    """The Python in a model's answer, the same way for every model.

    That is the longest fenced block that looks like Python, or without a fence the text itself
    from its first line of code on. A block cut off before its closing fence counts. The text is
    not changed otherwise: broken code stays broken.
    """
    text = answer.replace("\r\n", "\n").strip()
    # Code whose docstring holds a fence must not be cut to what the docstring shows.
    if is_python(text):
        return _ended(text)
    blocks = [
        match["code"]
        for match in _FENCE.finditer(text)
        if match["tag"].lower() in _PYTHON_TAGS and match["code"].strip()
    ]
    if blocks:
        return _ended(max(blocks, key=lambda code: (bool(_STATEMENT.search(code)), len(code))))
    start = _STATEMENT.search(text)
    return _ended(text[start.start() :] if start else text)


def is_python(text: str) -> bool:
    """Whether there is code, and it is Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _ended(code: str) -> str:
    code = code.strip("\n").rstrip()
    return code + "\n" if code else ""
