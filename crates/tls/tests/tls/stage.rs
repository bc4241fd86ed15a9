//! Two sides without a wire.

use std::sync::Arc;

use divisi_tls::{Certificate, Choice, Keyring, Source, Speaks, Vault};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::Acceptor;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion, version,
};

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

/// An authority for one test.
pub(crate) struct Authority {
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a root");
        Self { pem: root.pem(), der: root.der().clone(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn signed(&self, names: &[&str]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    pub(crate) fn certificate(&self, names: &[&str]) -> Arc<Certificate> {
        let (chain, key) = self.signed(names);
        Arc::new(Certificate::from_der(vec![chain], key, Source::Local).expect("a certificate"))
    }

    /// A client that trusts in it, and keeps its sessions as browsers do.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a root");
        let builder = builder.with_protocol_versions(versions).expect("versions").with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(32);
        config
    }
}

/// A vault in which each of these names has a certificate of its own.
pub(crate) fn vault(authority: &Authority, names: &[&str]) -> Arc<Vault> {
    let vault = Vault::new().expect("a vault");
    let certificates = names.iter().map(|name| ((*name).into(), authority.certificate(&[name])));
    vault.publish(Keyring { certificates: certificates.collect(), ..Keyring::default() });
    vault
}

/// What came of a handshake.
#[derive(Debug)]
pub(crate) enum Met {
    Done(Box<Done>),
    Soon,
    Refused,
    Failed(#[expect(dead_code, reason = "for panics")] String),
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) client_authority: Option<Arc<str>>,
    pub(crate) is_challenge: bool,
}

impl Met {
    pub(crate) fn done(self) -> Done {
        match self {
            Self::Done(done) => *done,
            other => panic!("{other:?}"),
        }
    }
}

/// A client comes.
pub(crate) fn meet(vault: &Vault, client: &Arc<ClientConfig>, name: &'static str) -> Met {
    let name = ServerName::try_from(name).expect("a name");
    let client = ClientConnection::new(Arc::clone(client), name).expect("a client");
    meet_as(vault, client)
}

/// How a client is served who names nobody in particular.
pub(crate) fn served(vault: &Vault) -> Arc<ServerConfig> {
    match vault.choose(None, [].into_iter(), Speaks::Http) {
        Choice::Serve { config, .. } => config,
        other => panic!("{other:?}"),
    }
}

/// A client comes to a server that is not the vault's.
pub(crate) fn meet_with(config: &Arc<ServerConfig>, client: &Arc<ClientConfig>, name: &'static str) -> Done {
    let name = ServerName::try_from(name).expect("a name");
    let client = ClientConnection::new(Arc::clone(client), name).expect("a client");
    let server = ServerConnection::new(Arc::clone(config)).expect("a server");
    let (client, server) = talk(client, server).expect("a handshake");
    Done { client, server, client_authority: None, is_challenge: false }
}

pub(crate) fn meet_as(vault: &Vault, mut client: ClientConnection) -> Met {
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("memory");
        acceptor.read_tls(&mut &bytes[..]).expect("memory");
        if let Some(accepted) = acceptor.accept().expect("a hello") {
            break accepted;
        }
    };
    let hello = accepted.client_hello();
    let choice = vault.choose(hello.server_name(), hello.alpn().into_iter().flatten(), Speaks::Http);
    let (config, client_authority, is_challenge) = match choice {
        Choice::Serve { config, client_authority } => (config, client_authority, false),
        Choice::Challenge(config) => (config, None, true),
        Choice::Soon => return Met::Soon,
        Choice::Refuse => return Met::Refused,
    };
    match accepted.into_connection(config).map_err(|(why, _)| why.to_string()).and_then(|server| talk(client, server)) {
        Ok((client, server)) => Met::Done(Box::new(Done { client, server, client_authority, is_challenge })),
        Err(why) => Met::Failed(why),
    }
}

/// Both sides talk until they have nothing more to say: the handshake, and the tickets after it.
pub(crate) fn talk(
    mut client: ClientConnection,
    mut server: ServerConnection,
) -> Result<(ClientConnection, ServerConnection), String> {
    loop {
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("memory");
            client.process_new_packets().map_err(|why| format!("client: {why}"))?;
        }
        let mut answer = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut answer).expect("memory");
        }
        let mut rest = &answer[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).expect("memory");
            server.process_new_packets().map_err(|why| format!("server: {why}"))?;
        }
        if bytes.is_empty() && answer.is_empty() {
            assert!(!client.is_handshaking() && !server.is_handshaking());
            return Ok((client, server));
        }
    }
}

/// A server of its own, for the other direction.
pub(crate) fn server(authority: &Authority, name: &str, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let (chain, key) = authority.signed(&[name]);
    with_certificate(chain, key, protocols)
}

/// A server that shows this.
pub(crate) fn with_certificate(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    protocols: &[&[u8]],
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate], key).expect("a certificate");
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}
