"""Trains the Keras example's network on drawn digits in one Chromium, by Inkstone and by TensorFlow.js, in turns.

    web/build.sh && npm --prefix web/bench ci
    python web/bench/compare.py chromium [rounds]

Prints milliseconds for 1,000 images at batches of 32; the plain backend of TensorFlow.js gets fewer images, as it takes minutes.
"""

import functools
import http.server
import statistics
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

chromium, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
web = Path(__file__).resolve().parent.parent
IMAGES = {"inkstone": 3200, "cpu": 64, "webgl": 640}


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=web))
threading.Thread(target=server.serve_forever, daemon=True).start()

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--enable-unsafe-swiftshader"])
    page = browser.new_page()
    page.set_default_timeout(600_000)
    page.goto(f"http://127.0.0.1:{server.server_port}/bench/compare.html")
    page.wait_for_function("window.ready")
    times = {name: [] for name in IMAGES}
    for _ in range(rounds):
        for name, images in IMAGES.items():
            times[name].append(page.evaluate("([name, images]) => measure[name](images)", [name, images]) * 1000 / images)
    best = statistics.median(times["inkstone"])
    for name, all_times in times.items():
        middle = statistics.median(all_times)
        print(f"{name}: {middle:.0f} ms for 1,000 images ({min(all_times):.0f} to {max(all_times):.0f}), {middle / best:.1f} times Inkstone's")
    print("program:", page.evaluate("program"), "· WebGL by", page.evaluate("renderer"))
    browser.close()
