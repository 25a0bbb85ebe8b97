import base64
import html
import io
import json
import pathlib
import re
import shutil
import subprocess
from xml.etree import ElementTree

from matplotlib import image

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def texts(svg):
    elements = ElementTree.fromstring(svg).iter()
    return {one.text for one in elements if one.tag.endswith("}text")}


class Page:
    """A page, checked to be well-formed and to load nothing."""

    def __init__(self, path):
        self.source = path.read_text("utf-8")
        root = ElementTree.fromstring(self.source)
        self.text = list(root.itertext())
        self.rows = [
            ["".join(cell.itertext()) for cell in row]
            for row in root.iter("tr")
        ]
        self.tiles = {
            one[0].text: one[1].text
            for one in root.iter("div")
            if one.get("class") == "tile"
        }
        self.identifiers = [
            one.get("id") for one in root.iter() if one.get("id")
        ]
        assert len(set(self.identifiers)) == len(self.identifiers)

        # The page and, decoded, its charts.
        self.content = self.source
        self.images, self.charts = [], []
        for one in root.iter("img"):
            self._look(one.get("alt"), one.get("src"))
        for one in root.iter():
            assert one.tag == "a" or "href" not in one.attrib
        self.links = {
            "".join(one.itertext()): one.get("href") for one in root.iter("a")
        }
        for forbidden in ("http", "<script", "@import"):
            assert forbidden not in self.source

    def assert_names_no_path(self, *folders):
        """It has none of these folders, nor where they or this process are."""
        for folder in (*folders, pathlib.Path.cwd(), pathlib.Path.home()):
            path = pathlib.Path(folder)
            for one in {path, path.absolute(), path.resolve()}:
                if one.is_absolute() and len(one.parts) > 1:
                    assert str(one) not in self.content

    def row(self, first):
        (found,) = [row for row in self.rows if row and row[0] == first]
        return found

    def _look(self, alt, source):
        assert alt
        start, _, data = source.partition(",")
        content = base64.b64decode(data)
        if start == "data:image/png;base64":
            self.images.append((alt, image.imread(io.BytesIO(content))))
        else:
            assert start == "data:image/svg+xml;base64"
            self.charts.append(texts(content))
            self.content += content.decode()


# Writes how wide the content of each page is in a frame of 400 pixels.
_FRAMES = """<!DOCTYPE html>
<html><body>
{frames}
<script>
window.addEventListener("load", () => {{
  const widths = [...document.querySelectorAll("iframe")].map((frame) => {{
    const inside = frame.contentDocument;
    const beyond = [...inside.querySelectorAll("body *")].filter((one) =>
      !one.parentElement.closest(".wide") &&
      one.getBoundingClientRect().right > inside.documentElement.clientWidth);
    return [inside.documentElement.clientWidth,
            inside.documentElement.scrollWidth,
            inside.images.length,
            [...inside.images].filter((one) => !one.naturalWidth).length,
            beyond.map((one) => one.outerHTML.slice(0, 80))];
  }});
  document.body.setAttribute("data-widths", JSON.stringify(widths));
}});
</script>
</body></html>
"""


def widths_in_chromium(pages, folder):
    """Opens pages in Chromium, each in a frame of 400 pixels.

    Returns:
        For each page its width without the scroll bar, the width of its
        content, the numbers of its images and of those that are not shown, and
        the elements that stick out, but for boxes that scroll.
    """
    frames = [
        f'<iframe width="400" height="800" src="{page.resolve().as_uri()}" '
        'style="border: 0"></iframe>'
        for page in pages
    ]
    (folder / "frames.html").write_text(
        _FRAMES.format(frames="\n".join(frames))
    )
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            (folder / "frames.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (found,) = re.findall(r'data-widths="([^"]*)"', done.stdout)
    return json.loads(html.unescape(found))
