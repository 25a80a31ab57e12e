"""The OPC UA server as an Output."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from asyncua import ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole

from gateway.core.update import AlarmChange, IncidentChange, TagChange, Update
from gateway.outputs import Gap, Host, OutputFailed, Present
from gateway.outputs.opcua.channels import LIMITS
from gateway.outputs.opcua.conditions import Conditions
from gateway.outputs.opcua.listener import SecuredServer
from gateway.outputs.opcua.sessions import CALLER, Core
from gateway.outputs.opcua.settings import Settings
from gateway.outputs.opcua.space import NAMESPACE, Space
from gateway.outputs.opcua.trust import CertificateUnusable, Pki, leaf
from gateway.outputs.opcua.users import Users, UsersFileUnusable

_POLICIES = (
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
)


@dataclass
class Account(User):
    """A user who has logged in."""

    may_command: bool = False


class Door:
    """Decides who comes in: the channel's certificate first (channels.Gate), then the user."""

    def __init__(self, settings: Settings, pki: Pki, host: Host) -> None:
        self.none = settings.none
        self._anonymous = settings.anonymous
        self._pki = pki
        self._host = host
        self._users = Users(settings.users, time.monotonic)

    def check(self) -> None:
        """Raises UsersFileUnusable."""
        self._users.check()

    def trusts(self, certificate: bytes) -> bool:
        """Whether a client with this certificate may open a channel; an OSError on the folder is a no."""
        try:
            return self._pki.trusts(certificate)
        except OSError:
            self._host.count("pki_unreadable")
            return False

    def get_user(
        self,
        iserver: object,
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> Account | None:
        """The user manager that asyncua asks. The certificate is the channel's: it is looked at again here, for a
        client that reactivates its session after its trust has been withdrawn.
        """
        if not self.none and not self.trusts(leaf(certificate)):
            self._host.count("untrusted")
            return None
        if username is None:
            return Account(UserRole.User, "anonymous", may_command=True) if self._anonymous else None
        role = self._users.role_of(username, password or "", CALLER.get().peer)
        if role is None:
            self._host.count("logins_refused")
            return None
        return Account(UserRole.User, username, may_command=role == "operator")


class Output:
    """Serves the plant over OPC UA. Several clients at a time; nothing is kept for a client that is away except its
    subscriptions, as long as it has asked for.
    """

    def __init__(self, settings: object) -> None:
        assert isinstance(settings, Settings)
        self._settings = settings
        self._server: SecuredServer | None = None
        self._host: Host | None = None
        self._space: Space | None = None
        self._conditions: Conditions | None = None

    @property
    def port(self) -> int:
        """The TCP port that it listens on; 0 while it is closed."""
        listener = self._server.bserver if self._server is not None else None
        return listener.port if listener is not None else 0

    async def open(self, host: Host, present: Present) -> None:
        """Start serving. Raises OutputFailed if the port is taken, or certificate or users file are unusable."""
        settings = self._settings
        pki = Pki(settings.pki)
        door = Door(settings, pki, host)
        uri = f"urn:stethos:gateway:{host.gateway_id.hex()}"
        try:
            await asyncio.to_thread(pki.prepare, uri, _names(settings))
            door.check()
        except (OSError, CertificateUnusable, UsersFileUnusable) as error:
            raise OutputFailed(f"opcua: {error}") from error
        core = Core(door, settings.max_connections, settings.max_subscriptions, settings.max_items, host.count)
        server = SecuredServer(core, door)
        server.limits = LIMITS
        await server.init()
        await server.set_application_uri(uri)
        build = (server.product_uri, server.manufacturer_name, server.name, version("stethos"), "")
        await server.set_build_info(*build, datetime.now(UTC))
        server.set_endpoint(settings.endpoint)
        _set_security(server, settings)
        await server.load_certificate(pki.certificate_path)
        await server.load_private_key(pki.key_path)
        await self._fill(server, core, host, present)
        try:
            await server.start()
        except OSError as error:
            await server.stop()
            raise OutputFailed(f"opcua: cannot listen on {settings.endpoint}: {error}") from error
        self._server = server

    async def _fill(self, server: SecuredServer, core: Core, host: Host, present: Present) -> None:
        namespace = await server.register_namespace(NAMESPACE)
        try:
            space = await asyncio.to_thread(Space, core.aspace, namespace, host.plant)
        except ValueError as error:
            raise OutputFailed(f"opcua: {error}: rename one of them") from error
        self._host, self._space = host, space
        self._conditions = Conditions(host, space, core, present.alarms)
        self._write_tags(present.tags)

    async def write(self, batch: Sequence[Update | Gap]) -> None:
        """Show a batch. Tags and conditions are readable, and queued for the subscriptions, when this returns."""
        assert self._conditions is not None
        assert self._host is not None
        for update in self._write_tags(batch):
            match update:
                case AlarmChange():
                    await self._conditions.write(update)
                case Gap():
                    self._host.count("events_given_up", update.events)
                case IncidentChange():
                    pass  # the asset's `incident` tag and the alarm's Incident field tell it

    def _write_tags(self, batch: Sequence[Update | Gap]) -> Sequence[Update | Gap]:
        """Keep what has changed, and return what is no Tag; values are made for whoever reads them."""
        assert self._space is not None
        assert self._host is not None
        slot_of, served, others = self._space.slots.get, datetime.now(UTC), []
        for update in batch:
            if not isinstance(update, TagChange):
                others.append(update)
                continue
            tag, value, _, _ = update
            slot = slot_of(tag)
            if slot is None:
                self._host.count("unknown_tag")
            elif not slot.form.fits(value):
                self._host.count("mistyped_tag")
            else:
                slot.change = update
                slot.served = served
                if slot.watches:
                    for watch in slot.watches.values():
                        watch()
        return others

    async def close(self) -> None:
        """Stop serving; sessions and subscriptions end."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()


def _set_security(server: SecuredServer, settings: Settings) -> None:
    policies = list(_POLICIES)
    if settings.none:
        policies.append(ua.SecurityPolicyType.NoSecurity)
    rules = SimpleRoleRuleset()  # type: ignore[no-untyped-call]
    server.set_security_policy(policies, permission_ruleset=rules)
    tokens: list[type] = [ua.UserNameIdentityToken]
    if settings.anonymous:
        tokens.append(ua.AnonymousIdentityToken)
    server.set_identity_tokens(tokens)


def _names(settings: Settings) -> tuple[str, ...]:
    """Host names and addresses under which clients may know the server."""
    names = [settings.host] if settings.host not in ("0.0.0.0", "::") else []
    names += ["localhost"] if settings.is_loopback else []
    return tuple(dict.fromkeys([*names, socket.gethostname(), *settings.names]))
