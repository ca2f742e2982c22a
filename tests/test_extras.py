import pytest

from vqspeech.extras import NotInstalled, require


def test_packages_that_are_missing_are_named_with_the_remedy() -> None:
    require(["numpy", "jsonargparse", "lightning-fabric"], "the extra x")
    with pytest.raises(NotInstalled, match=r"^not installed: no-such, nor-this \(the extra x\)$"):
        require(["numpy", "no-such", "nor-this"], "the extra x")
