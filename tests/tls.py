"""A certificate authority for tests, which nobody trusts who is not told to."""

import contextlib
import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Issues into one directory; its own certificate is `ca`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("An authority of tests")
        built = self._begin(self._name, self._key.public_key(), DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = dict.fromkeys(
            (
                "content_commitment key_encipherment data_encipherment key_agreement"
                " encipher_only decipher_only"
            ).split(),
            False,
        )
        usage |= dict.fromkeys("digital_signature key_cert_sign crl_sign".split(), True)
        built = built.add_extension(x509.KeyUsage(**usage), critical=True)
        self.ca = self._write("ca.pem", built.sign(self._key, hashes.SHA256()))

    def issue(self, *hosts: str, expired: bool = False, san: bool = True) -> tuple[Path, Path]:
        """The files of a certificate for names and addresses, and of its key.

        Without `san` the only name in it is the common name.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        built = self._begin(_name(hosts[0]), key.public_key(), -DAY if expired else DAY)
        if san:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            built = built.add_extension(names, critical=False)
        stem = f"{hosts[0]}-{'expired' if expired else 'valid' if san else 'nameless'}"
        path = self._directory / f"{stem}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return self._write(f"{stem}.pem", built.sign(self._key, hashes.SHA256())), path

    def server(self, *hosts: str, expired: bool = False, san: bool = True) -> ssl.SSLContext:
        """What a server with such a certificate speaks."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.issue(*hosts, expired=expired, san=san))
        return context

    def _begin(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        mine = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(mine, critical=False)
        )

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._directory / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(text: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(text))
    return x509.DNSName(text)
