"""A real browser for tests: headless Chromium, driven by playwright; without it, they are skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
QUIET = "--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update"
PATIENCE = 120_000  # ms, for a picture of a page whose 3-D scene is drawn without a graphics card
SOFTWARE = "--disable-sync --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader"


def require_playwright() -> Any:
    """Return what drives the browser; skip the test, or the module that is being imported, if something is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    pytest.importorskip("viser", reason="needs viser: pip install 'viser>=1.1.1,<1.2' 'trimesh>=4.0'")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}", allow_module_level=True)
    return playwright


def open_browser(driver: Any) -> Any:
    """Return the browser, started."""
    return driver.chromium.launch(executable_path=str(CHROMIUM), args=f"{QUIET} {SOFTWARE}".split())


def open_page(browser: Any, **options: Any) -> Any:
    """Return a new page, with time for what is slow on a busy machine."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page
