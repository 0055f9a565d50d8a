"""Certificates of a test's own, made with the openssl command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")


class Signer:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        if OPENSSL is None:
            reason = "openssl is not installed: apt-get install openssl"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key, self.certificate = folder, folder / f"{name}.key", folder / f"{name}.crt"
        _run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)  # fmt: skip

    def sign(self, name: str, alternatives: str, *, days: int = 2) -> tuple[Path, Path]:
        """(certificate, key) for subject alternative names such as `IP:127.0.0.1`; `days` < 0: it has expired."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
             "-keyout", key, "-out", request)  # fmt: skip
        _run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
             "-days", str(days), "-extfile", extensions, "-out", certificate)  # fmt: skip
        return certificate, key


def _run(*arguments: str | Path) -> None:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
