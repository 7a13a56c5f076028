"""The page in a real headless browser: it loads whole, alone, without an error, and fits a phone."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name resolves, so a request to anywhere would fail and be logged
]  # fmt: skip
_WIDTHS = (400, 1280)  # a phone, a laptop
_PROBE = """
<script>
const errors = [];
addEventListener("error", event => errors.push(String(event.message || event.target.outerHTML).slice(0, 200)), true);
addEventListener("load", () => {
  const shown = node => { const box = node.getBoundingClientRect(); return box.width > 0 && box.height > 0; };
  const names = performance.getEntriesByType("resource").map(entry => entry.name);
  parent.postMessage({
    errors, width: innerWidth, scroll: document.documentElement.scrollWidth, requests: names.filter(name => !name.startsWith("data:")),
    tables: [...document.querySelectorAll("main > .box table")].map(shown),
    headline: document.querySelectorAll("table.headline tbody tr").length,
    svgs: [...document.querySelectorAll("figure svg")].map(shown), images: [...document.querySelectorAll("svg image")].map(shown),
    ink: getComputedStyle(document.body).color, axis: getComputedStyle(document.querySelector("figure svg text")).fill,
  }, "*");
});
</script>
"""
# frames, because a browser's own window is never narrower than 500 pixels
_FRAMES = """<!doctype html><title>frames</title><link rel="icon" href="data:,"><pre id="probes"></pre>
<script>addEventListener("message", event => { probes.textContent += JSON.stringify(event.data) + "\\n"; });</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of an installed browser; skips where there is none."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip(f"no headless browser is installed: one of {', '.join(_BROWSERS)} on the PATH would run this test")
    return found


@pytest.mark.parametrize(("kind", "n_images"), [("classification", 1), ("regression", 0)])
def test_the_page_loads_alone_and_fits_a_phone_and_a_laptop(browser, kind, n_images, request, tmp_path):
    for found in looked_at(browser, request.getfixturevalue(f"{kind}_page"), tmp_path, n_images, 3):
        assert found["headline"] == 2


def test_the_pages_of_a_grid_of_encodings_and_of_a_cell_do_too(browser, encoding_grid, tmp_path):
    cell = next(encoding_grid.glob("cells/*/run/report.html"))
    for number, (path, n_figures) in enumerate([(encoding_grid / "report.html", 5), (cell, 4)]):
        page = path.read_text(encoding="utf-8")
        assert "Against the ceiling" in page
        assert "Where in the brain" in page
        (tmp_path / str(number)).mkdir()
        looked_at(browser, page, tmp_path / str(number), 1, n_figures)


def looked_at(browser: str, page: str, tmp_path: Path, n_images: int, n_figures: int) -> list[dict]:
    """What a probe saw at each width, after what every page must hold was found to hold."""
    probes, log = _opened(browser, page, tmp_path)
    assert "CONSOLE" not in log
    assert sorted(found["width"] for found in probes) == list(_WIDTHS)
    for found in probes:
        assert found["errors"] == []
        assert found["requests"] == []
        assert found["scroll"] <= found["width"]
        assert all(found["tables"])
        assert len(found["svgs"]) >= n_figures
        assert all(found["svgs"] + found["images"])
        assert len(found["images"]) >= n_images, "a map holds an image"
        assert found["axis"] == found["ink"], "labels of figures follow the page's colours"
    return probes


def _opened(browser: str, page: str, tmp_path: Path) -> tuple[list[dict], str]:
    """What a probe inside a copy of the page saw at each width, and the browser's log."""
    (tmp_path / "page.html").write_text(page.replace("<head>", "<head>" + _PROBE, 1), encoding="utf-8")
    frames = "".join(f'<iframe src="page.html" style="width:{w}px;height:900px;border:0"></iframe>' for w in _WIDTHS)
    (tmp_path / "frames.html").write_text(_FRAMES + frames, encoding="utf-8")
    place = [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,2000", "--virtual-time-budget=5000"]
    command = [browser, *_FLAGS, *place, "--dump-dom", (tmp_path / "frames.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    probes = re.search(r'<pre id="probes">(.*?)</pre>', done.stdout, re.DOTALL)
    assert probes is not None, f"the page did not finish loading: {done.stderr[-500:]}"
    return [json.loads(line) for line in unescape(probes[1]).splitlines()], done.stderr
