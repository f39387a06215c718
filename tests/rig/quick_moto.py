"""A moto server (control plane only) without the work that botocore and moto repeat: with it, tests take half as long.

What botocore sends in this process goes to its application without a socket, and what both read anew for every session
and every request is remembered. Programs that a test starts reach moto on its port; both are one, with the same state.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from botocore import useragent
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import ClientCreator
from botocore.httpsession import URLLib3Session
from botocore.loaders import create_loader
from moto import backends
from moto.backends import get_backend, list_of_moto_modules
from moto.core import responses
from moto.core.config import default_user_config
from moto.iam.models import AWSManagedPolicy
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import ThreadedMotoServer
from tests.rig.straight import answered, headers_of
from werkzeug.test import Client

ACCOUNT = "123456789012"
_CLEAN = useragent.sanitize_user_agent_string_component


def answer(client: Client, request: AWSPreparedRequest) -> AWSResponse:
    """Hand a request of botocore's to an application."""
    body = request.body
    sent = client.open(
        request.url,
        method=request.method,
        headers=headers_of(request),
        data=body.read() if hasattr(body, "read") else body,
    )
    return answered(request, sent.status_code, dict(sent.headers), sent.get_data())


@contextmanager
def read_once() -> Iterator[None]:
    """Keep the descriptions of AWS's services, the classes of clients (EC2's take half a second), the user agents."""
    made = dict[str, Any]()
    make = ClientCreator._create_client_class

    def class_of(creator: ClientCreator, service: str, model: Any) -> Any:
        return made[service] if service in made else made.setdefault(service, make(creator, service, model))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        # It is put together for each request, letter by letter.
        patch.setattr(useragent, "sanitize_user_agent_string_component", cache(_CLEAN))
        patch.setattr(ClientCreator, "_create_client_class", class_of)
        yield


@contextmanager
def quick_moto(*policies: str) -> Iterator[str]:
    """Serve moto at the URL that is yielded. It knows these of AWS's policies: all thousand would take seconds."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setitem(default_user_config, "batch", {"use_docker": False})  # its jobs end at once
        known = frozenset(list_of_moto_modules())
        patch.setattr(backends, "list_of_moto_modules", lambda: known)
        patch.setattr(responses, "method_names_from_class", cache(responses.method_names_from_class))
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        facts = {"Path": "/service-role/", "Document": {}, "CreateDate": "2017-11-16", "UpdateDate": "2017-11-16"}
        for name in policies:
            policy = AWSManagedPolicy.from_data(name, ACCOUNT, "us-east-1", facts)
            get_backend("iam")[ACCOUNT]["aws"].managed_policies[policy.arn] = policy
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = Client(DomainDispatcherApplication(create_backend_app))
        over_the_network = URLLib3Session.send

        def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
            ours = request.url.startswith(url)
            return answer(client, request) if ours else over_the_network(session, request)

        patch.setattr(URLLib3Session, "send", send)
        try:
            yield url
        finally:
            server.stop()
