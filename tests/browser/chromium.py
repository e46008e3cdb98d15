"""What the browser tests share: the browser, the windows that pages are looked at in, and how a test ends."""

import os
import sys

CHROMIUM = os.environ.get("CHROMIUM", "chromium")
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
# Width, height of the window, and the scheme.
VIEWS = {
    "desktop-light": (1280, 1000, "light"),
    "desktop-dark": (1280, 1000, "dark"),
    "phone-light": (390, 844, "light"),
    "phone-dark": (390, 844, "dark"),
}


def conclude(wrong: list[str]) -> None:
    """Prints what is wrong, a line each; exits 1 where anything is."""
    print("\n".join(wrong) or "no faults")
    sys.exit(1 if wrong else 0)
