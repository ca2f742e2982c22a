"""A headless Chromium, driven over its debugging pipe (https://chromedevtools.github.io/devtools-protocol)."""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync", "--autoplay-policy=no-user-gesture-required"),
    "--remote-debugging-pipe",
)
SECONDS = 600


class Tab:
    """One page of the browser, and every event it has told of."""

    def __init__(self, read: int, write: int) -> None:
        self.read, self.write = read, write
        self.left, self.number = b"", 0
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, address: str, width: int, scheme: str) -> None:
        """Load a page at a width, in the colour scheme `light` or `dark`."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not self.named("Page.loadEventFired"):
            self.events.append(self._next())

    def run(self, expression: str) -> Any:
        """What a JavaScript expression, or its promise, comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """What a JavaScript expression comes to, as soon as that is true."""
        look = f"const look = () => {{ const found = {expression}; found ? done(found) : setTimeout(look, 100); }};"
        return self.run(f"new Promise(done => {{ {look} look(); }})")

    def press(self, button: str) -> None:
        """Press the first button of this text or label, as soon as it is there."""
        name = json.dumps(button)
        self.until(
            "[...document.querySelectorAll('button')]"
            f".filter(button => [button.innerText, button.ariaLabel].includes({name}))"
            ".slice(0, 1).map(button => button.click() ?? true)[0]"
        )

    def choose_file(self, file: Path) -> None:
        """Choose a file for the input of the page that takes one, as soon as it is there."""
        self.until("!!document.querySelector('input[type=file]')")
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector="input[type=file]")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def named(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the events of a name since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self.left:
            ready, _, _ = select.select([self.read], [], [], max(0, deadline - time.monotonic()))
            received = os.read(self.read, 2**20) if ready else b""
            if not received:
                raise TimeoutError("the browser does not answer")
            self.left += received
        message, _, self.left = self.left.partition(b"\0")
        return json.loads(message)


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Tab]:
    """A tab of a browser of its own, started with further flags, whose profile lies in the folder `profile`."""
    commands, answers = os.pipe(), os.pipe()
    # The browser reads from 3 and writes to 4.
    script = f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}'
    process = subprocess.Popen(
        ["bash", "-c", script, "browser", CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(commands[0], answers[1]),
        stderr=subprocess.DEVNULL,
    )
    os.close(commands[0])
    os.close(answers[1])
    try:
        yield Tab(answers[0], commands[1])
    finally:
        process.terminate()
        process.wait(SECONDS)
        os.close(commands[1])
        os.close(answers[0])
