"""The page of `snnc report` in a real browser: clicks, keyboard, dark mode, a phone, no script."""

import numpy as np
import pytest
from cases.browser import DESK, PHONE, launched, opened, pages_of
from cases.report_folders import RUN, diverged, hostile

from snnc import store
from snnc.pipeline.recording import RECORDING, read_recording

pytest.importorskip("playwright", reason="the page is tested with Playwright: pip install playwright axe-playwright-python")
pytest.importorskip("matplotlib", reason="the report needs matplotlib: pip install '.[report]'")


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of a small run, of one that diverged, and of one that means harm."""
    folder = tmp_path_factory.mktemp("pages")
    runs = {"small": RUN, "diverged": diverged(folder / "diverged")[0], "hostile": hostile(folder / "hostile")}
    return pages_of(runs, folder)


@pytest.fixture(scope="module")
def recorded():
    return read_recording(RUN / RECORDING, store.load(RUN / "fixed.snnc")).pairs


def canvas(page):
    return page.locator("#raster").screenshot()


def spikes(pair, i, side):
    """Spikes of all populations in one sample of a run."""
    return sum(int(np.count_nonzero(raster[i])) for raster in pair.spikes[side].values())


def test_choosing_samples_and_runs_with_the_mouse(browser, pages, recorded):
    pair, other = recorded["target_against_fixed"], recorded["fixed_against_float"]
    with opened(browser, pages["small"], **DESK) as page:
        first = canvas(page)
        assert f"{spikes(pair, 0, 0):,} spikes in both, 0 in reference only" in page.inner_text("#told")
        assert page.is_disabled("#before")
        page.click("#after")
        told = page.inner_text("#told")
        assert told.startswith(f"Sample {pair.samples[1]}, labelled {pair.labels[1]}: reference says {pair.classes[0, 1]}")
        assert f"{spikes(pair, 1, 0):,} spikes in both" in told
        assert canvas(page) != first
        page.select_option("#sample", index=len(pair.samples) - 1)
        assert page.is_disabled("#after")
        page.select_option("#pair", label="fixed against float")
        only = [int(np.sum((a[0] != 0) & (b[0] == 0))) for a, b in zip(*(s.values() for s in other.spikes), strict=True)]
        assert f"{sum(only):,} in float only" in page.inner_text("#told")
        assert sum(only) > 0
        cells = page.locator("#counts tr").nth(2).locator("td").all_inner_texts()
        assert cells[2] == f"{only[1]:,}"


def test_sections_and_tables_fold_with_the_keyboard(browser, pages):
    with opened(browser, pages["small"], **DESK) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.focus("#rasters > details > summary")
        page.keyboard.press("Enter")
        assert not page.is_visible("#raster")
        page.keyboard.press("Enter")
        assert page.is_visible("#raster")
        page.focus("#after")
        page.keyboard.press("Space")
        assert page.input_value("#sample") == "1"
        stage = page.locator("#provenance details", has_text="Stage 1: train").last
        assert not stage.locator("table").is_visible()
        stage.locator("summary").click()
        assert stage.locator("table").is_visible()


def test_the_first_divergence_is_shown_where_it_is(browser, pages):
    with opened(browser, pages["diverged"], **DESK) as page:
        assert "lava 0.10.0 only" in page.inner_text("#two")
        page.click("#first")
        told = page.inner_text("#told")
        assert told.startswith("Sample 2,")
        assert told.endswith("They first part in hidden1, step 5, neuron 7.")
        ring = page.evaluate("""() => {
            const seen = document.getElementById('raster').getContext('2d').getImageData(0, 0, 1e4, 1e4);
            const colour = getComputedStyle(document.documentElement).getPropertyValue('--c2').trim();
            const want = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
            let count = 0;
            for (let i = 0; i < seen.data.length; i += 4)
                count += want.every((value, j) => seen.data[i + j] === value) && seen.data[i + 3] === 255;
            return count;
        }""")
        assert ring > 20
        page.click("#before")
        assert "They first part" not in page.inner_text("#told")


def test_harmful_text_does_nothing(browser, pages):
    with opened(browser, pages["hostile"], **DESK) as page:
        page.click("#after")
        page.wait_for_timeout(100)
        assert page.evaluate("window.harmed") is None
        assert page.locator("img").count() == 0
        assert "window.harmed=1" in page.inner_text("#provenance")


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["light", "dark_phone"])
def test_nothing_is_inaccessible(browser, pages, options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    with opened(browser, pages["small"], **options) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        found = axe.Axe().run(page).response
        assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
        assert len(found["passes"]) > 15


def test_a_phone_scrolls_down_only(browser, pages):
    with opened(browser, pages["small"], **PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
        small = page.evaluate("Math.min(...[...document.querySelectorAll('p, td, th, svg text')].map((e) => "
                              "e.getBoundingClientRect().height).filter((h) => h > 0))")  # fmt: skip
        assert small >= 9


def test_all_columns_are_seen_at_1280_pixels(browser, pages):
    with opened(browser, pages["small"], viewport={"width": 1280, "height": 900}) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        wide = page.evaluate("[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth)"
                             ".map((e) => e.getAttribute('aria-label'))")  # fmt: skip
        assert wide == []


def test_the_chip_is_drawn_for_a_phone_and_in_the_colours_of_the_page(browser, pages):
    with opened(browser, pages["small"], **PHONE) as page:
        seen = page.evaluate("""() => {
            const [map, colour] = [document.querySelector('#map svg'), (e, what) => getComputedStyle(e)[what]];
            const texts = [...map.querySelectorAll('text:not([text-anchor])')];
            return [Math.max(...texts.map((e) => e.getBoundingClientRect().right)), texts.map((e) => colour(e, 'fill')),
                    colour(map.querySelector('rect'), 'fill'), colour(document.body, 'color')];
        }""")
        right, inks, paper, ink = seen
        assert right < 360
        assert set(inks) == {ink}
        assert len(inks) == 8  # four captions, two layers, the ends of the scale; not the letters of the cores
        assert paper == "none"


def test_without_script_all_but_the_rasters_is_there(browser, pages):
    with opened(browser, pages["small"], java_script_enabled=False, **DESK) as page:
        assert "needs JavaScript" in page.inner_text("#rasters")
        assert page.is_visible("#accuracy svg")
        assert not page.is_visible("#raster")
