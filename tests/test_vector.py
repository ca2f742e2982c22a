from vqspeech.vector import jit


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same() -> None:
    # numba keeps code beside its source file or, named after that file, in the user's home: here is no such file.
    names: dict = {}
    exec(compile("def twice(x):\n    return 2 * x", "/nowhere/twice.py", "exec"), names)
    assert jit()(names["twice"])(21) == 42
