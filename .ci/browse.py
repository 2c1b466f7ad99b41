"""Opens pages in headless Chromium as a person would: waits for what should be there, takes pictures, and fails on any request that leaves the machine.

usage: browse.py BASE_URL PICTURE_FOLDER
"""
import json
import sys
import urllib.parse

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

BASE, FOLDER = sys.argv[1].rstrip("/"), sys.argv[2]
# path, width, colour scheme, language, CSS selector that must appear, text that must stand in the page
LOOKS = [
    ("/", 1280, "light", "en", "main", "SIM7600G-H"),
    ("/", 1280, "dark", "uk", "main", "SIM7600G-H"),
    ("/", 320, "light", "ru", "main", "SIM7600G-H"),
    ("/docs/", 1280, "light", "en", ".opblock", "Authorize"),
    ("/docs/problems", 1280, "light", "en", "body", "modem.sim_absent"),
]


def browser(width, scheme, language):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost", "--hide-scrollbars", f"--window-size={max(width, 500)},1400",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    driver = webdriver.Chrome(service=webdriver.ChromeService("/usr/bin/chromedriver"), options=options)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 500})
    return driver


def asked(driver):
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


failures = 0
for path, width, scheme, language, selector, text in LOOKS:
    name = f"{path.strip('/').replace('/', '-') or 'page'}-{width}-{scheme}-{language}"
    driver = browser(width, scheme, language)
    try:
        driver.get(BASE + path)
        WebDriverWait(driver, 20).until(lambda d: d.find_elements(By.CSS_SELECTOR, selector) and text in d.page_source)
        scrolls = driver.execute_script("return document.documentElement.scrollWidth > window.innerWidth")
        driver.save_screenshot(f"{FOLDER}/{name}.png")
        urls = set(asked(driver))
        foreign = sorted(u for u in urls if urllib.parse.urlsplit(u).scheme in ("http", "https", "ws", "wss") and not u.startswith(BASE))
        errors = [e["message"] for e in driver.get_log("browser") if e["level"] == "SEVERE"]
        wrong = foreign or errors or (scrolls and path == "/")
        failures += bool(wrong)
        print(f"{'FAILED' if wrong else 'ok'}: {name}: {len(urls)} addresses, foreign {foreign}, errors {errors}, scrolls sideways {scrolls}")
    finally:
        driver.quit()
print(f"{len(LOOKS) - failures} passed, {failures} failed")
sys.exit(1 if failures else 0)
