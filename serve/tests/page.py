"""Uses the page of `inkstone-serve` in Chromium, with mouse, finger, files and keys, and fails where it is not as it should be.

    python page.py chromium cases.json

`cases` names the addresses of two servers, `open` and `keyed` (with its `key`), the `pictures` to drop and to choose with what is
on them, what the cards say, and the folder for `screenshots`.
"""

import base64
import json
import sys
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

chromium, cases_path = sys.argv[1:]
cases = json.loads(Path(cases_path).read_text())
expect.set_options(timeout=20_000)
SEVEN = [(0.25, 0.2), (0.5, 0.19), (0.74, 0.2), (0.6, 0.5), (0.47, 0.82)]
ONE = [(0.52, 0.15), (0.5, 0.5), (0.48, 0.85)]
DOT = [(0.5, 0.5)]
NBSP = "\u00a0"

# The text with the least contrast to what is behind it. WCAG 2.2, level AA, wants 4.5.
LEAST_CONTRAST = """() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(part => part / 255)
    .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [.2126, .7152, .0722][index], 0);
  const behind = element => {
    while (numbers(getComputedStyle(element).backgroundColor)[3] === 0) element = element.parentElement;
    return element;
  };
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  const texts = [...document.querySelectorAll("body *")].filter(element =>
    element.checkVisibility() && hasText(element) && !element.closest("script, option, :disabled, #hint, .unseen"));
  return texts.map(element => {
    const colours = [getComputedStyle(element).color, getComputedStyle(behind(element)).backgroundColor];
    const [more, less] = colours.map(light).sort((a, b) => b - a);
    return [(more + .05) / (less + .05), element.textContent];
  }).sort((a, b) => a[0] - b[0])[0];
}"""

# Makes requests slow, and counts how many there are at a time.
SLOW = """() => {
  const { fetch } = window;
  let now = 0;
  window.most = window.all = 0;
  window.fetch = async (...request) => {
    window.all += 1;
    window.most = Math.max(window.most, ++now);
    try {
      await new Promise(resolve => setTimeout(resolve, 100));
      return await fetch(...request);
    } finally { now -= 1; }
  };
}"""

# How many dots of what the model sees are not black, and its width and height.
LIT = """() => {
  const { width, height } = document.getElementById("seen"), copy = new OffscreenCanvas(width, height).getContext("2d");
  copy.drawImage(document.getElementById("seen"), 0, 0);
  return [copy.getImageData(0, 0, width, height).data.filter((value, index) => index % 4 === 0 && value > 0).length, width, height];
}"""


# What is shown as the answer from now on, each once.
WATCH = """() => {
  const shown = [], answer = document.getElementById("answer");
  new MutationObserver(() => { if (shown.at(-1) !== answer.textContent) shown.push(answer.textContent); })
    .observe(answer, { childList: true });
  return shown;
}"""


class Held:
    """Keeps requests waiting until they are let go."""

    def __init__(self):
        self.waiting = []

    def __call__(self, route):
        self.waiting.append(route) if self.waiting is not None else route.continue_()

    def let_go(self):
        waiting, self.waiting = self.waiting, None
        for route in waiting:
            route.continue_()


@contextmanager
def opened(browser, url, width=1200, height=900, expected=(), **options):
    """The page in a window of its own. It may ask nobody else, and complain only of what is `expected`."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    unexpected = [text for text in said if not any(part in text for part in expected)]
    assert not unexpected, unexpected
    strangers = [address for address in asked if not address.startswith((url, "data:", "blob:"))]
    assert not strangers, strangers
    context.close()


def on_paper(page, places):
    box = page.locator("#paper").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]


def draw(page, stroke, lift=True):
    start, *others = on_paper(page, stroke)
    page.mouse.move(*start)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=8)
    if lift:
        page.mouse.up()


def swipe(page, stroke):
    touch = page.context.new_cdp_session(page)
    places = on_paper(page, stroke)

    def send(kind, points):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    send("touchStart", places[:1])
    for (x, y), (next_x, next_y) in zip(places, places[1:]):
        for part in [0.25, 0.5, 0.75, 1]:
            send("touchMove", [(x + part * (next_x - x), y + part * (next_y - y))])
    send("touchEnd", [])


def press(page, name):
    page.get_by_role("button", name=name).click()


def expect_answer(page, text):
    expect(page.locator("#answer")).to_have_text(text)


def expect_nothing(page):
    expect_answer(page, "It appears as you draw.")
    expect(page.locator("#hint")).to_be_visible()
    expect(page.locator("#clear")).to_be_disabled()
    assert page.evaluate(LIT)[0] == 0


def expect_said(page, text):
    expect(page.get_by_role("alert")).to_contain_text(text)


def drawing(browser):
    with opened(browser, cases["open"], expected=["net::ERR_FAILED"]) as page:
        expect(page.locator("#card-title")).to_have_text("About the model digits")
        expect_nothing(page)
        # The answer comes before the pen is lifted, and is read aloud after.
        draw(page, SEVEN, lift=False)
        expect_answer(page, "seven")
        expect(page.locator("#spoken")).to_have_text("")
        page.mouse.up()
        expect(page.locator("#spoken")).to_contain_text("The answer is seven")
        lit, *size = page.evaluate(LIT)
        assert lit > 20 and size == [28, 28], (lit, size)
        expect(page.locator("#bars li")).to_have_count(10)
        expect(page.locator("#bars .best")).to_contain_text("seven")
        parts = page.locator("#bars span:last-child").all_inner_texts()
        assert abs(sum(float(part.split(NBSP)[0]) for part in parts) - 100) < 1, parts

        # Back to nothing, and to what was before, by the keyboard too.
        press(page, "Clear")
        expect_nothing(page)
        draw(page, ONE)
        expect_answer(page, "one")
        draw(page, SEVEN)
        page.keyboard.press("Control+z")
        expect_answer(page, "one")
        page.get_by_role("button", name="Undo").focus()
        page.keyboard.press("Enter")
        expect_nothing(page)

        # An answer that comes after its drawing was wiped away is not shown, though something else is drawn by then.
        with page.expect_request("**/*:classify*"):
            page.route("**/*:classify*", held := Held())
            draw(page, SEVEN)
        press(page, "Clear")
        draw(page, ONE, lift=False)
        shown = page.evaluate_handle(WATCH)
        held.let_go()
        expect_answer(page, "one")
        assert page.evaluate("shown => shown.join()", shown) == "one"
        page.mouse.up()
        page.unroute("**/*:classify*")
        press(page, "Clear")

        # Nobody is asked about a dot.
        draw(page, DOT)
        page.wait_for_timeout(300)
        expect_answer(page, "It appears as you draw.")
        press(page, "Clear")

        # Without the server drawing goes on, and the answer comes when it is back.
        page.route("**/*:classify*", lambda route: route.abort())
        draw(page, SEVEN)
        expect_said(page, "The server cannot be reached")
        page.unroute("**/*:classify*")
        expect_answer(page, "seven")
        expect(page.locator("#message")).to_be_hidden()


def one_request_at_a_time(browser):
    with opened(browser, cases["open"]) as page:
        expect(page.locator("#card")).to_be_visible()
        page.evaluate(SLOW)
        draw(page, SEVEN)
        expect(page.locator("#spoken")).to_contain_text("seven")
        most, count = page.evaluate("[most, all]")
        assert most == 1 and count >= 1, (most, count)


def pictures(browser):
    dropped, chosen = cases["pictures"]
    with opened(browser, cases["open"], expected=["status of 400"]) as page:
        expect(page.locator("#card")).to_be_visible()
        transfer = page.evaluate_handle("""content => {
          const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0)), transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
          return transfer;
        }""", base64.b64encode(Path(dropped["path"]).read_bytes()).decode())
        page.dispatch_event("#paper", "drop", {"dataTransfer": transfer})
        expect_answer(page, dropped["class"])

        with page.expect_file_chooser() as chooser:
            press(page, "Choose a picture")
        with page.expect_request("**/*:classify*") as request:
            chooser.value.set_files(chosen["path"])
        expect_answer(page, chosen["class"])
        assert request.value.method == "POST" and request.value.url.endswith("?show=input"), request.value.url

        notes = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
        page.set_input_files("#file", notes)
        expect_said(page, "notes.txt is no picture")
        press(page, "Clear")
        expect(page.locator("#message")).to_be_hidden()
        page.set_input_files("#file", cases["blank"])
        expect_said(page, "The server says: ")
        press(page, "Clear")
        expect_nothing(page)
        draw(page, SEVEN)
        expect_answer(page, "seven")


def cards(browser):
    with opened(browser, cases["open"]) as page:
        facts = page.locator("#facts")
        for text in ["ready", cases["accuracy"].replace(" ", NBSP) + " in tests", cases["parameters"]]:
            expect(facts).to_contain_text(text)
        digest = facts.get_by_role("button")
        expect(digest).to_have_attribute("title", cases["sha256"])
        digest.click()
        expect(digest).to_have_text(cases["sha256"])
        expect(page.get_by_label("Version", exact=True)).to_be_hidden()

        # The newer of two versions does not load: the older is chosen, which has no names, and the newer says why.
        page.get_by_label("Model", exact=True).select_option("many")
        expect(page.get_by_label("Version", exact=True)).to_have_value("1")
        draw(page, ONE)
        expect_answer(page, "1")
        page.get_by_label("Version", exact=True).select_option("2")
        expect(facts).to_contain_text("not served")
        expect(facts).to_contain_text("m.safetensors")
        expect_said(page, "This version is not served")

        # Takes numbers, and has a card by somebody who means ill.
        page.get_by_label("Model", exact=True).select_option("scores")
        expect(page.get_by_role("heading", name="This model takes no pictures")).to_be_visible()
        expect(page.locator("#paper")).to_be_hidden()
        expect(page.locator("#example")).to_contain_text("""-d '{"instances": [[0, 0, 0, 0]]}'""")
        expect(page.locator("#about")).to_have_text(cases["hostile"])
        assert page.locator("#card img, #card script").count() == 0
        assert page.evaluate("window.hacked") is None
        page.get_by_label("Model", exact=True).select_option("digits")
        expect(page.locator("#paper")).to_be_visible()


def keys(browser):
    with opened(browser, cases["keyed"], expected=["status of 401"]) as page:
        field = page.get_by_label("API key")
        expect(field).to_be_focused()
        field.fill("ink_wrong")
        page.keyboard.press("Enter")
        expect_said(page, "The server does not know this key.")
        # Drawing goes on meanwhile, and is answered when there is a key.
        draw(page, SEVEN)
        field.fill(cases["key"])
        press(page, "Use this key")
        expect_answer(page, "seven")
        expect(field).to_be_hidden()
        expect(page.locator("#message")).to_be_hidden()
        kept = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
        assert kept == [[cases["key"]], [], ""], kept


def looks(browser):
    """On wide and narrow screens, in light and dark: readable, nothing too wide, and drawn on with a finger."""
    for name, width, height in [("wide", 1200, 900), ("phone", 390, 844), ("small", 360, 640)]:
        for scheme in ["light", "dark"]:
            is_touched = name != "wide"
            with opened(browser, cases["open"], width, height, color_scheme=scheme, has_touch=is_touched, is_mobile=is_touched) as page:
                expect(page.locator("#card")).to_be_visible()
                (swipe if is_touched else draw)(page, SEVEN)
                expect(page.locator("#spoken")).to_contain_text("seven")
                assert page.evaluate("[document.documentElement.scrollWidth, scrollY]") == [width, 0], name
                page.wait_for_timeout(300)
                contrast, text = page.evaluate(LEAST_CONTRAST)
                assert contrast >= 4.5, (name, scheme, contrast, text)
                page.screenshot(path=Path(cases["screenshots"], f"{name}-{scheme}.png"), full_page=True)


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    for part in [drawing, one_request_at_a_time, pictures, cards, keys, looks]:
        part(browser)
        print(f"{part.__name__}: ok")
    browser.close()
