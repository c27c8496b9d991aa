"""What lab hosts boot."""

from __future__ import annotations

from toolkit.providers.lab.images import IMAGES


def test_a_recipe_has_the_hooks_that_the_build_calls() -> None:
    for image in IMAGES.values():
        names = {path.name for path in image.recipe_files()}
        assert not names or {"setup", "customize"} <= names
    assert IMAGES["al2023-like"].recipe_files()
    assert not IMAGES["debian12"].recipe_files()
