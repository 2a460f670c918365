"""The documentation site: `sphinx-build -W --keep-going -n notebooks site`.

It is built and read without a network.  Notebooks are shown as they are, without outputs;
LANDSCAPE_JAX_DOCS_EXECUTE=1 executes them, which takes minutes and the extra `notebooks`; without
it each says below its title how its outputs are seen.
"""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "landscape_jax"
author = copyright = "The landscape_jax developers"
version = release = installed("landscape-jax")
extensions = ["myst_nb", "_api", "_site"]
exclude_patterns = ["**.ipynb_checkpoints"]

nb_execution_mode = "force" if os.environ.get("LANDSCAPE_JAX_DOCS_EXECUTE") == "1" else "off"
nb_execution_timeout = 300
myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = True  # As Jupyter shows it: $$ within a paragraph.
myst_heading_anchors = 3
# Types of other packages have no pages here.
nitpick_ignore_regex = [("py:class", r"(?!landscape_jax\.).*")]
python_use_unqualified_type_names = True
highlight_language = "none"
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"landscape_jax {version}"
html_math_renderer = "mathml"
html_copy_source = html_show_sourcelink = False
