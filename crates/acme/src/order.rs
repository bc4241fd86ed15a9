//! One order, from its begin to the certificate (RFC 8555 7.4).

use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus, Problem,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::time::{Instant, sleep};

use crate::certificate::Certificate;
use crate::challenge::{Proof, Shown};
use crate::error::{AcmeError, text};
use crate::names::NameSet;
use crate::seams::Stage;
use crate::session::{Session, with_nonces};
use crate::settings::{Kind, Settings};

/// The slowest polling.
const SLOWEST: Duration = Duration::from_secs(10);
/// The slowest polling that an authority can ask for.
const RAREST: Duration = Duration::from_mins(1);

/// Orders a certificate for `names`, which replaces another one where `replaces` says so, and shows on `stage` what the
/// authority asks for. Names are verified by `kind`, but wildcards by dns-01.
pub(crate) async fn certificate(
    session: &Session,
    settings: &Settings,
    stage: &dyn Stage,
    names: &NameSet,
    kind: Kind,
    replaces: Option<&CertificateIdentifier<'static>>,
) -> Result<Certificate, AcmeError> {
    let mut order = begin(session, settings, names, replaces).await?;
    let mut shown = Shown::new(stage, settings);
    let verified = verify(&mut order, session, &mut shown, settings, kind).await;
    shown.hide().await;
    verified?;
    let key = finalize(&mut order, names).await?;
    let chain = receive(&mut order, session, settings).await?;
    Ok(Certificate::read(key.serialize_pem() + &chain)?.must_be_for(names)?)
}

async fn begin(
    session: &Session,
    settings: &Settings,
    names: &NameSet,
    replaces: Option<&CertificateIdentifier<'static>>,
) -> Result<Order, AcmeError> {
    let identifiers: Vec<_> = names.iter().map(|name| Identifier::Dns(name.to_owned())).collect();
    let wanted = || {
        let order = NewOrder::new(&identifiers);
        let order = settings.profile.iter().fold(order, |order, profile| order.profile(profile));
        replaces.into_iter().fold(order, |order, id| order.replaces(id.clone()))
    };
    Ok(with_nonces!(session.account.new_order(&wanted()).await)?)
}

/// Has every name verified that is not yet.
async fn verify(
    order: &mut Order,
    session: &Session,
    shown: &mut Shown<'_>,
    settings: &Settings,
    kind: Kind,
) -> Result<(), AcmeError> {
    with_nonces!(fetch(order).await)?;
    // All of them are shown before the first is looked at, so that they are verified at the same time.
    for proof in proofs(order, kind, settings.dns.is_some()).await? {
        shown.show(proof).await?;
    }
    let mut told = 0;
    if let Err(error) = with_nonces!(tell(order, kind, &mut told).await) {
        // An authority may look at once, and its answer be that it saw nothing.
        return match with_nonces!(order.refresh().await.map(|state| state.status)) {
            Ok(OrderStatus::Invalid) => Err(unverified(order, kind).await),
            _ => Err(error.into()),
        };
    }
    match settle(order, session, settings, |status| status != OrderStatus::Pending).await? {
        // Some authorities say with the order what was wrong, some with the names; the names say it for each.
        (OrderStatus::Invalid | OrderStatus::Pending, _) => Err(unverified(order, kind).await),
        (OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid, _) => Ok(()),
    }
}

/// Has the order know all its authorizations. They are not asked for again.
async fn fetch(order: &mut Order) -> Result<(), Error> {
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        authorization?;
    }
    Ok(())
}

/// What has to be shown for the names that are not verified yet.
async fn proofs(order: &mut Order, kind: Kind, can_dns: bool) -> Result<Vec<Proof>, AcmeError> {
    let mut proofs = Vec::new();
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let kind = kind_for(authorization.wildcard, kind);
        let name = authorization.identifier().to_string();
        let offered: Vec<_> = authorization.challenges.iter().map(|challenge| type_name(&challenge.r#type)).collect();
        let no_way = |why| AcmeError::NoWay { name: name.clone(), offered: offered.join(", "), why };
        if kind == Kind::Dns01 && !can_dns {
            return Err(no_way(
                "dns-01, which this name needs, has no way to change records (--acme-dns-hook, --acme-dns-server)",
            ));
        }
        let challenge =
            authorization.challenge(type_of(kind)).ok_or_else(|| no_way("the challenge wanted is not among them"))?;
        let answer = challenge.key_authorization();
        proofs.push(Proof {
            kind,
            name: name.trim_start_matches("*.").to_owned(),
            token: challenge.token.clone(),
            key_authorization: answer.as_str().to_owned(),
            digest: answer.digest().as_ref().to_vec(),
            record: answer.dns_value(),
        });
    }
    Ok(proofs)
}

/// Tells the authority that it can look, but for the first `told` names, which it has been told of.
async fn tell(order: &mut Order, kind: Kind, told: &mut usize) -> Result<(), Error> {
    let mut all = order.authorizations();
    let mut number = 0;
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization?;
        number += 1;
        if number <= *told || authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let kind = kind_for(authorization.wildcard, kind);
        if let Some(mut challenge) = authorization.challenge(type_of(kind)) {
            challenge.set_ready().await?;
        }
        *told = number;
    }
    Ok(())
}

/// What the authority says about each name that it could not verify.
async fn unverified(order: &mut Order, kind: Kind) -> AcmeError {
    match with_nonces!(complaints(order).await) {
        Ok(said) if said.is_empty() => AcmeError::Unverified { kind, said: "it does not say why".to_owned() },
        Ok(said) => AcmeError::Unverified { kind, said: said.join("; ") },
        Err(error) => error.into(),
    }
}

async fn complaints(order: &mut Order) -> Result<Vec<String>, Error> {
    let mut said = Vec::new();
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization?;
        authorization.refresh().await?;
        let errors = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        said.extend(errors.map(|problem| format!("{}: {}", authorization.identifier(), text(problem))));
    }
    Ok(said)
}

/// RFC 8555 7.1.3: whether a whole domain is ours is seen in its records alone.
fn kind_for(is_wildcard: bool, kind: Kind) -> Kind {
    if is_wildcard { Kind::Dns01 } else { kind }
}

fn type_of(kind: Kind) -> ChallengeType {
    match kind {
        Kind::Http01 => ChallengeType::Http01,
        Kind::TlsAlpn01 => ChallengeType::TlsAlpn01,
        Kind::Dns01 => ChallengeType::Dns01,
    }
}

fn type_name(kind: &ChallengeType) -> String {
    match kind {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::Unknown(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

/// Asks the authority about the order until `is_settled`, and gives what is wrong with it, too.
async fn settle(
    order: &mut Order,
    session: &Session,
    settings: &Settings,
    is_settled: impl Fn(OrderStatus) -> bool,
) -> Result<(OrderStatus, Option<Problem>), AcmeError> {
    let limit = settings.pace.validation;
    let deadline = Instant::now() + limit;
    let mut pause = settings.pace.poll;
    loop {
        let (status, error) = with_nonces!(order.refresh().await.map(|state| (state.status, state.error.clone())))?;
        if is_settled(status) {
            return Ok((status, error));
        }
        // RFC 8555 7.5.1: as rarely as it wants, within reason.
        let wait = session.wire.asked_to_wait().unwrap_or_default().min(RAREST).max(pause);
        if Instant::now() + wait > deadline {
            return Err(AcmeError::Slow(limit));
        }
        sleep(wait).await;
        pause = pause.mul_f32(1.5).min(SLOWEST);
    }
}

async fn finalize(order: &mut Order, names: &NameSet) -> Result<KeyPair, AcmeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.iter().map(str::to_owned).collect::<Vec<_>>())?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    with_nonces!(order.finalize_csr(request.der()).await)?;
    Ok(key)
}

async fn receive(order: &mut Order, session: &Session, settings: &Settings) -> Result<String, AcmeError> {
    let status = order.state().status;
    if matches!(status, OrderStatus::Processing | OrderStatus::Ready) {
        let is_settled = |status| !matches!(status, OrderStatus::Processing | OrderStatus::Ready);
        if let (_, Some(problem)) = settle(order, session, settings, is_settled).await? {
            return Err(AcmeError::Refused(problem));
        }
    }
    let chain = with_nonces!(order.certificate().await)?;
    chain.ok_or(AcmeError::Slow(settings.pace.validation))
}
