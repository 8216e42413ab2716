"""The page in a real browser, from a file, without network."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.block import with_columns
from hmcbench.records.record import HISTORY
from hmcbench.report.page import Card, index_page, page_of

PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, or a skip that says what is lacking."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def shown(browser: Any, evil: Any, tmp_path: Path) -> Callable[..., Any]:
    """``shown(width, dark=False)``: the evil page, opened; the browser."""
    path = tmp_path / "page.html"
    path.write_text(page_of(evil.boards), encoding="utf-8")

    def show(width: int = DESK, dark: bool = False) -> Any:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(path.as_uri())
        browser.execute_script("localStorage.clear()")
        return browser

    return show


def script(browser: Any, text: str) -> Any:
    return browser.execute_script(text)


def test_it_runs_from_a_file_and_asks_nobody(shown: Callable[..., Any]) -> None:
    browser = shown()
    assert script(browser, "return document.documentElement.dataset.ready") == "yes"
    script(browser, "document.querySelectorAll('.opener').forEach(o => o.click())")
    assert browser.get_log("browser") == []
    sent = [
        e["message"] for e in browser.get_log("performance") if "Network.requestWillBeSent" in e["message"]
    ]
    assert sent and all('"url":"file:' in m or '"url":"data:' in m for m in sent)


def test_no_planted_script_runs(shown: Callable[..., Any]) -> None:
    browser = shown()
    script(browser, "document.querySelectorAll('.opener, summary, .pick button').forEach(o => o.click())")
    script(
        browser,
        "document.querySelectorAll('.point').forEach(p => p.dispatchEvent(new MouseEvent('mouseenter')))",
    )
    time.sleep(0.1)
    assert script(browser, "return window.pwned") is None
    assert script(browser, "return document.scripts.length") == 2
    assert (
        script(browser, "return document.querySelectorAll('img:not([src^=\"data:image/png\"])').length") == 0
    )
    assert script(browser, "return document.querySelectorAll('[onerror], [onload]').length") == 0
    assert "<script>window.pwned=1</script>" in script(
        browser, "return document.querySelector('h2').textContent"
    )
    names = script(browser, "return document.querySelector('table.matrix').textContent")
    assert "<script>window.pwned=1</script>" in names


def column(browser: Any, place: int) -> list[str]:
    lines = "[...document.querySelectorAll('table.main tbody tr:not([hidden]):not(.details)')]"
    texts: list[str] = script(browser, f"return {lines}.map(r => r.cells[{place}].innerText.trim())")
    return texts


def test_sorting(shown: Callable[..., Any]) -> None:
    browser = shown()
    assert [text.split("\n")[0] for text in column(browser, 0)] == ["1", "2", "3", "-"]
    head = "document.querySelectorAll('table.main thead button')[2].click()"
    script(browser, head)
    down = [text.split()[0] for text in column(browser, 2)]
    script(browser, head)
    up = [text.split()[0] for text in column(browser, 2)]
    assert down[:3] == sorted(down[:3], reverse=True) and up[:3] == down[:3][::-1]
    assert down[3] == up[3] == "-"  # nothing stands last, both ways
    sort = script(browser, "return document.querySelectorAll('table.main th')[2].getAttribute('aria-sort')")
    assert sort == "ascending"


def test_filters_and_columns(shown: Callable[..., Any]) -> None:
    browser = shown()
    search = "const s = document.querySelector('input[type=search]');"
    search += "s.value = %r; s.dispatchEvent(new Event('input'))"
    script(browser, search % "A<SCRIPT")
    assert (
        len(column(browser, 0)) == 1
        and script(browser, "return document.querySelectorAll('.point').length") == 1
    )
    script(browser, search % "nothing like it")
    assert column(browser, 0) == [] and "No model" in script(
        browser, "return document.querySelector('figcaption').innerText"
    )
    script(browser, search % "")
    assert len(column(browser, 0)) == 4
    script(browser, "document.querySelector('.tools input[type=checkbox]').click()")
    assert len(column(browser, 0)) == 3
    script(browser, "document.querySelector('.choices input').click()")
    assert (
        script(
            browser,
            "return getComputedStyle(document.querySelector('table.main thead th:nth-child(3)')).display",
        )
        == "none"
    )


def test_details_and_the_plot(shown: Callable[..., Any]) -> None:
    browser = shown()
    assert script(browser, "return document.querySelectorAll('.plot .point').length") == 3
    front = script(browser, "return [...document.querySelectorAll('.point.front')].length")
    assert front == 0  # costs of one run
    script(
        browser,
        "const s = document.querySelectorAll('.plot select')[1];"
        "s.value = 'latency_p50_ms'; s.dispatchEvent(new Event('change'))",
    )
    assert "latency" in script(
        browser, "return document.querySelector('.plot svg').getAttribute('aria-label')"
    )
    script(browser, "document.querySelector('.point').dispatchEvent(new Event('focus'))")
    assert "hf1_samples 0." in script(browser, "return document.querySelector('figcaption').innerText")
    script(browser, "document.querySelector('.point').dispatchEvent(new MouseEvent('click'))")
    panels = script(browser, "return [...document.querySelectorAll('.details h4')].map(h => h.innerText)")
    for title in (
        "Training curves: loss",
        "Training curves: accuracy",
        "Level 2: confusion, test samples",
        "All metrics",
    ):
        assert title in panels
    assert any(title.startswith("Level 1: reliability, gap ") for title in panels)
    assert script(browser, "return document.querySelector('.details img').naturalWidth") == 20
    script(browser, "document.querySelector('.opener[aria-expanded=true]').click()")
    assert script(browser, "return document.querySelectorAll('.details').length") == 0


def luminance(browser: Any) -> float:
    text = script(browser, "return getComputedStyle(document.body).backgroundColor")
    return sum(float(part) for part in text.strip("rgb()").split(",")) / 3


def test_light_and_dark(shown: Callable[..., Any]) -> None:
    assert luminance(shown(dark=False)) > 200
    browser = shown(dark=True)
    assert luminance(browser) < 60
    script(browser, "document.getElementById('theme').click()")  # auto, light, dark
    assert luminance(browser) > 200
    script(browser, "document.getElementById('theme').click()")
    assert luminance(browser) < 60


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_page_is_wider_than_its_screen(shown: Callable[..., Any], width: int) -> None:
    browser = shown(width)
    script(browser, "document.querySelectorAll('.opener').forEach(o => o.click())")
    wide = "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .panels > *'))"
    wide += f".filter(e => e.getBoundingClientRect().right > {width}).map(e => e.outerHTML.slice(0, 90))"
    assert script(browser, f"return {wide}") == []
    assert script(browser, "return document.documentElement.scrollWidth") <= width
    panels = "[...document.querySelectorAll('tr.details .panels')]"
    edges = script(browser, f"return {panels}.map(e => e.getBoundingClientRect().right)")
    assert edges and max(edges) <= width


@pytest.mark.parametrize(("width", "outside"), [(PHONE, True), (2400, False)])
def test_columns_outside_the_window_are_named(
    browser: Any, fabricate: Callable[..., Any], tmp_path: Path, width: int, outside: bool
) -> None:
    path = tmp_path / "wide.html"
    path.write_text(page_of(build([fabricate("a"), fabricate("b", 0.5)])), encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())
    notice = "document.querySelector('.offscreen')"
    assert script(browser, f"return {notice}.hidden") is not outside
    text = script(browser, f"return {notice}.textContent")
    assert ("exact_match" in text and "Scroll the table" in text) is outside
    hide = "document.querySelectorAll('.choices input').forEach((box) => box.click())"
    script(browser, hide)
    assert script(browser, f"return {notice}.hidden")


@pytest.mark.parametrize("columns", [["total_s"], ["exact_match"]])
def test_a_page_of_few_columns(browser: Any, evil: Any, tmp_path: Path, columns: list[str]) -> None:
    path = tmp_path / "few.html"
    path.write_text(page_of(with_columns(evil.boards, columns)), encoding="utf-8")
    browser.get_log("browser")
    browser.get(path.as_uri())
    assert script(browser, "return document.documentElement.dataset.ready") == "yes"
    assert browser.get_log("browser") == []
    assert script(browser, "return document.querySelectorAll('.plot svg').length") == 0


def test_the_index_in_the_browser(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "index.html").write_text("<title>there</title>", encoding="utf-8")
    (tmp_path / "index.html").write_text(
        index_page("All", [Card("smoke", "smoke/index.html", 0, "", [])]), "utf-8"
    )
    browser.get((tmp_path / "index.html").as_uri())
    script(browser, "document.querySelector('a').click()")
    time.sleep(0.2)
    assert browser.title == "there"


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_label_maps_fade_over_their_image(
    browser: Any, pixel_record: Callable[..., Any], tmp_path: Path, width: int
) -> None:
    record = pixel_record(thumbnails=True)
    path = tmp_path / "maps.html"
    path.write_text(page_of(build([record]), pictures=True), encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("browser")
    browser.get(path.as_uri())
    script(browser, "document.querySelector('.opener').click()")
    tiles = "[...document.querySelectorAll('.overlays .tiles figure')]"
    captions = script(browser, f"return {tiles}.map(t => t.innerText.trim())")
    assert captions[:2] == ["Truth", "Prediction"] and captions[2].startswith("Mistakes: 3.27 %")
    assert script(browser, f"return {tiles}.map(t => t.querySelectorAll('img').length)") == [2, 2, 2]
    slide = "const s = document.querySelector('input.fade'); s.value = 0; s.dispatchEvent(new Event('input'))"
    script(browser, slide)
    opacity = f"return {tiles}.map(t => getComputedStyle(t.querySelector('img:last-child')).opacity)"
    assert script(browser, opacity) == ["0", "0", "1"]  # mistakes stay
    legend = "return document.querySelector('.overlays .legend').innerText.split('\\n').join(' ')"
    assert {"x", "y"} <= set(script(browser, legend).split())
    pick = "const s = document.querySelectorAll('.overlays select')[1]; s.value = 0;"
    script(browser, f"{pick} s.dispatchEvent(new Event('change'))")
    assert {"a", "b", "wrong"} <= set(script(browser, legend).split())
    swatch = "return getComputedStyle(document.querySelector('.overlays .swatch')).backgroundColor"
    assert script(browser, swatch) == "rgb(0, 114, 178)"
    assert script(browser, opacity) == ["0", "0", "1"]
    assert script(browser, "return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == [] and script(browser, "return window.pwned") is None


def test_ticks_close_to_each_other_differ(
    browser: Any, fabricate: Callable[..., Any], tmp_path: Path
) -> None:
    """A loss that falls from 0.15204 to 0.15201 had five ticks of 0.152."""
    record = fabricate("a", 0.9)
    losses = "\n".join(f"{step},{0.15205 - 1e-5 * step}" for step in range(1, 5))
    (record.path / HISTORY).write_text(f"step,train_loss\n{losses}\n", encoding="utf-8")
    path = tmp_path / "page.html"
    path.write_text(page_of(build([record])), encoding="utf-8")
    browser.get(path.as_uri())
    script(browser, "document.querySelectorAll('.opener').forEach(o => o.click())")
    texts = "return [...document.querySelectorAll('svg[aria-label^=training] .tick')].map(t => t.textContent)"
    upright = [text for text in script(browser, texts) if text.startswith("0.15")]
    assert len(upright) > 2 and len(set(upright)) == len(upright)
