"""Clients that do not keep to the rules: each of these gets further on asyncua 2.1.0 as it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from tests.outputs.opcua.plants import VIEWER, Running, change, serving, tag
from tests.outputs.opcua.raw import Identity, make_client, make_identity, variable

REFUSED = (ConnectionError, ua.UaError, TimeoutError, asyncio.TimeoutError)


@asynccontextmanager
async def channel(server: Running, identity: Identity | None, **login: Any) -> AsyncIterator[Client]:
    """A client with an open channel and no session yet."""
    client = await make_client(server, identity, **login)
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
        yield client
    finally:
        client.disconnect_socket()


def pretend(client: Client, certificate: bytes | None) -> None:
    """Name another certificate in CreateSession than the channel's."""
    create = client.uaclient.create_session

    async def lying(params: ua.CreateSessionParameters) -> ua.CreateSessionResult:
        params.ClientCertificate = certificate
        return await create(params)

    client.uaclient.create_session = lying  # type: ignore[method-assign]


async def test_no_channel_for_an_untrusted_certificate_whatever_it_claims(tmp_path: Path) -> None:
    stranger, friend = make_identity(tmp_path, "stranger"), make_identity(tmp_path, "friend")
    async with serving(tmp_path) as server:
        server.trust(friend.certificate)
        for claim in (stranger.certificate.read_bytes(), None, friend.certificate.read_bytes()):
            client = await make_client(server, stranger)
            pretend(client, claim)
            with pytest.raises(REFUSED):
                await client.connect()
        assert server.host.counts["untrusted"] == 3
        rejected = [path.read_bytes() for path in (tmp_path / "pki" / "rejected").iterdir()]
        assert rejected == [stranger.certificate.read_bytes()]
        client = await make_client(server, friend)
        await client.connect()
        await client.disconnect()


async def test_session_must_name_the_certificate_of_its_channel(tmp_path: Path) -> None:
    friend, other = make_identity(tmp_path, "friend"), make_identity(tmp_path, "other")
    async with serving(tmp_path) as server:
        server.trust(friend.certificate)
        server.trust(other.certificate)
        for claim in (None, other.certificate.read_bytes()):
            async with channel(server, friend) as client:
                pretend(client, claim)
                with pytest.raises(ua.uaerrors.BadCertificateInvalid):
                    await client.create_session()
        async with channel(server, friend) as client:
            client.application_uri = other.uri
            with pytest.raises(ua.uaerrors.BadCertificateUriInvalid):
                await client.create_session()


async def test_certificate_is_no_user(tmp_path: Path) -> None:
    friend = make_identity(tmp_path, "friend")
    async with serving(tmp_path) as server:
        server.trust(friend.certificate)
        async with channel(server, friend) as client:
            await client.create_session()
            policy = client.security_policy
            proof = policy.asymmetric_cryptography.signature(policy.peer_certificate + client._server_nonce)
            signature = ua.SignatureData("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", proof)
            token = ua.X509IdentityToken(PolicyId="certificate", CertificateData=friend.certificate.read_bytes())
            params = ua.ActivateSessionParameters(
                ClientSignature=signature, UserIdentityToken=token, UserTokenSignature=signature
            )
            with pytest.raises(ua.uaerrors.BadIdentityTokenRejected):
                await client.uaclient.activate_session(params)


async def test_session_cannot_be_taken_over(tmp_path: Path) -> None:
    victim_id, thief_id = make_identity(tmp_path, "victim"), make_identity(tmp_path, "thief")
    async with serving(tmp_path, [tag("node/n-1/score", 90)]) as server:
        server.trust(victim_id.certificate)
        server.trust(thief_id.certificate)
        victim = await make_client(server, victim_id)
        await victim.connect()
        stolen = victim.uaclient.protocol.authentication_token
        assert len(stolen.Identifier) == 32, "a token that can be guessed"
        async with channel(server, thief_id) as thief:
            thief.uaclient.protocol.authentication_token = stolen
            thief._server_nonce = bytes(32)
            with pytest.raises(ua.uaerrors.BadSessionIdInvalid):
                await thief.activate_session("olivia", "guess")
            with pytest.raises(REFUSED):
                await thief.get_node(variable(thief, "node.n-1.score")).read_value()
        assert await victim.get_node(variable(victim, "node.n-1.score")).read_value() == 90
        await victim.disconnect()


async def test_subscriptions_belong_to_their_session(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "client")
    async with serving(tmp_path, [tag("node/n-1/score", 90)]) as server:
        server.trust(identity.certificate)
        owner, other = await make_client(server, identity), await make_client(server, identity, user=VIEWER)
        await owner.connect()
        await other.connect()

        class Nothing:
            def datachange_notification(self, node: object, value: object, data: object) -> None:
                pass

        subscription = await owner.create_subscription(100, Nothing())
        theirs = subscription.subscription_id
        assert (await other.uaclient.delete_subscriptions([theirs]))[0].name == "BadSubscriptionIdInvalid"
        items = ua.CreateMonitoredItemsParameters(SubscriptionId=theirs)
        with pytest.raises(ua.uaerrors.BadSubscriptionIdInvalid):
            await other.uaclient.create_monitored_items(items)
        moved = await other.uaclient.transfer_subscriptions(
            ua.TransferSubscriptionsParameters(SubscriptionIds=[theirs])
        )
        assert moved[0].StatusCode.name == "BadSubscriptionIdInvalid"
        refresh = ua.CallMethodRequest(
            ua.NodeId(ua.ObjectIds.ConditionType),
            ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh),
            [ua.Variant(theirs, ua.VariantType.UInt32)],
        )
        assert (await other.uaclient.call([refresh]))[0].StatusCode.name == "BadSubscriptionIdInvalid"
        assert (await owner.uaclient.call([refresh]))[0].StatusCode.is_good()
        twin = await make_client(server, identity)
        await twin.connect()
        wanted = ua.TransferSubscriptionsParameters(SubscriptionIds=[theirs])
        assert (await twin.uaclient.transfer_subscriptions(wanted))[0].StatusCode.is_good(), "same user, same client"
        assert (await owner.uaclient.delete_subscriptions([theirs]))[0].name == "BadSubscriptionIdInvalid"
        assert (await twin.uaclient.delete_subscriptions([theirs]))[0].is_good()
        await twin.disconnect()
        await owner.disconnect()
        await other.disconnect()


async def test_without_security_there_is_discovery_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, channel(server, None) as client:
        modes = {(e.SecurityMode.name, e.SecurityPolicyUri.rsplit("#")[-1]) for e in await client.get_endpoints()}
        with pytest.raises(ua.uaerrors.BadSecurityModeInsufficient):
            await client.create_session()
        with pytest.raises(ua.uaerrors.BadServiceUnsupported):
            await client.uaclient.register_server(ua.RegisteredServer())
    assert modes == {("SignAndEncrypt", "Basic256Sha256"), ("SignAndEncrypt", "Aes256_Sha256_RsaPss")}


async def test_open_doors_let_in_when_they_are_configured(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag("node/n-1/score", 90)], none=True, anonymous=True) as server:
        async with await make_client(server, None, user=None) as client:
            assert await client.get_node(variable(client, "node.n-1.score")).read_value() == 90
        stranger = make_identity(tmp_path, "stranger")
        with pytest.raises(REFUSED):
            await (await make_client(server, stranger)).connect()
    async with serving(tmp_path, anonymous=True) as server, channel(server, None, user=None) as client:
        with pytest.raises(ua.uaerrors.BadSecurityModeInsufficient):
            await client.create_session()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
        pytest.param(b"HELF" + (200_000_000).to_bytes(4, "little") + bytes(70_000), id="a header that promises 200 MB"),
        pytest.param(b"ACKF" + (28).to_bytes(4, "little") + bytes(20), id="an answer that would lift the limits"),
        pytest.param(b"OPNF" + (40).to_bytes(4, "little") + bytes(32), id="an empty channel request"),
    ],
)
async def test_malformed_input_ends_the_connection(tmp_path: Path, data: bytes) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.output.port)
        writer.write(data)
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)  # until the server closes
        writer.close()
        assert server.host.counts["malformed"] == 1


async def test_viewer_may_not_acknowledge_and_arguments_are_checked(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "client")
    async with serving(tmp_path, alarms=[change(5)]) as server:
        server.trust(identity.certificate)
        viewer, operator = await make_client(server, identity, user=VIEWER), await make_client(server, identity)
        await viewer.connect()
        await operator.connect()

        async def call(
            client: Client, method: int, *arguments: ua.Variant, on: str = "asset.pump-1.anomaly.alarm"
        ) -> str:
            request = ua.CallMethodRequest(variable(client, on), ua.NodeId(method), list(arguments))
            return str((await client.uaclient.call([request]))[0].StatusCode.name)

        acknowledge = ua.ObjectIds.AcknowledgeableConditionType_Acknowledge
        shelve = ua.ObjectIds.AlarmConditionType_ShelvingState_TimedShelve2
        unshelve = ua.ObjectIds.AlarmConditionType_ShelvingState_Unshelve
        event = ua.Variant(b"gateway!" + (5).to_bytes(8, "big"), ua.VariantType.ByteString)
        comment = ua.Variant(ua.LocalizedText("noise from the saw"), ua.VariantType.LocalizedText)
        hour, never = (ua.Variant(ms, ua.VariantType.Double) for ms in (3.6e6, float("nan")))
        assert await call(viewer, acknowledge, event, comment) == "BadUserAccessDenied"
        assert await call(operator, acknowledge, event) == "BadArgumentsMissing"
        assert await call(operator, acknowledge, comment, event) == "BadInvalidArgument"
        assert await call(operator, acknowledge, event, comment, on="asset.pump-9.anomaly.alarm") == "BadNodeIdUnknown"
        assert await call(operator, acknowledge, event, comment, on="asset.fan-1.anomaly.alarm") == "BadNodeIdUnknown"
        assert await call(operator, shelve, never, comment) == "BadShelvingTimeOutOfRange"
        assert await call(operator, shelve, hour, comment) == "Good"
        assert await call(operator, unshelve) == "Good"
        assert await call(operator, ua.ObjectIds.ConditionType_Disable) == "BadMethodInvalid"
        await viewer.disconnect()
        await operator.disconnect()
    commands = server.host.commands
    assert [c.kind.value for c in commands[1:]] == ["shelve", "unshelve"]
    assert commands[1].comment == "noise from the saw"
    assert commands[1].until_ms > 1_700_000_000_000


async def test_number_of_subscriptions_and_items_is_bounded(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "client")
    async with serving(tmp_path, max_subscriptions=1, max_items=1) as server:
        server.trust(identity.certificate)
        async with await make_client(server, identity) as client:
            params = ua.CreateSubscriptionParameters(RequestedPublishingInterval=float("nan"), PublishingEnabled=False)
            made = await client.uaclient.create_subscription(params, lambda _: None)
            assert made.RevisedPublishingInterval >= 10
            with pytest.raises(ua.uaerrors.BadTooManySubscriptions):
                await client.uaclient.create_subscription(params, lambda _: None)
            item = ua.MonitoredItemCreateRequest()
            item.ItemToMonitor.NodeId = variable(client, "node.n-1.score")
            item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
            wanted = ua.CreateMonitoredItemsParameters(made.SubscriptionId, ItemsToCreate=[item, item])
            with pytest.raises(ua.uaerrors.BadTooManyMonitoredItems):
                await client.uaclient.create_monitored_items(wanted)


async def test_what_cannot_be_served_is_counted_and_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, none=True, anonymous=True) as server:
        async with await make_client(server, None, user=None) as client:
            with pytest.raises(ua.uaerrors.BadNoSubscription):
                await client.uaclient.session.publish([])
        assert server.host.counts == {"service_faults": 1}
    assert [r.name for r in caplog.records if r.levelname == "ERROR" and "server" in r.name] == []
