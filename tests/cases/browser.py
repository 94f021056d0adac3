"""Debian's Chromium, headless, driven by Playwright: how the tests of pages open them."""

import shutil
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from snnc.cli import main

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "color_scheme": "dark"}
DESK = {"viewport": {"width": 1000, "height": 760}}
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NO_CHROMIUM = "no Chromium on the PATH: `make browser` installs Debian's, or apt-get install chromium-headless-shell"


def path():
    """The browser's program; skips with the reason where there is none."""
    found = next((where for name in NAMES if (where := shutil.which(name))), None)
    if found is None:
        pytest.skip(NO_CHROMIUM)
    return found


@contextmanager
def launched():
    """A browser; every page of it fails the test by an error of its script, and keeps the addresses that it asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser, file, **options):
    """A page with a file in it. Raises AssertionError at the end if its script failed, or if it asked for another address."""
    context = browser.new_context(**options)
    page, asked, wrong = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.goto(file.absolute().as_uri())
    yield page
    assert wrong == []
    assert {url.partition("#")[0] for url in asked} == {file.absolute().as_uri()}
    context.close()


def pages_of(runs, folder):
    """The pages, by name, that `snnc report` writes about ``runs`` into ``folder``."""
    for name, run in runs.items():
        done = CliRunner().invoke(main, ["report", str(run), "-o", str(folder / f"{name}.html")])
        assert done.exit_code == 0, done.output
    return {name: folder / f"{name}.html" for name in runs}
