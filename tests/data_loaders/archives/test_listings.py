"""What archives say of their files, as they say it: pages of S3, the API of DANDI, PhysioNet's sums."""

import json

import pytest

from data_loaders.archives import buckets, dandi, physionet, web

PAGE = """<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<IsTruncated>{more}</IsTruncated>{token}
{contents}</ListBucketResult>"""
ITEM = "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>&quot;{etag}&quot;</ETag></Contents>"


def page(items: list[tuple[str, int, str]], token: str = "") -> bytes:
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    contents = "".join(ITEM.format(key=key, size=size, etag=etag) for key, size, etag in items)
    return PAGE.format(more=str(bool(token)).lower(), token=more, contents=contents).encode()


def test_a_bucket_is_listed_over_all_its_pages(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "ENDPOINT", site.url)
    first = "/openneuro.org?list-type=2&prefix=ds1%2F"
    site.files[first] = page([("ds1/", 0, "x"), ("ds1/sub-01/eeg/a b.set", 10, "abc")], "next page")
    site.files[f"{first}&continuation-token=next+page"] = page([("ds1/participants.tsv", 3, "def-2")])
    found = buckets.listing("openneuro.org", "ds1/")
    assert [(f.path, f.size, f.checksum) for f in found] == [
        ("sub-01/eeg/a b.set", 10, "etag:abc"),
        ("participants.tsv", 3, "etag:def-2"),
    ]
    assert found[0].url == f"{site.url}/openneuro.org/ds1/sub-01/eeg/a%20b.set"


def test_an_empty_prefix_was_moved(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "ENDPOINT", site.url)
    site.files["/b?list-type=2&prefix=no%2F"] = page([])
    with pytest.raises(web.MissingError, match="s3://b/no/ holds no file"):
        buckets.listing("b", "no/")


def test_a_dandiset_is_listed_with_its_sums_in_the_order_of_paths(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dandi, "API", f"{site.url}/api")
    listed = "/api/dandisets/000688/versions/draft/assets/?page_size=1000&metadata=true"
    asset = {"path": "sub-M/m.nwb", "size": 7, "asset_id": "m1", "metadata": {"digest": {"dandi:sha2-256": "11"}}}
    site.files[listed] = json.dumps({"next": f"{site.url}/page2", "results": [asset]}).encode()
    other = {"path": "sub-C/c.nwb", "size": 5, "asset_id": "c1"}
    site.files["/page2"] = json.dumps({"next": None, "results": [other]}).encode()
    # where the list has no metadata the asset is asked itself; DANDI may not have its sum yet
    site.files["/api/assets/c1/"] = json.dumps({"digest": {}}).encode()
    found = dandi.assets("000688")
    assert [(f.path, f.size, f.checksum) for f in found] == [("sub-C/c.nwb", 5, ""), ("sub-M/m.nwb", 7, "sha256:11")]
    assert found[1].url == f"{site.url}/api/assets/m1/download/"


def test_physionet_gives_sums_and_no_sizes(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physionet, "FILES", f"{site.url}/files")
    site.files["/files/eegmat/1.0.0/SHA256SUMS.txt"] = b"aa  Subject00_1.edf\nbb  subject-info.csv\n"
    found = physionet.files("eegmat", "1.0.0")
    assert [(f.path, f.size, f.checksum) for f in found] == [
        ("Subject00_1.edf", None, "sha256:aa"),
        ("subject-info.csv", None, "sha256:bb"),
    ]
