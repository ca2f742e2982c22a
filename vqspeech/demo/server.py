"""The page at an address of this machine that others do not reach."""

import os
import socket
from tempfile import TemporaryDirectory

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vqspeech.codec import Codec
from vqspeech.errors import VqspeechError

HOST = "127.0.0.1"
LARGEST_UPLOAD = 20 * 2**20
"""Bytes: the longest recording as 32-bit stereo at 96 kHz, and some more."""
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'"
)
"""What a browser has to keep to: nothing from elsewhere."""


def serve(codec: Codec, port: int) -> None:
    """Serve the page until interrupted, and print its address; port 0 is any that is free.

    What is uploaded and made lies in a temporary folder that goes when this ends.
    Raises VqspeechError when the port is taken.
    """
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno)
        raise VqspeechError(f"cannot listen at {HOST}:{port}: {reason}; choose another --port") from error
    with listener, TemporaryDirectory(prefix="vqspeech-demo-") as folder:
        # Read when Gradio is imported.
        os.environ["GRADIO_TEMP_DIR"] = folder
        import gradio

        from vqspeech.demo.page import STYLE, make_page

        app = FastAPI(openapi_url=None)
        app.add_middleware(_NothingFromElsewhere)
        # A page elsewhere whose name was made to point here would else be let in.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        gradio.mount_gradio_app(
            app,
            make_page(codec),
            path="/",
            max_file_size=LARGEST_UPLOAD,
            css=STYLE,
            footer_links=[],
            # It would keep recordings in the browser.
            run_history=False,
            ssr_mode=False,
            mcp_server=False,
        )
        print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)
        # A page that is open keeps a connection.
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])


class _NothingFromElsewhere:
    """Sends `POLICY` with every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, send_with_policy)
