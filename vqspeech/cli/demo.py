"""vqspeech-demo: a page to speak to."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.errors import UsageError
from vqspeech.extras import require


def demo(*, model: Path | None = None, port: int = 7860) -> None:
    """Open a page on this machine where one says something and hears it in another voice.

    One records or uploads up to 20 seconds, chooses a voice, hears source, copy-synthesis and conversion, and sees the
    units that both are spoken from. The page is for this machine alone and asks nothing of the network. What was
    recorded and made is deleted when the command ends. Needs the extra `demo`.

    Args:
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        port: of the address that is printed, http://127.0.0.1:PORT; 0 takes one that is free

    Example:
        vqspeech-demo --model exp/vctk_base
        vqspeech-demo --port 8000
    """
    if not 0 <= port < 2**16:
        raise UsageError(f"--port {port}: give one of 0 to 65535")
    folder = find_model(model)
    require(["gradio"], "pip install 'vqspeech[demo]'")
    import vqspeech
    from vqspeech.demo.server import serve

    codec = vqspeech.load(folder)
    codec.require_codes()
    serve(codec, port)


def main() -> None:
    """Run the command."""
    run(demo)


if __name__ == "__main__":
    main()
