"""The hub, on a server of its own that answers as huggingface.co does: what was sent comes back, what cannot be had is told."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from brainfm import checkpoints, hub

constants: Any = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """One repository, lab/model, with the files of a folder."""

    root: Path

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        """Makes a repository, says how files are to be sent, and takes a commit of small ones."""
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/repos/create"):
            return self._json({"url": f"{constants.ENDPOINT}/lab/model", "name": "lab/model"})
        if "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(sent)["files"]
            ]
            return self._json({"files": files})
        if "/commit/" not in self.path:  # it looks at the header of a card before it takes it
            return self._json({"errors": [], "warnings": []})
        for line in map(json.loads, sent.splitlines()):
            if line["key"] == "file":
                (self.root / line["value"]["path"]).parent.mkdir(parents=True, exist_ok=True)
                (self.root / line["value"]["path"]).write_bytes(base64.b64decode(line["value"]["content"]))
        return self._json({"commitUrl": f"{constants.ENDPOINT}/lab/model/commit/{COMMIT}", "commitOid": COMMIT})

    def _json(self, about: Any, body: bool = True) -> None:
        self._send(200, json.dumps(about).encode(), body, {"Content-Type": "application/json"})

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/lab/model"):
            files = [file for file in sorted(self.root.rglob("*")) if file.is_file()]
            tree = [
                {"type": "file", "path": str(f.relative_to(self.root)), "size": f.stat().st_size, "oid": _blob(f)}
                for f in files
            ]
            about = tree if "/tree/" in path else {"id": "lab/model", "sha": COMMIT, "siblings": []}
            return self._json(about, body)
        file = self.root / path.partition(f"/resolve/{COMMIT}/")[2]
        if path.startswith("/lab/model/resolve/") and file.is_file():
            content = file.read_bytes()
            return self._send(200, content, body, {"ETag": f'"{_blob(file)}"', "X-Repo-Commit": COMMIT})
        return self._send(404, b"", body, {"X-Error-Code": "RepoNotFound"})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


def _blob(file: Path) -> str:
    """The name that git gives to a file's content."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder behind hf://lab/model."""
    Hub.root = tmp_path / "repo"
    Hub.root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield Hub.root
    server.shutdown()
    server.server_close()


def test_a_folder_of_the_hub_is_fetched_and_used_as_one_on_disk(served: Path) -> None:
    fold = served / "fold-0"
    fold.mkdir()
    (fold / checkpoints.MANIFEST).write_text('{"fold": 0}')
    found = checkpoints.resolve("hf://lab/model")
    assert checkpoints.read_manifest(found) == {"fold": 0}
    assert COMMIT in str(found)


def test_what_is_not_there_is_told_with_the_repair(served: Path) -> None:
    with pytest.raises(ValueError, match=r"hf://lab/other could not be downloaded .*check owner, name, revision"):
        hub.local("hf://lab/other")


def test_a_folder_on_disk_is_itself() -> None:
    assert hub.local("runs/a") == Path("runs/a")


def test_what_was_published_comes_back(served: Path) -> None:
    address = hub.push("lab/model", {"README.md": b"# a card", "fold-0/weights": b"\x00\x01"}, "why")
    assert address == f"hf://lab/model@{COMMIT}"
    found = hub.local(address)
    assert (found / "README.md").read_text() == "# a card"
    assert (found / "fold-0" / "weights").read_bytes() == b"\x00\x01"
