"""A browser that looks at reports: Debian's chromium, without a screen and without a network."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certaudit.report.blocks import Document
from certaudit.report.html import render_html

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def _started(tmp_path_factory) -> Iterator:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("reports are not looked at: install chromium and chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, Service(driver))
    yield browser
    browser.quit()


@pytest.fixture
def browser(_started) -> Iterator:
    """Give a browser that emulates nothing and has logged nothing."""
    for log in ("browser", "performance"):
        _started.get_log(log)
    yield _started
    _started.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    _started.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    _started.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.fixture
def show(browser, tmp_path) -> Callable[[Document], Path]:
    """Give a function that opens a report, and returns its file."""

    def show(document: Document) -> Path:
        file = tmp_path / "report.html"
        file.write_bytes(render_html(document))
        browser.get(file.as_uri())
        return file

    return show
