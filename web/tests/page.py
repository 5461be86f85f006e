"""Uses the page in Chromium, with mouse, files and keys, and fails where it is not as it should be.

    python page.py chromium dist files screenshots

`files` has a data set of drawn digits as the files of MNIST, and `rust.safetensors`, the model of a Rust program. What the page
saves is put there as `saved.safetensors`.
"""

import base64
import functools
import http.server
import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

chromium, dist, files, screenshots = map(Path, sys.argv[1:])
screenshots.mkdir(parents=True, exist_ok=True)
expect.set_options(timeout=30_000)
FILES = [f"{name}-ubyte.gz" for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]]


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=dist))
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/"

# Drops a file on the page as a hand does.
DROP = """([name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
}"""
# How long the frames of two seconds took, in milliseconds.
FRAMES = """() => new Promise(resolve => {
  const times = [];
  const look = time => { times.push(time); times.at(-1) - times[0] < 2000 ? requestAnimationFrame(look) : resolve(times.slice(1).map((time, index) => time - times[index])); };
  requestAnimationFrame(look);
})"""


def number(page, name):
    return float(page.locator(f"#{name}").inner_text().replace("%", "").replace(",", "").strip() or 0)


def wait_for(page, what, seconds=60):
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        page.wait_for_timeout(100)
    return time.monotonic() - start


def draw(page, points):
    box = page.locator("#paper").bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.move(*at(*points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(*point), steps=10)
    page.mouse.up()


def opened(context, complaints, fragment=""):
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address + fragment)
    expect(page.locator("#run")).to_be_enabled()
    return page


def message(page):
    return page.locator("#message")


with sync_playwright() as playwright:
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync"]
    browser = playwright.chromium.launch(executable_path=chromium, args=options)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    complaints = []
    page = opened(context, complaints)
    print("program:", page.evaluate("document.documentElement.dataset.program"))

    # It learns, and the page goes on being drawn. Some seconds are enough; a busy machine is given a minute.
    page.locator("#run").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#run")).to_have_text("Stop")
    frames = sorted(page.evaluate(FRAMES))
    print(f"frames: median {frames[len(frames) // 2]:.1f} ms, 95 % within {frames[len(frames) * 95 // 100]:.1f} ms")
    assert len(frames) > 20, f"{len(frames)} frames in two seconds"
    seconds = 2 + wait_for(page, lambda: number(page, "accuracy") >= 95)
    print(f"95 % of drawn digits after {seconds:.1f} s, {number(page, 'speed'):.0f} pictures a second")

    # It reads what is drawn while it learns.
    draw(page, [(0.52, 0.15), (0.5, 0.5), (0.48, 0.85)])
    expect(page.locator("#answer")).to_contain_text("1")
    expect(page.locator("#bars .best span").first).to_have_text("1")
    page.locator("#clear").click()
    expect(page.locator("#answer")).to_have_class("none")
    draw(page, [(0.25, 0.2), (0.5, 0.19), (0.74, 0.2), (0.6, 0.5), (0.47, 0.82)])
    expect(page.locator("#answer")).to_contain_text("7")
    expect(page.locator("#confusion td.right")).to_have_count(10)
    page.locator("#example").click()
    page.wait_for_timeout(300)

    # Stop, and go on where it was.
    page.locator("#run").click()
    expect(page.locator("#run")).to_have_text("Go on")
    seen = number(page, "pictures")
    page.wait_for_timeout(500)
    assert number(page, "pictures") == seen, "it goes on though it was stopped"
    page.locator("#run").click()
    wait_for(page, lambda: number(page, "pictures") > seen)
    page.screenshot(path=screenshots / "wide.png", full_page=True)

    # What it has learned can be kept, and a model of another program comes in.
    page.locator("#run").click()
    expect(page.locator("#run")).to_have_text("Go on")
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(files / "saved.safetensors")
    with page.expect_download() as download:
        page.locator("#onnx").click()
    assert Path(download.value.path()).stat().st_size > 10_000
    known = number(page, "accuracy")
    page.locator("#reset").click()
    wait_for(page, lambda: number(page, "accuracy") < 60)
    page.locator("#file").set_input_files(files / "saved.safetensors")
    wait_for(page, lambda: abs(number(page, "accuracy") - known) < 3)
    page.locator("#file").set_input_files(files / "rust.safetensors")
    expect(page.locator("#summary")).to_contain_text("7,850")

    # Files of a data set, one after another and in any order; what is wrong with one is said.
    def drop(name, content, kind="application/gzip"):
        page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])

    broken = (files / FILES[0]).read_bytes()[:5000]
    for name in FILES[1:]:
        drop(name, (files / name).read_bytes())
    expect(message(page)).to_contain_text("Still missing: training pictures")
    drop(FILES[0], broken)
    expect(message(page)).to_contain_text("the pictures of the training set")
    page.locator("#file").set_input_files([files / name for name in FILES])
    expect(page.locator("#status")).to_contain_text("3,000 examples")
    expect(message(page)).to_be_hidden()
    drop("letter.txt", b"Dear page", "text/plain")
    expect(message(page)).to_contain_text("letter.txt")
    drop("broken.png", b"no picture", "image/png")
    expect(message(page)).to_contain_text("broken.png")
    drop("model.safetensors", b"no model", "")
    expect(message(page)).to_contain_text("no safetensors file")

    # A network whose shapes do not fit: the crate says which layer. The old one stays and learns.
    page.get_by_role("button", name="Remove layer 5").click()
    expect(message(page)).to_contain_text("Flatten")
    page.locator("#presets").select_option("a small one")
    expect(message(page)).to_be_hidden()
    page.locator("#optimizer").select_option("momentum")
    page.locator("#rate").select_option("0.03")
    page.locator("#batch").select_option("64")
    page.locator("#augment").check()
    page.locator("#run").click()
    wait_for(page, lambda: number(page, "epoch") >= 2)
    page.locator("#run").click()

    # What diverges says so, and can be begun anew.
    page.locator("#batch").select_option("8")
    page.locator("#rate").select_option("1")
    page.locator("#run").click()
    expect(page.locator("#run")).to_have_text("Stop")
    wait_for(page, lambda: message(page).is_visible() or number(page, "pictures") > 3000)
    if not message(page).is_visible():
        page.locator("#run").click()
    expect(page.locator("#run")).to_have_text("Go on")
    page.locator("#batch").select_option("64")
    page.locator("#rate").select_option("0.03")
    expect(message(page)).to_be_hidden()
    expect(page.locator("#run")).to_have_text("Start learning")

    # MNIST is not beside every page.
    if not (dist / "mnist").exists():
        before = len(complaints)
        page.locator("#data").select_option("mnist")
        expect(message(page)).to_contain_text("not beside this page")
        del complaints[before:]
        page.locator("#data").select_option("drawn")
        expect(message(page)).to_be_hidden()

    # A link has the settings, and a reload keeps them; a link that is wrong is said to be.
    link = page.evaluate("location.hash")
    page.reload()
    expect(page.locator("#run")).to_be_enabled()
    expect(page.locator("#optimizer")).to_have_value("momentum")
    expect(page.locator("#layers li")).to_have_count(7)
    other = opened(context, complaints, link)
    expect(other.locator("#batch")).to_have_value("64")
    expect(other.locator("#augment")).to_be_checked()
    for wrong, says in [("#nonsense", "cannot be read"), ('#{"layers":[{"kind":"pool"}]}', "Flatten"), ('#{"layers":[{"kind":"<b>"}]}', "does not know")]:
        page = opened(browser.new_context(), complaints, wrong)
        expect(message(page)).to_contain_text(says)
        page.locator("#run").click()
        wait_for(page, lambda: number(page, "pictures") > 0)
        page.close()
    other.close()

    # Narrow and dark, wide and dark; nothing is wider than a phone.
    for name, width, scheme in [("phone", 360, "light"), ("phone-dark", 360, "dark"), ("dark", 1280, "dark")]:
        page = opened(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme), complaints)
        page.locator("#example").click()
        page.locator("#run").click()
        wait_for(page, lambda: number(page, "pictures") > 3000)
        page.locator("#run").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"the page is wider than {width}"
        page.screenshot(path=screenshots / f"{name}.png", full_page=True)
        page.close()

    assert not complaints, complaints
    browser.close()
