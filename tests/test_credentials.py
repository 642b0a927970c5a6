"""What is taken out of texts before they are shown or stored, and what is left as it is."""

import logging
from pathlib import Path

import pytest
import requests
import sqlalchemy

from epropnp.credentials import without_credentials
from epropnp.errors import UserError

HIDDEN = [  # a text, and what is left of it
    ("http://me:hush@server:5000/x", "http://***@server:5000/x"),
    ("https://hush@server", "https://***@server"),
    ("postgresql+psycopg2://me:hush@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
    ("postgresql://me:hu@sh@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
    ("postgresql://me:hu/sh@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
    ("postgresql://db/mlflow?user=me&password=hush", "postgresql://db/mlflow?user=me&password=***"),
    ("s3://AKIA1:hu%2Fsh@bucket/lm?region=eu", "s3://***@bucket/lm?region=eu"),
    ("s3://bucket/lm?secret_key=hush&region=eu", "s3://bucket/lm?secret_key=***&region=eu"),
    ("ray://head:10001?token=hush", "ray://head:10001?token=***"),
    ("https://x.blob/lm?sv=1&sig=hush#a", "https://x.blob/lm?sv=1&sig=***#a"),
    ("https://x/lm?X-Amz-Signature=hush", "https://x/lm?X-Amz-Signature=***"),
    ("two: http://a:hush@x, 'http://b:hush@y'", "two: http://***@x, 'http://***@y'"),
    ("bad dsn: host=db password=hush user=me", "bad dsn: host=db password=*** user=me"),
    (
        "Max retries exceeded with url: /api?token=hush (Caused",
        "Max retries exceeded with url: /api?token=*** (Caused",
    ),
]
KEPT = [
    "http://127.0.0.1:5000/#/experiments/1",
    "http://server:5000/me@home",
    "hdfs://name:8020/sets@2/lm",
    "s3://bucket/lm@2?region=eu-west-1&endpoint_override=localhost:9000",
    "file:///home/me@work/lm",
    "sqlite:////tmp/runs/mlflow.db",
    "/data/a@b/[bold]/x=1",
    "--set optim.lr=1e-3 model.head=direct; token=3 of 7",
    "mail me@example.org",
    "",
]


@pytest.mark.parametrize(("text", "left"), HIDDEN)
def test_what_lets_in_is_hidden_once_and_for_all(text: str, left: str) -> None:
    assert without_credentials(text) == left
    assert without_credentials(left) == left
    assert "hush" not in left


@pytest.mark.parametrize("text", KEPT)
def test_everything_else_stays(text: str) -> None:
    assert without_credentials(text) == text


def test_a_message_for_the_user_tells_none(caplog: pytest.LogCaptureFixture) -> None:
    error = UserError("s3://me:hush@bucket/lm does not exist")
    assert str(error) == "s3://***@bucket/lm does not exist"
    logging.getLogger("x").warning("%s", error)
    assert "hush" not in caplog.text


def test_what_libraries_say_of_an_address_tells_none(tmp_path: Path) -> None:
    with pytest.raises(requests.RequestException) as http:
        requests.get("http://me:hush@127.0.0.1:9/api?token=hush", timeout=5)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/no/base.db?password=hush")
    with pytest.raises(sqlalchemy.exc.SQLAlchemyError) as sql:
        engine.connect()
    for error in (http.value, sql.value):
        assert "hush" not in without_credentials(f"{error}: http://me:hush@x")
