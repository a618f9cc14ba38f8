"""A real S3 endpoint for the tests of `records`: moto's server, over HTTP, one request at a time as S3 decides them."""

import os
import urllib.request
import uuid

import pytest
from records_lossy_server import LossyServer, UnconditionalServer, served


@pytest.fixture(scope="session")
def s3_application():
    from moto.server import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


@pytest.fixture(scope="session")
def s3_endpoint(s3_application):
    with served(s3_application) as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint, monkeypatch):
    """The URL of an empty prefix in a new bucket, which the environment gives access to."""
    settings = {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test-key-id",
        "AWS_SECRET_ACCESS_KEY": "test-secret-key",
        "AWS_REGION": "us-east-1",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/{name}", method="PUT")).close()
    return f"s3://{name}/stores/one"


@pytest.fixture
def lossy(bucket, s3_application, monkeypatch):
    """What stands between the environment's endpoint and the bucket, and can be told to lose answers."""
    server = LossyServer(s3_application)
    with served(server) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield server


@pytest.fixture
def unconditional(bucket, s3_application, monkeypatch):
    """The bucket at a service that knows no conditional put."""
    with served(UnconditionalServer(s3_application)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield bucket
