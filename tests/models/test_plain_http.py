"""The client for local servers, against servers that say things byte by byte."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models import plain_http
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.plain_http import Broken, PlainHttp, Unreachable, plain
from qc_builder_lora.models.writer import new_request

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\nhi"


@asynccontextmanager
async def server(*answers, split=0):
    """Give each request the next of `answers`, the last one again; an empty one closes."""
    left, seen = list(answers), []

    async def serve(reader, writer):
        connection = len(seen)
        seen.append(0)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
                if length:
                    await reader.readexactly(int(length[0].split(b":")[1]))
                seen[connection] += 1
                answer = left.pop(0) if len(left) > 1 else left[0]
                step = split or len(answer) or 1
                for start in range(0, len(answer), step):
                    writer.write(answer[start : start + step])
                    await writer.drain()
                    await asyncio.sleep(0)
                framed = b"content-length" in answer or b"chunked" in answer
                if not framed or b"\r\n\r\n" not in answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/x", seen
    listening.close()


async def body_of(client, url):
    async with client.asked("POST", url, b"{}", {}) as reply:
        return reply.status_code, await reply.aread()


def run(work):
    return asyncio.run(asyncio.wait_for(work(), 20))


@pytest.mark.parametrize("split", [0, 1])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"hi"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
         b"hi!"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" + OK, b"hi"),
    ],
)  # fmt: skip
def test_every_way_of_ending_a_body_is_understood_byte_by_byte(answer, body, split):
    async def work():
        async with server(answer, split=split) as (url, _):
            assert await body_of(PlainHttp(), url) == (200, body)

    run(work)


def test_connection_is_kept_for_the_next_request_and_not_for_two_at_once():
    async def work():
        client = PlainHttp()
        async with server(OK) as (url, seen):
            for _ in range(3):
                await body_of(client, url)
            assert seen == [3]
            await asyncio.gather(*(body_of(client, url) for _ in range(2)))
            assert sorted(seen) == [1, 4]
            client.close()

    run(work)


def test_connection_that_the_server_has_closed_or_that_is_old_is_not_used_again(monkeypatch):
    async def work():
        client = PlainHttp()
        closing = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
        async with server(closing, OK) as (url, seen):
            await body_of(client, url)
            await body_of(client, url)
            assert seen == [1, 1]
            monkeypatch.setattr(plain_http, "_IDLE_S", 0.0)
            await body_of(client, url)
            assert seen == [1, 1, 1]

    run(work)


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        (b"", "closed it"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx", "closed it"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP: Expected HTTP/"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "not HTTP"),
    ],
)
def test_what_is_no_whole_answer_breaks_the_exchange_and_the_connection(answer, fact):
    async def work():
        client = PlainHttp()
        async with server(answer, OK) as (url, seen):
            with pytest.raises(Broken, match=fact):
                await body_of(client, url)
            assert await body_of(client, url) == (200, b"hi")
            assert len(seen) == 2

    run(work)


def test_second_answer_to_one_question_is_given_to_nobody():
    async def work():
        client, wrong = PlainHttp(), OK.replace(b"hi", b"no")
        async with server(OK + wrong, OK) as (url, seen):
            assert await body_of(client, url) == (200, b"hi")
            assert await body_of(client, url) == (200, b"hi")
            assert seen == [1, 1]

    run(work)


def test_answer_that_is_left_before_its_end_closes_its_connection():
    async def work():
        client = PlainHttp()
        endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"
        async with server(endless, OK) as (url, seen):
            async with client.asked("POST", url, b"{}", {}) as reply:
                assert await anext(reply._link.parts()) == b"hi"
            assert await body_of(client, url) == (200, b"hi")
            assert seen == [1, 1]

    run(work)


def test_reader_that_is_slow_makes_the_server_wait_and_loses_nothing():
    async def work():
        content = b"x" * (8 << 20)
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content
        async with server(answer) as (url, _), PlainHttp().asked("GET", url, b"", {}) as reply:
            await asyncio.sleep(0.3)
            assert reply._link._held < 3 << 20
            assert await reply.aread() == content

    run(work)


def test_lines_are_cut_at_line_feeds_alone_wherever_the_packets_end():
    content = "data: a\u2028b\r\n\r\ndata: \u00e9\nlast".encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content

    async def work():
        async with (
            server(answer, split=1) as (url, _),
            PlainHttp().asked("GET", url, b"", {}) as reply,
        ):
            lines = [line async for line in reply.aiter_lines()]
            assert lines == ["data: a\u2028b", "", "data: \u00e9", "last"]

    run(work)


def test_nobody_there_is_unreachable():
    async def work():
        with pytest.raises(Unreachable, match=r"refused|failed"):
            await body_of(PlainHttp(), "http://127.0.0.1:9/")

    run(work)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:80/v1/x?y=1", ("127.0.0.1", 80, "127.0.0.1:80", "/v1/x?y=1")),
        ("http://[::1]:81", ("::1", 81, "[::1]:81", "/")),
        ("http://gpu-box/v1", ("gpu-box", 80, "gpu-box", "/v1")),
        ("https://127.0.0.1/v1", None),
        ("http://me:secret@127.0.0.1/v1", None),
        ("http://b\u00fccher.example/v1", None),
    ],
)
def test_addresses_that_need_more_are_left_to_the_other_client(url, found):
    assert plain(url) == found
    assert LocalWriter(url=url).near is (found is not None)


def test_key_with_a_line_break_is_not_sent():
    writer = LocalWriter(url="http://127.0.0.1:9/v1", model="m", key="a\r\nx-evil: 1")

    async def work():
        async with server(OK) as (url, seen):
            writer._url = url.removesuffix("/x")
            with pytest.raises(ProviderError, match="line break") as caught:
                await writer.write_async(new_request("x"), max_tokens=1, deadline_s=5)
            assert "evil" not in str(caught.value)
            assert seen == [] or sum(seen) == 0

    run(work)
