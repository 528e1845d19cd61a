"""The page served: to this computer unless told otherwise, with files that go when it ends."""

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

from animators.app.page import build
from animators.app.studio import Studio, find_checkpoints
from animators.app.style import CSS, theme

LARGEST_UPLOAD = "1gb"

POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class OwnHost:
    """Forbids the page to fetch anything from other hosts, such as gradio's program that trims.

    Args:
        app: the page, as ASGI has it.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with the policy among the headers."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY)
                message = {**message, "headers": [*message.get("headers", ()), policy]}
            await send(message)

        await self.app(scope, receive, with_policy)


def _own(host: str) -> bool:
    """Whether an address is reached by this computer alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give gradio a folder of its own for uploads and results, and remove it afterwards."""
    kept = os.environ.get("GRADIO_TEMP_DIR")
    # a clip that is being written when the page ends may add to the folder while it is emptied
    made = tempfile.TemporaryDirectory(prefix="animators-app-", ignore_cleanup_errors=True)
    with made as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder).resolve())
        try:
            yield Path(folder).resolve()
        finally:
            os.environ.pop("GRADIO_TEMP_DIR")
            if kept is not None:
                os.environ["GRADIO_TEMP_DIR"] = kept


@contextmanager
def served(
    runs: Path, checkpoint: Path | None, device: str, host: str, port: int | None
) -> Iterator[tuple[str, Studio]]:
    """Serve the page in the background; yields its address, and what does the work.

    Args:
        runs: folder of runs whose checkpoints are offered.
        checkpoint: one that is offered first; it is opened before anything is served.
        device: as `load_animator` takes it.
        host: address that is listened to; where others reach it, no other checkpoints are opened.
        port: None takes the first free one from 7860 on.

    Raises:
        ValueError: a checkpoint that cannot be opened.
        OSError: one that is missing, or a port or host that cannot be had.
    """
    with temporary_folder() as folder:
        found = find_checkpoints(runs, checkpoint)
        studio = Studio(device, folder / "results", None if _own(host) else found.values())
        if checkpoint is not None:
            studio.open(checkpoint)
        page = build(studio, found, runs)
        page.queue(api_open=False)
        try:
            page.launch(
                server_name=host, server_port=port, share=False, inbrowser=False, quiet=True,
                prevent_thread_lock=True, max_file_size=LARGEST_UPLOAD, footer_links=[],
                enable_monitoring=False, ssr_mode=False, mcp_server=False, pwa=False,
                theme=theme(), css=CSS, app_kwargs={"middleware": [(OwnHost, (), {})]},
            )  # fmt: skip
            yield str(page.local_url), studio
        finally:
            page.close(verbose=False)


def serve(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C, or until the process is told to end.

    Args:
        options: those of the command.
        say: is told the page's address.

    Raises:
        ValueError: a checkpoint that cannot be opened.
        OSError: one that is missing, or a port or host that cannot be had.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # without it, a process that is told to end would leave its files behind
    before: Any = signal.signal(signal.SIGTERM, end)
    try:
        with served(
            options.runs, options.checkpoint, options.device, options.host, options.port
        ) as (address, studio):
            say(address)
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if studio.busy:
        # a thread inside torch cannot be stopped, and an interpreter that ends under it aborts
        sys.stdout.flush()
        os._exit(0)
