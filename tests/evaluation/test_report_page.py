"""The report opens in a browser without network: tables sort, the magnifier moves, it can be read.

Driven through chromedriver's HTTP interface (W3C WebDriver) with the standard library alone.
"""

import base64
import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.metrics.suite import Suite
from specgan_cli.evaluation.report.charts import histogram, ticks
from specgan_cli.evaluation.report.colours import heat
from specgan_cli.evaluation.report.page import render
from specgan_cli.evaluation.report.panels import Panel, Strip
from specgan_cli.evaluation.report.summary import Context
from specgan_cli.evaluation.runner import Evaluation, Pool, Row
from specgan_cli.png import encode
from support.command import specgan
from support.datasets import make_evaluation_dataset
from support.tiny_networks import tiny_weights

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(
    DRIVER is None or BROWSER is None,
    reason="needs chromium and chromedriver: apt-get install chromium chromium-driver",
)


class Browser:
    """One headless window."""

    def __init__(self, port: int, dark: bool) -> None:
        self.root = f"http://127.0.0.1:{port}"
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        words += ["--window-size=1400,1000", *(["--force-dark-mode"] if dark else [])]
        options = {"binary": BROWSER, "args": words}
        always = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": always}})
        self.root += f"/session/{made['sessionId']}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send one WebDriver command and return its value."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def run(self, script: str) -> Any:
        """Run JavaScript in the page."""
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def find(self, selector: str) -> str:
        """Return the id of the first element that a selector finds."""
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        return next(iter(found.values()))

    def click(self, selector: str) -> None:
        """Click an element."""
        self.call("POST", f"/element/{self.find(selector)}/click", {})

    def hover(self, selector: str, x: int, y: int) -> None:
        """Move the pointer to an offset from an element's centre, pixels."""
        origin = {"element-6066-11e4-a52e-4f735466cecf": self.find(selector)}
        move = {"type": "pointerMove", "duration": 0, "origin": origin, "x": x, "y": y}
        pointer = {"type": "pointer", "id": "mouse", "actions": [move]}
        self.call("POST", "/actions", {"actions": [pointer]})

    def drag(self, selector: str, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press at an offset from an element's centre, move to another, let go."""
        origin = {"element-6066-11e4-a52e-4f735466cecf": self.find(selector)}
        steps: list[dict[str, Any]] = [
            {"type": "pointerMove", "duration": 0, "origin": origin, "x": start[0], "y": start[1]},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "duration": 0, "origin": origin, "x": end[0], "y": end[1]},
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": "mouse", "actions": steps}
        self.call("POST", "/actions", {"actions": [pointer]})

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        keys = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": keys}]})

    def cdp(self, command: str, **parameters: object) -> None:
        """Send a command of the DevTools protocol."""
        self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def phone(self, width: int, dark: bool) -> None:
        """Show the next page as a phone of a width in CSS pixels does."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=2,
            mobile=True,
        )
        self.emulate_scheme("dark" if dark else "light")

    def emulate_scheme(self, scheme: str) -> None:
        """Have pages see a preference for light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.cdp("Emulation.setEmulatedMedia", features=features)

    def logs(self, kind: str) -> Any:
        """Return what the browser has logged since the last call."""
        return self.call("POST", "/se/log", {"type": kind})


@contextlib.contextmanager
def driver() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    dataset = make_evaluation_dataset(folder / "dataset", count=6)
    outcome = specgan(
        *("evaluate", dataset, "--weights", tiny_weights(), "-x", "8", "--ablate", "hsi"),
        *("--metrics", "psnr,ssim,spectrum,edge_strength", "-o", folder / "report"),
        *("--device", "cpu"),
    )
    assert outcome.code == 0, outcome.stderr
    return folder / "report" / "index.html"


@pytest.fixture(scope="module")
def page(report: Path) -> Iterator[Browser]:
    with driver() as port:
        browser = Browser(port, dark=False)
        browser.call("POST", "/url", {"url": report.as_uri()})
        yield browser
        browser.call("DELETE", "")


@needs_browser
def test_a_table_sorts_by_the_clicked_column(page: Browser) -> None:
    values = """
        const column = [...document.querySelectorAll("#chips th")].length - 4;
        return [...document.querySelectorAll("#chips tbody tr")]
            .map((row) => Number(row.cells[column].dataset.value));
    """
    before = page.run(values)
    page.click("#chips th:nth-last-child(4) button")
    ascending = page.run(values)
    page.click("#chips th:nth-last-child(4) button")
    descending = page.run(values)
    assert before != sorted(before)
    assert ascending == sorted(before)
    assert descending == sorted(before, reverse=True)
    header = 'return document.querySelector("#chips th:nth-last-child(4)").ariaSort'
    assert page.run(header) == "descending"


LENSES = """
    const strip = document.querySelector(".strip");
    return [...strip.querySelectorAll(".lens")].map((lens) => {
        const style = getComputedStyle(lens);
        const view = lens.parentNode;
        return [style.display, parseFloat(lens.style.left) / view.clientWidth,
                parseFloat(lens.style.top) / view.clientHeight, lens.style.backgroundImage.length];
    });
"""


@needs_browser
def test_the_magnifier_moves_over_all_panels_together(page: Browser) -> None:
    page.run('document.querySelector(".strip").scrollIntoView()')
    page.hover(".strip .view", 20, -30)
    first = page.run(LENSES)
    assert len(first) >= 6
    assert {lens[0] for lens in first} == {"block"}
    assert max(lens[1] for lens in first) - min(lens[1] for lens in first) < 0.01
    assert first[0][1] > 0.5 > first[0][2]
    assert all(lens[3] > 100 for lens in first)
    page.hover(".strip .view", -40, 10)
    second = page.run(LENSES)
    assert all(after[1] < before[1] for after, before in zip(second, first, strict=True))


@needs_browser
def test_the_magnifier_obeys_the_arrow_keys(page: Browser) -> None:
    page.run('document.querySelector(".strip").focus()')
    before = page.run(LENSES)[0][1]
    page.press("\ue014")
    assert page.run(LENSES)[0][1] > before


@needs_browser
def test_nothing_is_fetched_and_nothing_fails(page: Browser) -> None:
    urls = []
    for entry in page.logs("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.append(message["params"]["request"]["url"])
    assert all(url.startswith(("file:", "data:")) for url in urls), urls
    severe = [entry for entry in page.logs("browser") if entry["level"] == "SEVERE"]
    assert severe == []


@needs_browser
def test_a_screenshot_shows_ink_on_light_ground(page: Browser) -> None:
    page.run("window.scrollTo(0, 0)")
    picture = base64.b64decode(page.call("GET", "/screenshot"))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert min(int(part) for part in re.findall(r"\d+", ground)) > 200


@needs_browser
def test_dark_surroundings_get_a_dark_page(report: Path) -> None:
    with driver() as port:
        browser = Browser(port, dark=True)
        browser.emulate_scheme("dark")
        browser.call("POST", "/url", {"url": report.as_uri()})
        colours = browser.run(
            "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        )
        browser.call("DELETE", "")
    ground, ink = (max(int(part) for part in re.findall(r"\d+", text)) for text in colours)
    assert ground < 60 < 180 < ink


COMPARE = """
    const box = document.querySelector(".compare"), pair = box.querySelector(".pair");
    const [left, right] = pair.querySelectorAll("img");
    const edge = pair.querySelector(".divider").getBoundingClientRect();
    const frame = pair.getBoundingClientRect();
    return {hidden: box.hidden, at: Number(box.querySelector("input").value),
            edge: 100 * (edge.left + 1 - frame.left - 1) / (frame.width - 2),
            clip: getComputedStyle(right).clipPath, names: [left.alt, right.alt],
            shown: [left.naturalWidth, right.naturalWidth], same: left.src === right.src,
            wide: right.clientWidth === left.clientWidth,
            high: right.clientHeight === left.clientHeight};
"""


@needs_browser
def test_the_divider_follows_pointer_keys_and_choice(page: Browser) -> None:
    """Left of it lies the input, right of it the output, both as large."""
    page.run('document.querySelector(".compare").scrollIntoView()')
    first = page.run(COMPARE)
    assert first["names"] == ["LR input", "tiny"]
    assert not first["hidden"]
    assert first["at"] == 50
    assert first["wide"] and first["high"]
    assert not first["same"]
    assert 0 < first["shown"][0] < first["shown"][1]
    page.drag(".compare .pair", (0, 0), (120, 0))
    dragged = page.run(COMPARE)
    assert 60 < dragged["at"] < 100
    assert abs(dragged["edge"] - dragged["at"]) < 1
    (cut,) = re.findall(r"0px ([0-9.]+)%\)", dragged["clip"])
    assert abs(float(cut) - dragged["at"]) < 0.1
    page.run('document.querySelector(".compare input").focus()')
    page.press("\ue012")
    assert page.run(COMPARE)["at"] < dragged["at"]
    page.run("""
        const choice = document.querySelectorAll(".compare select")[0];
        choice.value = "reference";
        choice.dispatchEvent(new Event("change"));
    """)
    assert page.run(COMPARE)["names"] == ["reference", "tiny"]


@needs_browser
def test_a_phone_shows_the_page_without_scrolling_sideways(report: Path, tmp_path: Path) -> None:
    """Wide tables scroll inside their frames, in the dark as well; text stays legible."""
    with driver() as port:
        browser = Browser(port, dark=True)
        for width in (320, 390):
            browser.phone(width, dark=True)
            browser.call("POST", "/url", {"url": report.as_uri()})
            assert browser.run("return [innerWidth, document.documentElement.scrollWidth]") == [
                width,
                width,
            ]
            assert browser.run(CONTRAST) > 4.5
            box = browser.run(
                'return document.querySelector(".compare .pair").getBoundingClientRect().width'
            )
            assert 0.8 * width < box < width
        browser.call("DELETE", "")


CONTRAST = """
    const light = (colour) => {
        const parts = colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
            .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
    const of = (selector) => {
        const ink = light(getComputedStyle(document.querySelector(selector)).color);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    };
    return Math.min(...["h1", ".quiet", "td", "td.best", "td small", "figcaption"].map(of));
"""
"""The least contrast of ink and ground, as WCAG 2 defines it."""


@needs_browser
def test_ink_stands_out_by_day_too(page: Browser) -> None:
    assert page.run(CONTRAST) > 4.5


def test_the_page_names_no_address(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!data:)", text)
    assert "default-src 'none'" in text


def test_pictures_and_maps_are_in_the_page(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 6 * 6
    for part in (
        "LR input",
        "bicubic",
        "reference",
        "error of tiny",
        "uncertainty of tiny",
        "<circle",
    ):
        assert part in text


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_png_holds_the_pixels() -> None:
    rasterio = pytest.importorskip("rasterio")
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    with rasterio.MemoryFile(encode(pixels)) as memory, memory.open() as dataset:
        assert (dataset.read() == pixels.transpose(2, 0, 1)).all()


def test_heat_goes_from_dark_to_pale() -> None:
    colours = heat(np.array([[0.0, 0.5, 1.0]]), np.ones((1, 3), bool), 1.0)
    assert (np.diff(colours[0, :, :3].astype(int).sum(1)) > 0).all()


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(3.0, 3.0) == [3.0]
    assert all(0.13 <= tick <= 0.97 for tick in ticks(0.13, 0.97))


def test_names_are_escaped_in_charts() -> None:
    chart = histogram("a<b", "", {"x & <y>": [1.0, 2.0]})
    assert "<y>" not in chart
    assert "x &amp; &lt;y&gt;" in chart


def test_names_are_escaped_in_the_page() -> None:
    units = Units(0.0, 255.0, 2)
    suite = Suite(units, ("psnr",))
    row = Row("<chip>", "g", "<set>", "<method>", "<label>", {"psnr": 20.0})
    evaluation = Evaluation(units, ("psnr",), ("<method>",), [row])
    evaluation.pools["<set>", "<method>"] = Pool(suite)
    context = Context(
        "<source>", "<command>", {"<weights>": "0"}, {"perceptual": "<model>"}, ["<note>"]
    )
    strips = [Strip("<chip>", "<rank>", (Panel("<title>", "data:", "<remark>"),))]
    text = render(evaluation, context, strips, {"<chip>": (8.0, 47.0)})
    for name in ("chip", "set", "method", "label", "source", "command", "weights", "model"):
        assert f"&lt;{name}&gt;" in text
    for name in ("note", "rank", "title", "remark"):
        assert f"&lt;{name}&gt;" in text
    assert not re.search("<(chip|set|method|label|source|command|weights|model|note|rank)>", text)
