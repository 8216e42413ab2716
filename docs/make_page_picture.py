"""Take the screenshot of a leaderboard's HTML page in the README, from ``results/``.

``python docs/make_page_picture.py``; needs Chromium with its driver, and selenium.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image
from selenium import webdriver

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "results" / "sem-failure" / "index.html"
PICTURE = ROOT / "docs" / "leaderboard-page.png"
WIDTH, HEIGHT = 1280, 1640


def main() -> None:
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--window-size={WIDTH},{HEIGHT}",
    ):
        options.add_argument(argument)
    options.binary_location = "/usr/bin/chromium"
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(PAGE.as_uri())
        browser.execute_script("document.getElementById('theme').hidden = true")
        screenshot = Image.open(BytesIO(browser.get_screenshot_as_png()))
    finally:
        browser.quit()
    screenshot.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
