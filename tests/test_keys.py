"""Keys: only sums are kept, and what opens the service is said in plain words."""

from pathlib import Path

import pytest

from legible.config import ServiceSettings
from legible.errors import SettingsError
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.keys import KeyRing, entry, new_key


def test_a_key_is_told_by_its_name() -> None:
    first, second = new_key(), new_key()
    ring = KeyRing.of([entry("shop", first), entry("archive", second)])
    assert ring.name_of(first) == "shop"
    assert ring.name_of(second) == "archive"
    assert ring.name_of("wrong") is None
    assert ring.name_of("") is None


def test_what_is_kept_does_not_hold_the_key() -> None:
    key = new_key()
    assert key not in entry("shop", key)
    assert len(key) >= 40
    assert new_key() != key


def test_an_empty_ring_is_false() -> None:
    assert not KeyRing.of([])
    assert KeyRing.of([entry("shop", "key")])


def test_a_file_holds_an_entry_a_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# who may read\n{entry('shop', 'one')}\n\n{entry('archive', 'two')}\n")
    assert KeyRing.load(tmp_path / "keys").name_of("two") == "archive"
    with pytest.raises(SettingsError, match="no such file of keys"):
        KeyRing.load(tmp_path / "none")


@pytest.mark.parametrize("wrong", ["shop", "shop:key-in-clear", ":" + "0" * 64, "a b:" + "0" * 64])
def test_another_form_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(SettingsError, match="key 1 is not of the form") as caught:
        KeyRing.of([wrong])
    assert "clear" not in str(caught.value)


def test_a_name_that_cannot_be_listed_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot name a key"):
        entry("the shop", "key")


@pytest.mark.parametrize("content", ["", "\n", "# shop: none yet\n"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    """Keys were asked for: an open service is not what is wanted."""
    (tmp_path / "keys").write_text(content)
    with pytest.raises(SettingsError, match="holds no key, and without one everybody may read; add one with"):
        KeyRing.load(tmp_path / "keys")


def test_no_application_is_built_on_a_file_without_a_key(tmp_path: Path) -> None:
    """However the service is started: by `legible serve`, by BentoML, in a Lambda function."""
    (tmp_path / "keys").write_text("# none yet\n")
    with pytest.raises(SettingsError, match="holds no key"):
        build_app(Api(ServiceSettings(keys_file=str(tmp_path / "keys"))))
