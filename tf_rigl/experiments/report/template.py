"""The page around the parts of a report: nothing in it is from outside."""

import string

PAGE = string.Template(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<header>
<h1>$heading</h1>
<p class="method">$method</p>
<p>$progress</p>
</header>
<main>
$content</main>
<footer>
<p>$footer</p>
</footer>
</body>
</html>
"""
)

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #ffffff; --raised: #f4f6f9; --ink: #1c2430; --soft: #5b6675;
  --line: #d9dee6; --accent: #1f5fa8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181e; --raised: #1e242c; --ink: #e4e9f0; --soft: #9aa6b5;
    --line: #343d49; --accent: #7db4f0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem;
  background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 0 0 .25rem; font-size: 1.25rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); max-width: 46rem; }
.method {
  margin: .25rem 0 0; color: var(--accent); font-size: 1.3rem;
  font-weight: 600;
}
section { margin-top: 3rem; }
.tiles, .panels, .pictures { display: grid; gap: 1rem; }
.tiles {
  grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr));
  margin-top: 1.5rem;
}
.tile {
  padding: .8rem 1rem; background: var(--raised); border-radius: .5rem;
  border: 1px solid var(--line);
}
.tile .name, .tile .note, figcaption { color: var(--soft); font-size: .8rem; }
.tile .value {
  font-size: 1.6rem; font-weight: 650; line-height: 1.3;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
.panels { grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.pictures { grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); }
.panels figure { max-width: 30rem; }
figure { margin: 0; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figure svg text { font-family: system-ui, sans-serif !important; }
figure svg image { image-rendering: pixelated; }
figure img {
  display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated;
  border: 1px solid var(--line);
}
figcaption { margin-top: .35rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; font-size: .875rem; }
th, td {
  padding: .25rem .9rem .25rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums;
}
th { color: var(--soft); font-weight: 600; }
th.text, td.text { text-align: left; }
tfoot td { font-weight: 600; border-bottom: 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); }
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --raised: #ffffff; --ink: #000000; --soft: #444444;
    --line: #bbbbbb; --accent: #1f5fa8;
  }
  body { max-width: none; padding: 0; font-size: 11px; }
  .panels { grid-template-columns: repeat(2, 1fr); }
  .pictures { grid-template-columns: repeat(4, 1fr); }
  .wide { overflow: visible; }
  tr, .tile { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""
