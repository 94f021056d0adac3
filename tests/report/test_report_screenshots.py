"""The screenshots in docs/report.md, of the report of the MNIST run. `make screenshots` writes them anew."""

import os
from io import BytesIO

import numpy as np
import pytest
from cases.browser import DESK, PHONE, launched, opened, pages_of
from cases.report_folders import diverged
from conftest import ROOT

pytest.importorskip("playwright", reason="the page is tested with Playwright: pip install playwright axe-playwright-python")
pytest.importorskip("matplotlib", reason="the report needs matplotlib: pip install '.[report]'")

MNIST = ROOT / "results" / "mnist_run"
PICTURES = ROOT / "docs" / "images"
MOST_BYTES = 200_000
SHOTS = {  # name: section, kind of screen, page
    "report-summary": ("#summary", DESK, "mnist"),
    "report-curves": ("#layers", DESK, "mnist"),
    "report-sparsity": ("#sparsity", DESK, "mnist"),
    "report-rasters": ("#rasters", DESK, "mnist"),
    "report-divergence": ("#rasters", DESK, "diverged"),
    "report-phone": ("#budget", PHONE, "mnist"),
}


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of the MNIST run, and of the same had the program sent one spike more or less."""
    folder = tmp_path_factory.mktemp("mnist")
    runs = {"mnist": MNIST, "diverged": diverged(folder / "diverged", MNIST)[0]}
    return pages_of(runs, folder)


def read(source):
    from PIL import Image

    return np.asarray(Image.open(source).convert("RGB"))


@pytest.mark.parametrize("name", SHOTS)
def test_the_screenshots_of_the_docs_are_those_of_the_page(browser, pages, name):
    where, options, of = SHOTS[name]
    with opened(browser, pages[of], **options) as page:
        if of == "diverged":
            page.click("#first")
        page.evaluate("(where) => document.querySelector(where).scrollIntoView()", where)
        taken = page.screenshot()
    file = PICTURES / f"{name}.png"
    if os.environ.get("SNNC_SCREENSHOTS"):
        PICTURES.mkdir(exist_ok=True)
        file.write_bytes(taken)
    kept, now = read(file), read(BytesIO(taken))
    assert kept.shape == now.shape
    assert len(np.unique(now.reshape(-1, 3), axis=0)) > 20
    assert np.mean(np.abs(kept.astype(int) - now).max(axis=2) > 64) < 0.1  # another font may move a line, not a section
    assert file.stat().st_size < MOST_BYTES
    assert f"images/{name}.png" in (ROOT / "docs" / "report.md").read_text()
