import numpy as np
import pytest

from legible.synth.effects import EFFECTS, Effects, draw_effects


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(place: str) -> np.ndarray:
    """Three bars: coverage for ink, light for what comes after it."""
    ink = np.zeros((48, 120), np.float32)
    ink[10:38, 20:26] = ink[10:38, 55:61] = ink[20:26, 80:100] = 1
    return ink if place == "ink" else 245 - 225 * ink


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_of_strength_0_changes_nothing(name: str) -> None:
    place = EFFECTS[name].place
    assert np.array_equal(Effects((name,), 0.0, 1.0).apply(place, picture(place), rng()).image, picture(place))


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_changes_more_the_stronger_it_is(name: str) -> None:
    place = EFFECTS[name].place

    def quantiles(image: np.ndarray) -> np.ndarray:
        return np.quantile(image, np.linspace(0, 1, 500))

    def change(strength: float) -> float:
        """How far the histogram moves, on average over states: sizes may change."""
        moved = []
        for seed in range(40):
            after = Effects((name,), strength, 1.0).apply(place, picture(place), rng(seed)).image
            moved.append(np.abs(quantiles(after) - quantiles(picture(place))).mean())
        return float(np.mean(moved))

    assert change(1.0) > change(0.2) > 0


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_the_same_for_the_same_state(name: str) -> None:
    place = EFFECTS[name].place
    once, again = (Effects((name,), 0.8, 1.0).apply(place, picture(place), rng(7)).image for _ in range(2))
    assert np.array_equal(once, again)
    assert once.dtype == np.float32


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("size", [(2, 2), (9, 3), (5, 300)])
def test_an_effect_takes_the_smallest_pictures(name: str, size: tuple[int, int]) -> None:
    place = EFFECTS[name].place
    for seed in range(5):
        assert min(Effects((name,), 1.0, 1.0).apply(place, np.ones(size, np.float32), rng(seed)).image.shape) > 0


@pytest.mark.parametrize("name", [name for name, effect in EFFECTS.items() if effect.place != "ink"])
def test_ink_still_stands_out_after_an_effect(name: str) -> None:
    place = EFFECTS[name].place
    for seed in range(20):
        changed = Effects((name,), 1.0, 1.0).apply(place, picture(place), rng(seed)).image
        if changed.shape == (48, 120):
            ink, paper = changed[12:36, 21:25].mean(), changed[12:36, 35:50].mean()
            assert abs(ink - paper) > 15, seed


def test_effects_of_another_place_are_left_for_later() -> None:
    assert np.array_equal(
        Effects(("stain",), 1.0, 1.0).apply("camera", picture("camera"), rng()).image, picture("camera")
    )


def test_styles_have_more_effects_the_stronger_and_none_at_0() -> None:
    counts = {s: sum(len(draw_effects(rng(seed), strength=s).names) for seed in range(200)) for s in (0.0, 0.3, 1.0)}
    assert counts[0.0] == 0 < counts[0.3] < counts[1.0]
