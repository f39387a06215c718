"""An init script reads certain files, or any."""

from pathlib import Path

import pytest

from model_dockerize.program import render_dockerfile

from .folder import SERVER, fill, look

FILES = {
    "main.py": "import helper\nopen('weights.bin')\n",
    "helper.py": "",
    "fetch.py": "import places\n",
    "places.py": "URL = 'https://x'\n",
    "wide.py": "import os\nos.listdir('.')\n",
    "reader.py": "open('table.csv')\n",
    "extra/more.txt": "six\n",
    "table.csv": "1\n",
    "code/a.py": "",
}


@pytest.mark.parametrize(
    ("script", "read"),
    [
        ("pip install six\n", ()),
        ("#!/bin/sh\nset -eu\n# don't * ask $HOME\napt-get update && apt-get install -y libgomp1\n", ()),
        ("apt-get update; apt-get install -y \\\n  git && rm -rf /var/lib/apt/lists/*\n", ()),
        ("python -m spacy download en\n", ()),
        ("python -c \"import nltk; nltk.download('punkt')\"\n", ()),
        ("mkdir -p -m 777 logs\ncurl -L https://x.example/w.bin -o w.bin\n", ()),
        ("pip install -r extra/more.txt\n", ("extra/more.txt",)),
        ("python fetch.py\n", ("fetch.py", "places.py")),
        ("python -m fetch\n", ("fetch.py", "places.py")),
        ("python -c 'import code.a'\n", ("code/a.py",)),
        ("python -c 'from fetch import *'\n", ("fetch.py", "places.py")),
        ("PYTHON=1 python fetch.py\n", None),
        ("python fetch.py > main.py\n", None),
        ("python wide.py\n", None),
        ("python reader.py\n", None),
        ("python fetch.py table.csv\n", None),
        ("python -c 'import glob'\n", None),
        ("pip install .\n", None),
        ("pip install -e ./\n", None),
        ("pip install --find-links=. x\n", None),
        ("pip install *.whl\n", None),
        ("cp main.py copy.py\n", None),
        ("cat main.py | python -\n", None),
        ("python - < fetch.py\n", None),
        ("for f in a b; do echo $f; done\n", None),
        ("echo `ls`\n", None),
        ('echo "$(ls)"\n', None),
        ("python <<EOF\nimport main\nEOF\n", None),
        ("make\n", None),
        ("pip install six & make\n", None),
        ("echo 'open\n", None),
    ],
)
def test_what_a_script_reads(script: str, read: tuple[str, ...] | None, tmp_path: Path) -> None:
    program = look(fill(tmp_path, {**FILES, "init.sh": script}), command="python main.py {input} {output}")
    assert program.init_reads == (None if read is None else tuple(sorted(("init.sh", *read))))


def test_a_script_whose_files_are_known_runs_before_the_code(tmp_path: Path) -> None:
    folder = fill(tmp_path, {**FILES, "init.sh": "python fetch.py && pip install -r extra/more.txt\n"})
    text = render_dockerfile(look(folder, command="python main.py {input} {output}"), SERVER)
    steps = [
        'COPY ["${MODEL_CONTEXT}/extra/more.txt", "/program/extra/"]',
        'COPY ["${MODEL_CONTEXT}/fetch.py", "${MODEL_CONTEXT}/init.sh", "${MODEL_CONTEXT}/places.py", "/program/"]',
        "sh ./init.sh",
        'COPY ["${MODEL_CONTEXT}/", "/program/"]',
    ]
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)


@pytest.mark.parametrize(
    "need", [{"requirements.txt": "-e .\n"}, {"setup.py": "from setuptools import setup\nsetup()\n"}]
)
def test_a_script_runs_after_a_project_that_is_installed(need: dict[str, str], tmp_path: Path) -> None:
    folder = fill(tmp_path, {**FILES, **need, "init.sh": "python fetch.py\n"})
    text = render_dockerfile(look(folder, command="python main.py {input} {output}"), SERVER)
    assert text.index("model_installer") < text.index("sh ./init.sh")
    assert text.index('COPY ["${MODEL_CONTEXT}/", "/program/"]') < text.index("sh ./init.sh")
