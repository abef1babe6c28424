"""A loopback server that speaks one provider's wire protocol and fails as it is told to.

The bodies and event shapes are those of the providers' API references, written by hand.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

CODE = "from AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n    pass\n"
TEXT = f"```python\n{CODE}```"


def pieces_of(text):
    return [text[i : i + 17] for i in range(0, len(text), 17)]


PIECES = pieces_of(TEXT)
PROMPT_TOKENS, COMPLETION_TOKENS = 31, 22

# fault → what the chain's taxonomy must call it, without and with a stream
FAULTS = {
    "refused": ("refused", "refused"),
    "hang_before_headers": ("timeout", "timeout"),
    "hang_mid_answer": ("timeout", "timeout"),
    "trickle": ("timeout", "timeout"),
    "401": ("auth", "auth"),
    "403": ("auth", "auth"),
    "404": ("not_found", "not_found"),
    "429": ("rate_limit", "rate_limit"),
    "429_retry_after": ("rate_limit", "rate_limit"),
    "429_no_credit": ("auth", "auth"),
    "500": ("server", "server"),
    "529": ("overloaded", "overloaded"),
    "malformed_json": ("malformed", "malformed"),
    "cut": ("connection", "truncated"),
    "cut_before_text": ("connection", "connection"),
    "no_end": ("truncated", "truncated"),
    "empty": ("empty", "empty"),
    "wrong_type": ("malformed", "malformed"),
    "context_overflow": ("context_overflow", "context_overflow"),
    "content_filter": ("content_filter", "content_filter"),
    "bad_request": ("bad_request", "bad_request"),
}


def sse(value, event=None):
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


class OpenAIDialect:
    """OpenAI's chat completions; also what llama-server, vLLM and Ollama speak."""

    def whole(self, text, finish="stop", usage=True):
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-real",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": finish,
                }
            ],
        }
        return {**body, "usage": self._usage} if usage else body

    _usage: ClassVar = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    }

    def events(self, pieces, finish="stop"):
        yield self._chunk({"role": "assistant", "content": ""})
        for piece in pieces:
            yield self._chunk({"content": piece})
        if finish:
            yield self._chunk({}, finish)
            yield sse({**self._frame, "choices": [], "usage": self._usage})
            yield b"data: [DONE]\n\n"

    _frame: ClassVar = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-real",
    }

    def _chunk(self, delta, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**self._frame, "choices": [choice], "usage": None})

    def filtered(self, stream):
        if stream:
            return list(self.events([], "content_filter"))
        return self.whole("", "content_filter")

    errors: ClassVar = {
        "401": (401, "invalid_api_key", "Incorrect API key provided: {key}."),
        "403": (403, "unsupported_country_region_territory", "Country not supported"),
        "404": (404, "model_not_found", "The model `x` does not exist"),
        "429": (429, "rate_limit_exceeded", "Rate limit reached for x in organization"),
        "429_no_credit": (429, "insufficient_quota", "You exceeded your current quota"),
        "500": (500, None, "The server had an error while processing your request."),
        "529": (503, None, "The engine is currently overloaded"),
        "context_overflow": (400, "context_length_exceeded", "maximum context length is 128000"),
        "bad_request": (400, "unsupported_parameter", "Unsupported parameter: 'x'"),
    }

    def error(self, fault, key):
        status, code, message = self.errors[fault]
        kind = "server_error" if status >= 500 else "invalid_request_error"
        told = {"message": message.format(key=key), "type": kind, "param": None, "code": code}
        return status, {"error": told}


class AnthropicDialect:
    """Claude's messages API."""

    def whole(self, text, finish="end_turn", usage=True):
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-real",
            "content": [{"type": "text", "text": text}] if text else [],
            "stop_reason": finish,
            "stop_sequence": None,
            **({"usage": self._usage(COMPLETION_TOKENS)} if usage else {}),
        }

    def _usage(self, output):
        return {
            "input_tokens": PROMPT_TOKENS - 11,
            "cache_creation_input_tokens": 4,
            "cache_read_input_tokens": 7,
            "output_tokens": output,
        }

    def events(self, pieces, finish="end_turn"):
        start = {**self.whole("", None), "usage": self._usage(1)}
        yield self._event("message_start", message=start)
        yield self._event(
            "content_block_start", index=0, content_block={"type": "text", "text": ""}
        )
        yield self._event("ping")
        for piece in pieces:
            delta = {"type": "text_delta", "text": piece}
            yield self._event("content_block_delta", index=0, delta=delta)
        if finish:
            yield self._event("content_block_stop", index=0)
            ended = {"stop_reason": finish, "stop_sequence": None}
            usage = {"output_tokens": COMPLETION_TOKENS}
            yield self._event("message_delta", delta=ended, usage=usage)
            yield self._event("message_stop")

    def _event(self, kind, **fields):
        return sse({"type": kind, **fields}, kind)

    def filtered(self, stream):
        return list(self.events([], "refusal")) if stream else self.whole("", "refusal")

    errors: ClassVar = {
        "401": (401, "authentication_error", "invalid x-api-key {key}"),
        "403": (403, "permission_error", "Your API key does not have permission"),
        "404": (404, "not_found_error", "model: x"),
        "429": (429, "rate_limit_error", "This request would exceed your rate limit"),
        "429_no_credit": (400, "invalid_request_error", "Your credit balance is too low"),
        "500": (500, "api_error", "Internal server error"),
        "529": (529, "overloaded_error", "Overloaded"),
        "context_overflow": (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        "bad_request": (400, "invalid_request_error", "messages: at least one is required"),
    }

    def error(self, fault, key):
        status, kind, message = self.errors[fault]
        told = {"type": kind, "message": message.format(key=key)}
        return status, {"type": "error", "error": told, "request_id": "req_1"}


class GeminiDialect:
    """Gemini's generateContent and streamGenerateContent?alt=sse."""

    def whole(self, text, finish="STOP", usage=True):
        content = {"parts": [{"text": text}] if text else [], "role": "model"}
        candidate = {"content": content, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        body = {"candidates": [candidate], "modelVersion": "gemini-real", "responseId": "r"}
        return {**body, "usageMetadata": self._usage} if usage else body

    _usage: ClassVar = {
        "promptTokenCount": PROMPT_TOKENS,
        "candidatesTokenCount": COMPLETION_TOKENS - 5,
        "thoughtsTokenCount": 5,
        "totalTokenCount": PROMPT_TOKENS + COMPLETION_TOKENS,
    }

    def events(self, pieces, finish="STOP"):
        for piece in pieces:
            yield sse(self.whole(piece, None, usage=False))
        if finish:
            yield sse(self.whole("", finish))

    def filtered(self, stream):
        body = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        return [sse(body)] if stream else body

    errors: ClassVar = {
        # Gemini says 400 where others say 401.
        "401": (400, "INVALID_ARGUMENT", "API key not valid: {key}. Please pass a valid API key."),
        "403": (403, "PERMISSION_DENIED", "Generative Language API has not been used"),
        "404": (404, "NOT_FOUND", "models/x is not found for API version v1beta"),
        "429": (429, "RESOURCE_EXHAUSTED", "You exceeded your current requests a minute"),
        "429_no_credit": (429, "RESOURCE_EXHAUSTED", "Check your plan and billing details"),
        "500": (500, "INTERNAL", "An internal error has occurred."),
        "529": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        "context_overflow": (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed.",
        ),
        "bad_request": (400, "INVALID_ARGUMENT", "Invalid value at 'contents'"),
    }

    def error(self, fault, key):
        status, name, message = self.errors[fault]
        told = {"code": status, "message": message.format(key=key), "status": name}
        return status, {"error": told}


DIALECTS = {
    "local": OpenAIDialect(),
    "openai": OpenAIDialect(),
    "anthropic": AnthropicDialect(),
    "gemini": GeminiDialect(),
}


class _Crowd(ThreadingHTTPServer):
    # The default of 5 turns a crowd of clients away before any fault is played.
    request_queue_size = 128


class Upstream:
    """The server. `faults` says what each request meets, in order; the last one stays."""

    def __init__(self, dialect, *faults, key="secret-key", text=TEXT):
        self.dialect = DIALECTS[dialect]
        self.text = text
        self.name = dialect
        self.key = key
        self.faults = list(faults) or ["answer"]
        self.requests = []
        self.gone = threading.Event()
        """Set when a client left before its answer was whole."""
        self._over = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer._answer(self)

            def log_message(self, *_):
                pass

        self._server = _Crowd(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        if self.faults == ["refused"]:
            self.close()

    @property
    def url(self):
        root = f"http://127.0.0.1:{self.port}"
        return f"{root}/v1" if self.name in ("local", "openai") else root

    def close(self):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self._over.is_set():
            self.close()

    def _answer(self, http):
        body = json.loads(http.rfile.read(int(http.headers["content-length"])))
        with self._lock:
            fault = self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]
            self.requests.append({"path": http.path, "headers": dict(http.headers), "body": body})
        stream = bool(body.get("stream")) or "streamGenerateContent" in http.path
        try:
            self._play(http, fault, stream)
        except (BrokenPipeError, ConnectionResetError):
            self.gone.set()
            http.close_connection = True

    def _play(self, http, fault, stream):
        if fault == "hang_before_headers":
            self._wait()
            return
        if fault in self.dialect.errors or fault == "429_retry_after":
            self._refuse(http, fault)
            return
        if fault == "wrong_type":
            self._send(http, 200, b"<html>Log in to the wireless network</html>", "text/html")
            return
        if fault == "cut_before_text":
            self._headers(http, 200, "text/event-stream" if stream else "application/json", 9999)
            self._drop(http)
            return
        (self._stream if stream else self._whole)(http, fault)

    def _refuse(self, http, fault):
        status, body = self.dialect.error(fault.removesuffix("_retry_after"), self.key)
        more = {"retry-after": "7"} if fault.endswith("_retry_after") else {}
        self._send(http, status, json.dumps(body).encode(), "application/json", more)

    def _whole(self, http, fault):
        text, finish = ("", {}) if fault == "empty" else (self.text, {})
        if fault == "no_end":
            finish = {"finish": None}
        value = self.dialect.whole(text, usage=fault != "no_usage", **finish)
        if fault == "content_filter":
            value = self.dialect.filtered(stream=False)
        body = json.dumps(value).encode()
        if fault == "malformed_json":
            body = body[: len(body) // 2]
        if fault not in ("hang_mid_answer", "cut", "trickle"):
            self._send(http, 200, body, "application/json")
            return
        self._headers(http, 200, "application/json", 1_000_000)
        http.wfile.write(body[: len(body) // 2])
        self._then(http, fault, b" ")

    def _stream(self, http, fault):
        http.send_response(200)
        http.send_header("content-type", "text/event-stream")
        http.send_header("transfer-encoding", "chunked")
        http.end_headers()
        pieces = [] if fault == "empty" else pieces_of(self.text)
        events = list(self.dialect.events(pieces))
        if fault == "content_filter":
            events = self.dialect.filtered(stream=True)
        if fault == "malformed_json":
            events.insert(1, b'event: content_block_delta\ndata: {"type": "content_\n\n')
        if fault == "no_end":
            events = list(self.dialect.events(pieces, finish=None))
        if fault in ("hang_mid_answer", "cut", "trickle"):
            events = events[:5]
        for event in events:
            self._chunk(http, event)
        if fault in ("hang_mid_answer", "cut", "trickle"):
            self._then(http, fault, b"1\r\n:\r\n")
            return
        http.wfile.write(b"0\r\n\r\n")

    def _then(self, http, fault, drop):
        http.wfile.flush()
        if fault == "hang_mid_answer":
            self._wait()
        elif fault == "cut":
            self._drop(http)
        else:
            # Bytes keep coming, an end does not: no timeout of a single read ever fires.
            while not self._over.wait(0.02):
                http.wfile.write(drop)
                http.wfile.flush()

    def _wait(self):
        self._over.wait(60)

    def _drop(self, http):
        http.wfile.flush()
        http.connection.close()
        http.close_connection = True

    def _chunk(self, http, data):
        http.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        http.wfile.flush()

    def _send(self, http, status, body, kind, more=()):
        self._headers(http, status, kind, len(body), dict(more))
        http.wfile.write(body)

    def _headers(self, http, status, kind, length, more=None):
        http.send_response(status)
        http.send_header("content-type", kind)
        http.send_header("content-length", str(length))
        for name, value in (more or {}).items():
            http.send_header(name, value)
        http.end_headers()
